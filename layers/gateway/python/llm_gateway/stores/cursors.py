"""Cursors of lists whose pages start after an item."""

from llm_gateway.domain import cursors
from llm_gateway.domain.cursors import malformed as malformed
from llm_gateway.domain.cursors import to_cursor as to_cursor
from llm_gateway.stores.raw_items import is_key


def from_cursor(cursor: str, *fields: str) -> dict[str, str]:
    """The item's key. Raises `MalformedRequest` where `cursor` is not one of a list whose keys have exactly `fields`."""
    key = cursors.from_cursor(cursor, *fields)
    if not all(map(is_key, key.values())):
        raise malformed()
    return key
