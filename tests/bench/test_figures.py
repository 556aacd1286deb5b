"""The figures that are printed are those of the distribution."""

import pytest

from bench.cold import slowest
from bench.figures import line, percentile


@pytest.mark.parametrize(("count", "expected"), [(1, 1), (2, 2), (20, 19), (100, 95), (101, 96)])
def test_percentile_is_the_nearest_rank(count: int, expected: int) -> None:
    assert percentile(range(1, count + 1), 95) == expected


def test_a_line_shows_least_middle_and_tail() -> None:
    assert line("run_query", [30.0, 10.0, 20.0, 400.0]).split() == ["run_query", "10.0", "25.0", "400.0"]
    assert line("a query", [0.1234], digits=3).split() == ["a", "query", "0.123", "0.123", "0.123"]


def test_packages_are_named_without_what_is_inside_them() -> None:
    modules = {"fastapi.routing": 90.0, "fastapi": 180.0, "mangum": 30.0, "six": 1.0}
    assert slowest(modules, count=2) == [("fastapi", 180.0), ("mangum", 30.0)]


def test_a_line_without_figures_says_so() -> None:
    assert line("refused", []).split() == ["refused", "-", "-", "-"]
