"""Thoughts on their way through another vendor's clients, packed into a text that such a client hands back unread."""

import json
from base64 import b64decode, b64encode
from collections.abc import Sequence
from typing import Any, Final

from llm_gateway.domain.chat import REASONING_TYPES, ReasoningItem
from llm_gateway.domain.strict_json import InvalidJson, parse

_MARK: Final = "llm-gateway.1."
_MOST: Final = 256
_LAST_PLACE: Final = 129


def sealed(items: Sequence[ReasoningItem]) -> str:
    """The text that holds `items`."""
    told = [{"vendor": item.vendor, "item": dict(item.item), "after": item.after} for item in items]
    return _MARK + b64encode(json.dumps(told, separators=(",", ":")).encode()).decode()


def opened(data: str) -> tuple[ReasoningItem, ...] | None:
    """What a sealed text holds; None for one that the gateway did not seal. Raises ValueError where it was changed."""
    if not data.startswith(_MARK):
        return None
    try:
        told = parse(b64decode(data.removeprefix(_MARK), validate=True).decode())
    except (ValueError, InvalidJson):
        told = None
    if not isinstance(told, list) or len(told) > _MOST or not all(_is_a_thought(one) for one in told):
        raise ValueError("is not as the gateway gave it: send it back unchanged")
    return tuple(ReasoningItem(vendor=one["vendor"], item=one["item"], after=one["after"]) for one in told)


def _is_a_thought(value: Any) -> bool:
    if not isinstance(value, dict) or set(value) != {"vendor", "item", "after"}:
        return False
    vendor, item, after = value["vendor"], value["item"], value["after"]
    if not isinstance(vendor, str) or not isinstance(item, dict) or type(after) is not int:
        return False
    types, kind = REASONING_TYPES.get(vendor), item.get("type")
    return types is not None and isinstance(kind, str) and kind in types and 0 <= after <= _LAST_PLACE
