"""Ids: slugs that clients choose, and time-sorted ones that the gateway makes."""

import re
from datetime import UTC, datetime, timedelta
from typing import Final

SLUG_PATTERN: Final = r"^[a-z0-9][a-z0-9-]{0,62}$"
QUERY_PREFIX: Final = "qry_"
KEY_PREFIX: Final = "key_"
RUN_PREFIX: Final = "run_"
ERASURE_PREFIX: Final = "ers_"

RUN_OF_A_TEST: Final = "test_run"
"""The member of a query's metadata that says which run of a prompt's tests it is of."""
ID_LAG: Final = timedelta(seconds=1)
"""An id is made a moment after the time that its query is given: within this."""

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MILLISECOND: Final = timedelta(milliseconds=1)
_LATEST_S: Final = datetime(9999, 1, 1, tzinfo=UTC).timestamp()
_SLUG: Final = re.compile(SLUG_PATTERN)
_CROCKFORD: Final = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
_ULID: Final = re.compile(f"[{_CROCKFORD}]{{26}}")


def is_slug(text: str) -> bool:
    return _SLUG.fullmatch(text) is not None


def slug_from(name: str) -> str | None:
    """The slug nearest to `name`, or None where it has no usable character: `"Support answer!"` gives `"support-answer"`."""
    return re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-")[:63].rstrip("-") or None


def made_at_s(identifier: str, *, prefix: str) -> float | None:
    """When an id of the gateway's own was made, in seconds since 1970 (its ULID says so); None for any other text."""
    ulid = identifier.removeprefix(prefix)
    if ulid == identifier or _ULID.fullmatch(ulid) is None or ulid[0] > "7":
        return None
    milliseconds = 0
    for character in ulid[:10]:
        milliseconds = milliseconds * 32 + _CROCKFORD.index(character)
    return milliseconds / 1000


def has_a_date(identifier: str, *, prefix: str) -> bool:
    """Whether a text is an id of the gateway's own whose time a datetime can name: an id can be of the year 10889."""
    made_s = made_at_s(identifier, prefix=prefix)
    return made_s is not None and made_s < _LATEST_S


def first_at(moment: datetime, *, prefix: str) -> str:
    """The lowest id that can be made from `moment` on: all that were made before it sort below."""
    milliseconds = max(0, -((_EPOCH - moment) // _MILLISECOND))
    time = "".join(_CROCKFORD[milliseconds >> (5 * place) & 31] for place in reversed(range(10)))
    return prefix + time + _CROCKFORD[0] * 16
