"""What people and programs are shown: tables and lines on the one hand, JSON on the other."""

import json
import sys
import unicodedata
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, Final

from pydantic import BaseModel
from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

# Beside lines and tabs, what joins letters and signs: Persian and emoji need them.
_KEPT: Final = "\n\t\u200c\u200d"


def clean(text: str) -> str:
    """`text` without the characters by which a terminal can be steered: what a model or a provider says is not to be trusted."""
    return "".join(each for each in text if not _steers(each))


def _steers(character: str) -> bool:
    return character not in _KEPT and unicodedata.category(character) in ("Cc", "Cf", "Cs", "Co")


def _escaped(text: str) -> str:
    """JSON with escapes in the place of the characters that `clean` takes out: the same value, and nothing that steers."""
    return "".join(json.dumps(each)[1:-1] if _steers(each) else each for each in text)


class Terminal:
    """Answers go to standard output, all else to standard error. Colours are where a terminal is, and not with NO_COLOR."""

    def __init__(self, *, as_json: bool = False) -> None:
        self.as_json = as_json
        self.is_watched = sys.stdout.isatty()
        self._out = Console(highlight=False, markup=False, emoji=False, soft_wrap=True)
        self._err = Console(stderr=True, highlight=False, markup=False, emoji=False, soft_wrap=True)

    def say(self, text: str = "", *, style: str | None = None, end: str = "\n") -> None:
        """A line that is asked for."""
        self._out.print(Text(clean(text), style=style or ""), end=end)

    def write(self, text: str) -> None:
        """A piece of an answer, at once."""
        sys.stdout.write(clean(text) if self.is_watched else text)
        sys.stdout.flush()

    def note(self, text: str, *, style: str | None = "dim") -> None:
        """A line beside what is asked for."""
        self._err.print(Text(clean(text), style=style or ""))

    def json(self, value: Any) -> None:
        """ASCII for programs; for a person letters as they are."""
        told = json.dumps(_plain(value), ensure_ascii=not self.is_watched, indent=2)
        sys.stdout.write((_escaped(told) if self.is_watched else told) + "\n")

    def table(self, columns: Sequence[str], rows: Iterable[Sequence[object]], *, right: Sequence[str] = ()) -> None:
        """Rows for people; plain lines, not cut, where they go to a file or a pipe."""
        cells = [[cell if isinstance(cell, Text) else Text(clean(shown(cell))) for cell in row] for row in rows]
        if not self.is_watched:
            self._lines(
                [list(columns), *([cell.plain for cell in row] for row in cells)], right=set(right) & set(columns)
            )
            return
        table = Table(box=box.SIMPLE_HEAD, pad_edge=False, header_style="bold")
        for column in columns:
            table.add_column(column, justify="right" if column in right else "left", overflow="fold")
        for row in cells:
            table.add_row(*row)
        self._out.print(table)

    def _lines(self, rows: list[list[str]], *, right: set[str]) -> None:
        flat = [[" ".join(cell.split()) for cell in row] for row in rows]
        widths = [max(map(len, column)) for column in zip(*flat, strict=True)]
        for row in flat:
            cells = zip(row, widths, rows[0], strict=True)
            line = "  ".join(text.rjust(width) if name in right else text.ljust(width) for text, width, name in cells)
            sys.stdout.write(line.rstrip() + "\n")

    @contextmanager
    def working(self, what: str) -> Iterator[Callable[[str], None]]:
        """Says that something takes its time, where a person waits for it; what is yielded takes how far it is."""
        if not self._err.is_terminal or self.as_json:
            yield lambda _: None
            return
        with self._err.status(Text(what, style="dim")) as status:
            yield lambda told: status.update(Text(f"{what} {told}", style="dim"))


def shown(value: object) -> str:
    """A value in a cell."""
    match value:
        case None | "" | [] | {}:
            return "-"
        case bool():
            return "yes" if value else "no"
        case list() | tuple() | set():
            return ", ".join(map(shown, value))
        case float():
            return f"{value:g}"
        case _:
            return str(value)


def _plain(value: Any) -> Any:
    if isinstance(value, BaseModel):
        return value.model_dump(mode="json")
    return [_plain(each) for each in value] if isinstance(value, list | tuple) else value
