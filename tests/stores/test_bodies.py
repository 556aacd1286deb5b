"""What a body store promises."""

import os

import pytest

from tests.stores.conftest import Stores


@pytest.mark.parametrize("size", [0, 1, 600_000, 4_000_000])
def test_a_body_comes_back_whole(stores: Stores, size: int) -> None:
    body = os.urandom(size)
    stores.bodies.put("queries/qry_1/answer", body)
    assert stores.bodies.get("queries/qry_1/answer") == body


def test_a_second_body_takes_the_firsts_place(stores: Stores) -> None:
    stores.bodies.put("a", b"first")
    stores.bodies.put("a", b"second")
    assert stores.bodies.get("a") == b"second"


def test_a_deleted_body_is_gone_and_may_be_deleted_again(stores: Stores) -> None:
    stores.bodies.put("a", b"body")
    stores.bodies.delete("a")
    stores.bodies.delete("a")
    assert stores.bodies.get("a") is None
