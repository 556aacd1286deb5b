"""A row says what was measured, and whether it is as is wanted."""

import datetime as dt
from pathlib import Path

import pytest

from bench import published
from bench.published import ADDED, COST, PACED
from bench.table import Row, Wanted, lines, markdown
from workshop.places import ROOT

COSTS = Row(name=COST, floor=1.6, gateway=4.0, wanted=Wanted(sign="≤", bound=2.6), litellm=4.19, digits=2)
ROWS = (
    COSTS,
    Row(name=ADDED, floor=2.5, gateway=5.0, wanted=Wanted(sign="≤", bound=2.5)),
    Row(name=PACED, gateway=120.4, wanted=Wanted(sign="≤", bound=100, of_floor=False)),
)


@pytest.mark.parametrize(
    ("row", "is_met"),
    [
        (COSTS, True),
        (Row(name="streams", floor=100, gateway=99, wanted=Wanted(sign="≥", bound=1.0)), False),
        (Row(name="memory", gateway=180, wanted=Wanted(sign="≤", bound=180, of_floor=False)), True),
        (Row(name="growth", gateway=3), None),
        (Row(name="nothing to compare with", gateway=3, wanted=Wanted(sign="≤", bound=2.6)), None),
    ],
)
def test_a_bound_holds_for_the_ratio_or_for_the_figure_itself(row: Row, is_met: bool | None) -> None:
    assert row.is_met is is_met


def test_a_terminal_is_told_what_is_not_met_and_shows_no_empty_column() -> None:
    head, cost, _, paced = lines(ROWS)
    assert "direct" not in head
    assert cost.split()[-2:] == ["x", "met"]
    assert paced.endswith("not met")


def test_a_page_has_a_line_for_each_row() -> None:
    assert list(markdown((COSTS,))) == [
        "| | floor | gateway | of the floor | wanted | LiteLLM, of its floor |",
        "|---|---|---|---|---|---|",
        f"| {COST} | 1.60 | 4.00 | 2.50 x | ≤ 2.6 x | 4.19 x |",
    ]


def test_what_is_marked_is_written_and_the_rest_of_the_page_stays(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text(
        "Before\n<!-- Written by `make bench`: cold -->\nearlier\n<!-- The end of what `make bench` writes: cold -->\nAfter\n"
    )
    for text in ("first", "second"):
        published.write(page, "cold", text)
    assert "earlier" not in page.read_text()
    assert "first" not in page.read_text()
    assert page.read_text().startswith("Before\n<!--")
    assert page.read_text().endswith("\nAfter\n")
    with pytest.raises(ValueError, match="no place for floor"):
        published.write(page, "floor", "text")


def test_the_readmes_line_tells_figures_date_and_machine() -> None:
    sentence = published.sentence(ROWS, dt.date(2026, 11, 30))
    assert "4.0 ms of a processor a query" in sentence
    assert "2.5 times" in sentence
    assert "120.4 ms longer" in sentence
    assert "30 November 2026" in sentence
    assert published.machine() in sentence


@pytest.mark.parametrize(
    ("page", "name"), [("docs/deployment.md", "floor"), ("docs/deployment.md", "cold"), ("README.md", "line")]
)
def test_the_pages_have_the_places(page: str, name: str) -> None:
    assert "\nwords\n" in published.between_marks((ROOT / page).read_text(), name, "words")
