"""A run goes on where a part of it fails, and says so."""

from pathlib import Path

import pytest

from bench.floor import Times
from bench.report import Run, measured
from bench.table import Row
from workshop.steps import Failure

RUN = Run(scratch=Path("nowhere"), functions=(), starts=1, calls=1, times=Times())
ROWS = (Row(name="figure", gateway=1.0),)


def refuse(_: Run) -> tuple[Row, ...]:
    raise Failure("This system does not tell.")


def break_down(_: Run) -> tuple[Row, ...]:
    raise ZeroDivisionError


def test_what_fails_is_shown_and_the_rest_is_measured(capsys: pytest.CaptureFixture[str]) -> None:
    parts = {"refused": refuse, "broken": break_down, "whole": lambda _: ROWS}
    assert dict(measured(RUN, tuple(parts), parts)) == {"whole": ROWS}
    said = capsys.readouterr().err
    assert "This system does not tell." in said
    assert "ZeroDivisionError" in said


def test_only_what_is_named_is_measured() -> None:
    parts = {"refused": refuse, "whole": lambda _: ROWS}
    assert dict(measured(RUN, ("whole",), parts)) == {"whole": ROWS}
