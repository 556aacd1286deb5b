"""Cursors: where a list's next page starts, as a text that clients hand back unread."""

import base64
import binascii
import json
from collections.abc import Mapping

from llm_gateway.errors import FieldError, MalformedRequest


def to_cursor(place: Mapping[str, str]) -> str:
    """A cursor that starts at `place`."""
    return base64.urlsafe_b64encode(json.dumps(place).encode()).decode().rstrip("=")


def from_cursor(cursor: str, *fields: str) -> dict[str, str]:
    """The place inside. Raises `MalformedRequest` where `cursor` is not one of a list whose places have exactly `fields`."""
    try:
        place = json.loads(base64.b64decode(cursor + "=" * (-len(cursor) % 4), altchars=b"-_", validate=True))
    except (binascii.Error, ValueError, RecursionError) as fault:
        raise malformed() from fault
    if not isinstance(place, dict) or set(place) != set(fields):
        raise malformed()
    if not all(isinstance(value, str) and value.isprintable() for value in place.values()):
        raise malformed()
    return place


def malformed() -> MalformedRequest:
    message = "is not a cursor of this list: take one from `next_cursor`, or leave it out to start over"
    return MalformedRequest(f"The cursor {message}.", errors=[FieldError("cursor", message)])
