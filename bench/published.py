"""What a whole run writes into the pages: the table in docs/deployment.md and the README's line, with machine and date."""

import datetime as dt
import os
import platform
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from bench.table import Row, markdown
from workshop.places import ROOT

COST: Final = "processor's time of a query, ms"
ADDED: Final = "added for one caller, ms"
PACED: Final = "100 callers, provider after 1,000 ms, 4 processes: added, p95, ms"
"""The names of the rows that the README's line is made of."""

_BEGIN: Final = "<!-- Written by `make bench`: {name} -->"
_END: Final = "<!-- The end of what `make bench` writes: {name} -->"


_PAGE: Final = ROOT / "docs" / "deployment.md"
_README: Final = ROOT / "README.md"


def write_beside(rows: Sequence[Row], today: dt.date) -> None:
    """The table of the gateway beside the floor, and the README's line of it."""
    write(_PAGE, "floor", table(rows, today))
    write(_README, "line", sentence(rows, today))


def write_cold(rows: Sequence[Row], today: dt.date) -> None:
    """The table of cold starts."""
    write(_PAGE, "cold", table(rows, today))


def sentence(rows: Sequence[Row], today: dt.date) -> str:
    """The README's line. Raises StopIteration where a row of it was not measured."""
    costs, adds, p95 = (_of(rows, name) for name in (COST, ADDED, PACED))
    cost, ratio, added, waited = (f"{figure:.1f}" for figure in (costs.gateway, costs.ratio, adds.gateway, p95.gateway))
    return (
        f"- **Costs {cost} ms of a processor a query**, {ratio} times what FastAPI with OpenAI's SDK and nothing else takes,"
        f" and adds {added} ms for one caller.\n  A hundred callers of a model that takes a second wait {waited} ms longer at the"
        f" 95th percentile:\n  [beside the floor](docs/deployment.md#how-fast-it-is), `make bench` on {day(today)} ({machine()})."
    )


def _of(rows: Sequence[Row], name: str) -> Row:
    return next(row for row in rows if row.name == name)


def machine() -> str:
    """This machine in a few words: its processors, and Python's version."""
    return f"{os.cpu_count()} x {_processor()}, Python {platform.python_version()}"


def between_marks(page: str, name: str, text: str) -> str:
    """`page` with `text` where `name` is marked. Raises ValueError where it is not."""
    begin, end = _BEGIN.format(name=name), _END.format(name=name)
    before, found, rest = page.partition(begin)
    _, ended, after = rest.partition(end)
    if not found or not ended:
        raise ValueError(f"the page has no place for {name}: it is marked with {begin} and {end}")
    return f"{before}{begin}\n{text}\n{end}{after}"


def write(page: Path, name: str, text: str) -> None:
    """Put `text` into a page, where `name` is marked."""
    page.write_text(between_marks(page.read_text(encoding="utf-8"), name, text), encoding="utf-8")


def table(rows: Sequence[Row], today: dt.date) -> str:
    """The rows, under the machine and the date."""
    return f"On {day(today)}, {machine()}:\n\n" + "\n".join(markdown(rows)) + "\n"


def day(today: dt.date) -> str:
    """A date in words."""
    return f"{today.day} {today:%B %Y}"


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.machine()
    names = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    return next(names, platform.machine())
