"""When a provider asks to be called again: `Retry-After` in the forms that servers give it, as seconds from now."""

import math
from collections.abc import Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Final

LONGEST_S: Final = 3600
# Nobody asks for a wait of thirty years: a number as large as this is a moment, in seconds or milliseconds since 1970.
_MOMENT_S: Final = 1e9
_MOMENT_MS: Final = 1e12


def retry_after_s(headers: Mapping[str, str], *, now: datetime) -> float | None:
    """Seconds to wait, from 0 to `LONGEST_S`; None where the headers say nothing that can be read.

    `retry-after-ms` (both vendors' own, the most exact) comes before `Retry-After` in seconds, as a Unix time, or as an HTTP
    date (RFC 9110).
    """
    milliseconds = _number(headers.get("retry-after-ms"))
    if milliseconds is not None:
        return _bounded(milliseconds / 1000)
    value = headers.get("retry-after")
    number = _number(value)
    seconds = _seconds_until(value, now=now) if number is None else _seconds(number, now=now)
    return None if seconds is None else _bounded(seconds)


def _bounded(seconds: float) -> float:
    return min(max(seconds, 0.0), LONGEST_S)


def _seconds(number: float, *, now: datetime) -> float:
    if number < _MOMENT_S:
        return number
    return (number / 1000 if number >= _MOMENT_MS else number) - now.timestamp()


def _number(text: str | None) -> float | None:
    try:
        number = float(text or "")
    except ValueError:
        return None
    return number if math.isfinite(number) else None


def _seconds_until(text: str | None, *, now: datetime) -> float | None:
    try:
        date = parsedate_to_datetime(text or "")
    except (ValueError, OverflowError):
        return None
    # A date whose zone is "-0000" comes back without one; HTTP dates are in UTC.
    date = date if date.tzinfo else date.replace(tzinfo=UTC)
    return (date - now).total_seconds()
