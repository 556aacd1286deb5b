"""Labels with weights: who gets which version, and always the same one."""

from collections import Counter

import pytest
from llm_gateway.domain.prompts.labels import RoleName, pick

KEYS = [f"customer-{number}" for number in range(10_000)]
UNUSED = 0.999


def picked(weights: dict[int, int]) -> dict[str, int]:
    return {key: pick(weights, sticky_key=key, draw=UNUSED) for key in KEYS}


def test_ten_thousand_sticky_keys_fall_nine_to_one() -> None:
    times = Counter(picked({3: 90, 4: 10}).values())
    assert abs(times[3] / len(KEYS) - 0.9) <= 0.01
    assert times[3] + times[4] == len(KEYS)


def test_a_sticky_key_falls_on_the_same_version_whatever_is_drawn() -> None:
    for key in KEYS[:200]:
        assert len({pick({3: 50, 4: 50}, sticky_key=key, draw=draw) for draw in (0.0, 0.3, 0.9)}) == 1


def test_a_weight_that_grows_takes_keys_over_and_gives_none_away() -> None:
    before, after = picked({3: 90, 4: 10}), picked({3: 70, 4: 30})
    assert all(after[key] == 4 for key in KEYS if before[key] == 4)


def test_without_a_key_chance_decides() -> None:
    draws = [place / 1000 for place in range(1000)]
    assert Counter(pick({1: 1, 2: 3}, sticky_key=None, draw=draw) for draw in draws) == {1: 250, 2: 750}


@pytest.mark.parametrize("draw", [0.0, 0.5, 0.9999999999999999, 1.0])
def test_a_version_without_weight_falls_to_nobody(draw: float) -> None:
    assert pick({1: 0, 2: 7, 3: 0}, sticky_key=None, draw=draw) == 2


def test_keys_that_are_no_unicode_are_keys() -> None:
    assert pick({1: 1, 2: 1}, sticky_key="\ud800", draw=0) in (1, 2)


@pytest.mark.parametrize(
    ("name", "meant"),
    [
        ("analyst", RoleName(id="analyst")),
        ("analyst@2", RoleName(id="analyst", version=2)),
        ("analyst@production", RoleName(id="analyst", label="production")),
        ("analyst@v2", RoleName(id="analyst", label="v2")),
    ],
)
def test_a_role_is_named_with_or_without_a_version_or_a_label(name: str, meant: RoleName) -> None:
    assert RoleName.of(name) == meant
