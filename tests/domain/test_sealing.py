"""Sealed bytes are told from documents."""

import zlib

import pytest
from llm_gateway.domain.sealing import SEALED, is_sealed
from llm_gateway.stores.documents import _SEALED


def test_sealed_bytes_are_known_by_their_beginning() -> None:
    assert is_sealed(SEALED + b"anything")


def test_a_store_knows_them_by_their_first_byte() -> None:
    assert SEALED[:1] == _SEALED


@pytest.mark.parametrize("document", [b"", b"{}", b'"text"', b"1", b"[\x01]", zlib.compress(b"{}" * 5000, level=1)])
def test_documents_are_not_taken_for_sealed(document: bytes) -> None:
    assert not is_sealed(document)
