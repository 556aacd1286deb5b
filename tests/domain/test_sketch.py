"""Sketches: quantiles within the promised error, however the figures came together."""

import random
from concurrent.futures import ProcessPoolExecutor

import pytest
from llm_gateway.domain.sketch import ACCURACY, Sketch

SHARES = (0, 0.01, 0.25, 0.5, 0.9, 0.95, 0.99, 1)


def figures(seed: int, count: int) -> list[float]:
    """Latencies as they are: most of them near each other, some far off, a few below a millisecond."""
    draw = random.Random(seed)  # noqa: S311
    return [
        draw.lognormvariate(6, 1.5) if draw.random() > 0.05 else draw.uniform(20_000, 840_000) for _ in range(count)
    ]


def sketched(seed: int, count: int) -> Sketch:
    sketch = Sketch()
    for figure in figures(seed, count):
        sketch.add(figure)
    return sketch


def exact(values: list[float], share: float) -> float:
    return sorted(values)[int(share * (len(values) - 1))]


@pytest.mark.parametrize("share", SHARES)
def test_a_quantile_is_within_the_accuracy(share: float) -> None:
    found = sketched(1, 5000).quantile(share)
    assert found == pytest.approx(exact(figures(1, 5000), share), rel=ACCURACY)


def test_the_sketches_of_eight_processes_are_the_sketch_of_them_all() -> None:
    each = 1250
    with ProcessPoolExecutor(max_workers=8) as pool:
        sketches = list(pool.map(sketched, range(8), [each] * 8))
    merged = Sketch()
    for sketch in sketches:
        merged.merge(sketch)
    everything = [figure for seed in range(8) for figure in figures(seed, each)]
    assert merged.total == len(everything) == 10_000
    for share in SHARES:
        assert merged.quantile(share) == pytest.approx(exact(everything, share), rel=0.02)


def test_the_order_of_merging_does_not_matter() -> None:
    one, other = sketched(1, 100), sketched(2, 100)
    one.merge(sketched(2, 100))
    other.merge(sketched(1, 100))
    assert one == other


def test_nothing_has_no_quantile() -> None:
    assert Sketch().quantile(0.5) is None


def test_what_is_not_above_zero_counts_as_zero() -> None:
    sketch = Sketch()
    for figure in (0, -1, 0, 100):
        sketch.add(figure)
    assert sketch.total == 4
    assert [sketch.quantile(share) for share in (0, 0.5)] == [0, 0]
    assert sketch.quantile(1) == pytest.approx(100, rel=ACCURACY)


def test_a_sketch_stays_small() -> None:
    assert len(sketched(3, 100_000).counts) < 1000


def test_what_is_above_a_figure_is_counted_within_the_accuracy() -> None:
    sketch, values = sketched(4, 5000), figures(4, 5000)
    for figure in (50, 400, 2000, 30_000):
        certain = sum(value > figure * (1 + 2 * ACCURACY) for value in values)
        possible = sum(value > figure for value in values)
        assert certain <= sketch.above(figure) <= possible
    assert Sketch().above(1) == 0
