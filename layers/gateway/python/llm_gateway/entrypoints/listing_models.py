"""Models on their way out: both vendors' clients read them at the same paths, each in its own shape."""

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Annotated, Any, Final

from starlette.requests import Request

from llm_gateway.access import Dialect
from llm_gateway.entrypoints.declared import Depends, FromQuery
from llm_gateway.entrypoints.http import Caller, Gateway
from llm_gateway.entrypoints.messages import Version
from llm_gateway.entrypoints.request_state import state_of
from llm_gateway.errors import ValidationFailed

if TYPE_CHECKING:
    from llm_gateway.wire.anthropic.parameters import Fate

_MOST: Final = 1000
_USUAL: Final = 20
_STAGES: Final = ("active", "deprecated", "retired")

LIST: Final[Mapping[str, tuple["Fate", str]]] = {
    "after_id": ("honoured", "the page right after that model; goes without `before_id`"),
    "before_id": ("honoured", "the page right before that model; goes without `after_id`"),
    "lifecycle": ("honoured", "every model here is `active`: a list of other stages alone is empty"),
    "limit": ("honoured", f"1 to {_MOST:,}; {_USUAL} without it"),
    "workspace_id": ("refused", "a key of the gateway belongs to no workspace"),
}
"""What becomes of each parameter of a list. docs/drop-in.md shows it, and the tests hold it to the type of the official SDK."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Wanted:
    """What Anthropic's clients ask of a list; OpenAI's know no pages."""

    limit: int | None = None
    after_id: str | None = None
    before_id: str | None = None
    lifecycle: tuple[str, ...] = ()


def _wanted(
    limit: Annotated[int | None, FromQuery(ge=1, le=_MOST)] = None,
    after_id: str | None = None,
    before_id: str | None = None,
    lifecycle: Annotated[list[str] | None, FromQuery(max_length=3)] = None,
    lifecycles: Annotated[list[str] | None, FromQuery(alias="lifecycle[]", max_length=3)] = None,
    beta: Annotated[bool | None, FromQuery()] = None,  # noqa: ARG001 - clients add it to the address, and it asks for nothing here
) -> _Wanted:
    stages = tuple(stage for given in (*(lifecycle or ()), *(lifecycles or ())) for stage in given.split(","))
    if unknown := [stage for stage in stages if stage not in _STAGES]:
        raise ValidationFailed.of("lifecycle", f"{unknown[0][:40]!r} is no stage: there are {', '.join(_STAGES)}")
    return _Wanted(limit=limit, after_id=after_id, before_id=before_id, lifecycle=stages)


@dataclass(frozen=True, slots=True)
class _Models:
    caller: Caller
    gateway: Gateway
    is_anthropics: bool
    wanted: _Wanted | None = None

    def all(self) -> dict[str, Any]:
        """The models that the key may ask, in the shape of the client's vendor."""
        wanted = self.wanted or _Wanted()
        if not self.is_anthropics:
            return self._as_openais(wanted)
        from llm_gateway.wire.anthropic.models import PageWanted, models_page

        if wanted.after_id is not None and wanted.before_id is not None:
            raise ValidationFailed.of("before_id", "goes without after_id: send one of them")
        every = () if wanted.lifecycle and "active" not in wanted.lifecycle else self.gateway.catalog.all(self.caller)
        page = PageWanted(limit=wanted.limit or _USUAL, after_id=wanted.after_id, before_id=wanted.before_id)
        try:
            return models_page(every, page)
        except ValueError:
            field = "after_id" if wanted.before_id is None else "before_id"
            raise ValidationFailed.of(field, "is no model that is listed") from None

    def _as_openais(self, wanted: _Wanted) -> dict[str, Any]:
        from llm_gateway.wire.openai.models import models_shown

        given = next((each.name for each in fields(wanted) if getattr(wanted, each.name) != each.default), None)
        if given is not None:
            raise ValidationFailed.of(given, "is a parameter of Anthropic's API: this list has no pages")
        return models_shown(self.gateway.catalog.all(self.caller))

    def one(self, name: str) -> dict[str, Any]:
        """The model of that name, in the shape of the client's vendor."""
        found = self.gateway.catalog.find(name, self.caller)
        if self.is_anthropics:
            from llm_gateway.wire.anthropic.models import model_shown as as_anthropics

            return as_anthropics(found)
        from llm_gateway.wire.openai.models import model_shown

        return model_shown(found)


def _models(request: Request, caller: Caller, gateway: Gateway, _version: Version) -> _Models:
    return _Models(caller, gateway, state_of(request).dialect is Dialect.ANTHROPIC)


def _listed(
    request: Request, caller: Caller, gateway: Gateway, wanted: Annotated[_Wanted, Depends(_wanted)], _version: Version
) -> _Models:
    return _Models(caller, gateway, state_of(request).dialect is Dialect.ANTHROPIC, wanted)


Models = Annotated[_Models, Depends(_models)]
ListedModels = Annotated[_Models, Depends(_listed)]
