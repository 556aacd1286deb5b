"""Times as people say them: `7d`, `24h`, `2026-11-01`."""

import re
from datetime import UTC, datetime, timedelta
from typing import Annotated, Final

import typer

_AGO: Final = re.compile(r"([1-9][0-9]{0,4})([mhdw])")
_UNITS: Final = {"m": "minutes", "h": "hours", "d": "days", "w": "weeks"}

Since = Annotated[str | None, typer.Option(help="From when on: 24h, 7d, 2026-11-01, 2026-11-01T08:00:00Z.")]
Until = Annotated[str | None, typer.Option(help="Until when, in the same form.")]


def moment(said: str | None, *, now: datetime | None = None) -> datetime | None:
    """A time that was said; one without a zone is in UTC. Raises ValueError for what is none."""
    if said is None:
        return None
    ago = _AGO.fullmatch(said)
    if ago is not None:
        return (now or datetime.now(UTC)) - timedelta(**{_UNITS[ago[2]]: int(ago[1])})
    try:
        told = datetime.fromisoformat(said)
    except ValueError:
        raise ValueError(f"{said!r} is no time: say 24h, 7d, 2026-11-01 or 2026-11-01T08:00:00Z.") from None
    return told if told.tzinfo else told.replace(tzinfo=UTC)
