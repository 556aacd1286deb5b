"""Thoughts on their way through Anthropic's clients, which hand an assistant's blocks back as they came.

A thought of Anthropic's own is a block as it is. What has no block of its own (another vendor's, or one that a stream could not
tell in its place) travels sealed: as the data of a `redacted_thinking` block, which clients do not read. A sealed block holds all
thoughts of its turn.
"""

import json
from base64 import b64decode, b64encode
from collections.abc import Sequence
from typing import Any, Final

from llm_gateway.domain.chat import REASONING_TYPES, ReasoningItem
from llm_gateway.domain.strict_json import InvalidJson, parse

VENDOR: Final = "anthropic"
_MARK: Final = "llm-gateway.1."
_MOST: Final = 256
_LAST_PLACE: Final = 129


def sealed(items: Sequence[ReasoningItem]) -> dict[str, Any]:
    """The block that holds `items`."""
    told = [{"vendor": item.vendor, "item": dict(item.item), "after": item.after} for item in items]
    data = b64encode(json.dumps(told, separators=(",", ":")).encode()).decode()
    return {"type": "redacted_thinking", "data": _MARK + data}


def opened(data: str) -> tuple[ReasoningItem, ...] | None:
    """What a sealed block holds; None for data that the gateway did not seal. Raises ValueError where it was changed."""
    if not data.startswith(_MARK):
        return None
    try:
        told = parse(b64decode(data.removeprefix(_MARK), validate=True).decode())
    except (ValueError, InvalidJson):
        told = None
    if not isinstance(told, list) or len(told) > _MOST or not all(_is_a_thought(one) for one in told):
        raise ValueError("is not as the gateway gave it: send the block back unchanged")
    return tuple(ReasoningItem(vendor=one["vendor"], item=one["item"], after=one["after"]) for one in told)


def _is_a_thought(value: Any) -> bool:
    if not isinstance(value, dict) or set(value) != {"vendor", "item", "after"}:
        return False
    vendor, item, after = value["vendor"], value["item"], value["after"]
    if not isinstance(vendor, str) or not isinstance(item, dict) or type(after) is not int:
        return False
    types, kind = REASONING_TYPES.get(vendor), item.get("type")
    return types is not None and isinstance(kind, str) and kind in types and 0 <= after <= _LAST_PLACE
