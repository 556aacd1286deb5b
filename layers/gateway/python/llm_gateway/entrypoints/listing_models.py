"""Models on their way out: both vendors' clients read them at the same paths, each in its own shape."""

from dataclasses import dataclass
from typing import Annotated, Any, Final

from fastapi import Depends
from fastapi import Query as FromQuery
from starlette.requests import Request

from llm_gateway.access import Dialect
from llm_gateway.entrypoints.http import Caller, Gateway
from llm_gateway.entrypoints.messages import Version
from llm_gateway.entrypoints.request_state import state_of
from llm_gateway.errors import ValidationFailed

_MOST: Final = 1000


@dataclass(frozen=True, slots=True, kw_only=True)
class _Wanted:
    """What Anthropic's clients ask of a list; OpenAI's know no pages."""

    limit: int | None = None
    after_id: str | None = None
    before_id: str | None = None
    lifecycle: tuple[str, ...] = ()


async def _wanted(
    limit: Annotated[int | None, FromQuery(ge=1, le=_MOST)] = None,
    after_id: str | None = None,
    before_id: str | None = None,
    lifecycle: Annotated[list[str] | None, FromQuery(max_length=3)] = None,
    lifecycles: Annotated[list[str] | None, FromQuery(alias="lifecycle[]", max_length=3)] = None,
) -> _Wanted:
    stages = tuple(stage for given in (*(lifecycle or ()), *(lifecycles or ())) for stage in given.split(","))
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
        page = PageWanted(limit=wanted.limit or 20, after_id=wanted.after_id, before_id=wanted.before_id)
        try:
            return models_page(every, page)
        except ValueError:
            field = "after_id" if wanted.before_id is None else "before_id"
            raise ValidationFailed.of(field, "is no model that is listed") from None

    def _as_openais(self, wanted: _Wanted) -> dict[str, Any]:
        from llm_gateway.wire.openai.models import models_shown

        if wanted != _Wanted():
            given = next(name for name in ("limit", "after_id", "before_id", "lifecycle") if getattr(wanted, name))
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


async def _models(request: Request, caller: Caller, gateway: Gateway, _version: Version) -> _Models:
    return _Models(caller, gateway, state_of(request).dialect is Dialect.ANTHROPIC)


async def _listed(
    request: Request, caller: Caller, gateway: Gateway, wanted: Annotated[_Wanted, Depends(_wanted)], _version: Version
) -> _Models:
    return _Models(caller, gateway, state_of(request).dialect is Dialect.ANTHROPIC, wanted)


Models = Annotated[_Models, Depends(_models)]
ListedModels = Annotated[_Models, Depends(_listed)]
