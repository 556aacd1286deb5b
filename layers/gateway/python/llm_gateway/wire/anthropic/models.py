"""Models as Anthropic's clients list them."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from llm_gateway.domain.capabilities import capabilities_of, efforts_of
from llm_gateway.domain.providers import Capability

if TYPE_CHECKING:
    from llm_gateway.domain.model_table import ModelProfile
    from llm_gateway.services.catalog import Listed

JsonDict = dict[str, Any]

_EFFORTS: Final = ("low", "medium", "high", "xhigh", "max")


@dataclass(frozen=True, slots=True, kw_only=True)
class PageWanted:
    """So many models at most, right after or right before one of them."""

    limit: int = 20
    after_id: str | None = None
    before_id: str | None = None


def models_page(listed: Sequence["Listed"], wanted: PageWanted) -> JsonDict:
    """A page of them. Raises ValueError for a model to begin or end at that is none of them."""
    first, end = 0, len(listed)
    if wanted.before_id is not None:
        end = _place(listed, wanted.before_id)
        first = max(0, end - wanted.limit)
    elif wanted.after_id is not None:
        first = _place(listed, wanted.after_id) + 1
    shown = listed[first : min(end, first + wanted.limit)]
    more = first > 0 if wanted.before_id is not None else first + wanted.limit < len(listed)
    return {
        "data": [model_shown(one) for one in shown],
        "has_more": more,
        "first_id": shown[0].id if shown else None,
        "last_id": shown[-1].id if shown else None,
    }


def _place(listed: Sequence["Listed"], name: str) -> int:
    return [one.id for one in listed].index(name)


def model_shown(listed: "Listed") -> JsonDict:
    """One, by the name that it can be asked by. Of a prompt it is not known here which model it asks."""
    profile = _profile(listed)
    return {
        "type": "model",
        "id": listed.id,
        "display_name": listed.id,
        "created_at": listed.created_at.strftime("%Y-%m-%dT%H:%M:%SZ"),
        "lifecycle": "active",
        "line": None,
        "deprecated_at": None,
        "retires_at": None,
        "max_input_tokens": (profile.max_input_tokens or profile.context_window) if profile else None,
        "max_tokens": profile.max_output_tokens if profile else None,
        "capabilities": _capabilities(profile) if profile else None,
    }


def _profile(listed: "Listed") -> "ModelProfile | None":
    provider = listed.provider
    if provider is None or listed.model is None:
        return None
    return capabilities_of(provider.kind, provider.model(listed.model), provider.api)


def _capabilities(profile: "ModelProfile") -> JsonDict:
    """What can be asked of it through the gateway: nothing runs at the provider, and any model can be held to a schema."""
    efforts, thinks = efforts_of(profile), Capability.REASONING in profile.capabilities
    return {
        "batch": _able(False),
        "citations": _able(False),
        "code_execution": _able(False),
        "context_management": _able(False),
        "effort": {**_able(thinks), **{effort: _able(effort in efforts) for effort in _EFFORTS}},
        "image_input": _able(Capability.IMAGES in profile.capabilities),
        "pdf_input": _able(Capability.FILES in profile.capabilities),
        "server_tools": {**_able(False), "code_execution": _able(False), "web_search": _able(False)},
        "structured_outputs": _able(True),
        "thinking": {
            **_able(thinks),
            "types": {
                "adaptive": _able(thinks),
                "enabled": _able(thinks),
                "disabled": _able("none" in efforts or not thinks),
                "between_tools": _able(thinks and profile.not_thinking == "between_tools"),
            },
        },
    }


def _able(supported: bool) -> JsonDict:
    return {"supported": supported}
