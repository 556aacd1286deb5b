"""Thoughts on their way through Anthropic's clients, which hand an assistant's blocks back as they came.

A thought of Anthropic's own is a block as it is. What has no block of its own (another vendor's, or one that a stream could not
tell in its place) travels sealed: as the data of a `redacted_thinking` block, which clients do not read. A sealed block holds all
thoughts of its turn.
"""

from collections.abc import Sequence
from typing import Any, Final

from llm_gateway.domain.chat import ReasoningItem
from llm_gateway.wire import sealed_thoughts

VENDOR: Final = "anthropic"


def sealed(items: Sequence[ReasoningItem]) -> dict[str, Any]:
    """The block that holds `items`."""
    return {"type": "redacted_thinking", "data": sealed_thoughts.sealed(items)}


def opened(data: str) -> tuple[ReasoningItem, ...] | None:
    """What a sealed block holds; None for data that the gateway did not seal. Raises ValueError where it was changed."""
    return sealed_thoughts.opened(data)
