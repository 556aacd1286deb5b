"""Models as OpenAI's clients list them."""

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from llm_gateway.services.catalog import Listed


def model_shown(listed: "Listed") -> dict[str, Any]:
    """One, by the name that it can be asked by."""
    created = int(listed.created_at.timestamp())
    return {"id": listed.id, "object": "model", "created": created, "owned_by": listed.owner}


def models_shown(listed: Iterable["Listed"]) -> dict[str, Any]:
    """All of them at once: OpenAI's list has no pages."""
    return {"object": "list", "data": [model_shown(one) for one in listed]}
