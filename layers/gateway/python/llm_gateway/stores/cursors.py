"""Cursors: where a list's next page starts, as a text that clients hand back unread."""

import base64
import binascii
import json

from llm_gateway.errors import FieldError, MalformedRequest
from llm_gateway.stores.tables import is_key


def to_cursor(key: dict[str, str]) -> str:
    """A cursor that starts after the item with this key."""
    return base64.urlsafe_b64encode(json.dumps(key).encode()).decode().rstrip("=")


def from_cursor(cursor: str, *fields: str) -> dict[str, str]:
    """The key inside. Raises `MalformedRequest` where `cursor` is not one of a list whose keys have exactly `fields`."""
    try:
        key = json.loads(base64.b64decode(cursor + "=" * (-len(cursor) % 4), altchars=b"-_", validate=True))
    except (binascii.Error, ValueError, RecursionError) as fault:
        raise malformed() from fault
    if not isinstance(key, dict) or set(key) != set(fields) or not all(map(is_key, key.values())):
        raise malformed()
    return key


def malformed() -> MalformedRequest:
    message = "is not a cursor of this list: take one from `next_cursor`, or leave it out to start over"
    return MalformedRequest(f"The cursor {message}.", errors=[FieldError("cursor", message)])
