"""Sealed bytes are told from documents."""

import zlib

import pytest
from llm_gateway.domain.sealing import SEALED, is_sealed


def test_sealed_bytes_are_known_by_their_beginning() -> None:
    assert is_sealed(SEALED + b"anything")


@pytest.mark.parametrize("document", [b"", b"{}", b'"text"', b"1", b"[\x01]", zlib.compress(b"{}" * 5000, level=1)])
def test_documents_are_not_taken_for_sealed(document: bytes) -> None:
    assert not is_sealed(document)
