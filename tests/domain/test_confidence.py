"""Bounds that are looked at after every figure: wrong no more often than asked for, and narrow enough to be of use."""

from bisect import bisect_left
from random import Random

import pytest
from llm_gateway.domain.confidence import Sample, is_above, is_share_above

ERROR = 0.05
RUNS = 200


def lower_share(hits: float, trials: float, *, error: float) -> float:
    """The greatest share that the true one is told to be above, to a ten thousandth."""
    return (
        bisect_left(
            range(10_001), True, key=lambda share: not is_share_above(hits, trials, share=share / 10_000, error=error)
        )
        / 10_000
    )


def tossed(draw: Random, share: float, count: int) -> list[bool]:
    return [draw.random() < share for _ in range(count)]


@pytest.mark.parametrize("share", [0.02, 0.3, 0.9])
def test_a_bound_that_is_looked_at_100_times_is_hardly_ever_wrong(share: float) -> None:
    draw, wrong = Random(7), 0  # noqa: S311
    for _ in range(RUNS):
        hits = 0
        for count, hit in enumerate(tossed(draw, share, 500), start=1):
            hits += hit
            if count % 5 == 0 and is_share_above(hits, count, share=share, error=ERROR):
                wrong += 1
                break
    assert wrong <= ERROR * RUNS


def test_the_bound_stands_below_the_share_and_closes_in_on_it() -> None:
    few, many = lower_share(5, 10, error=0.01), lower_share(500, 1000, error=0.01)
    assert few < many < 0.5
    assert many == pytest.approx(0.44, abs=0.02)


def test_no_figure_bounds_nothing() -> None:
    assert lower_share(0, 0, error=0.01) == 0


def test_misses_alone_have_no_lower_bound() -> None:
    assert lower_share(0, 30, error=0.01) == 0
    assert lower_share(30, 30, error=0.01) > 0.7


def test_a_bound_holds_for_means_of_figures_between_zero_and_one() -> None:
    draw, wrong = Random(8), 0  # noqa: S311
    for _ in range(RUNS):
        total = 0.0
        for count in range(1, 301):
            total += draw.betavariate(2, 6)
            if count % 10 == 0:
                wrong += is_share_above(total, count, share=0.25, error=ERROR)
    assert wrong == 0


def sample(figures: list[float]) -> Sample:
    return Sample(count=len(figures), total=sum(figures), squares=sum(figure**2 for figure in figures))


def costs(draw: Random, count: int, *, mean: float = 1) -> list[float]:
    return [mean * draw.lognormvariate(-6, 0.8) for _ in range(count)]


def test_a_mean_that_is_as_large_is_hardly_ever_above() -> None:
    draw, wrong = Random(9), 0  # noqa: S311
    for _ in range(RUNS):
        one, other = costs(draw, 1000), costs(draw, 1000)
        wrong += any(
            is_above(sample(one[:count]), sample(other[:count]), times=1, error=0.01) for count in range(50, 1000, 25)
        )
    assert wrong <= 0.01 * RUNS


def test_a_mean_that_is_twice_as_large_is_soon_above() -> None:
    draw = Random(10)  # noqa: S311
    one, other = costs(draw, 200, mean=2), costs(draw, 1000)
    assert is_above(sample(one), sample(other), times=1.2, error=0.001)
    assert not is_above(sample(one), sample(other), times=2.5, error=0.001)


def test_equal_figures_are_told_apart_at_once() -> None:
    three, one = sample([0.003] * 10), sample([0.001] * 10)
    assert is_above(three, one, times=2, error=0.001)
    assert not is_above(three, one, times=3, error=0.001)


def test_nothing_is_above_nothing() -> None:
    nothing, something = sample([]), sample([1, 2])
    assert not is_above(nothing, something, times=1, error=0.01)
    assert not is_above(something, nothing, times=1, error=0.01)
