"""What the tests put in the place of everything concrete has a part for each of its parts."""

from functools import cached_property

import pytest
from llm_gateway.outside import Outside

from tests.adapters.outside import FakeOutside


def _parts() -> list[str]:
    return [name for name, part in vars(Outside).items() if isinstance(part, cached_property)]


def test_the_fakes_are_a_twin() -> None:
    twin = FakeOutside()
    missing = [name for name in _parts() if name != "aws" and not hasattr(twin, name)]
    assert missing == []
    added = {name for name in vars(FakeOutside) | vars(twin) if not name.startswith("_")} - {*_parts()}
    assert added == set()


def test_without_aws_nothing_is_sent_there_by_mistake() -> None:
    with pytest.raises(AssertionError, match="no fake yet"):
        _ = FakeOutside().aws
