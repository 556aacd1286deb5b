"""Which prompts are looked for, and which version of one."""

from typing import Annotated

from llm_gateway.domain.prompts.prompts import PromptKind
from llm_gateway.entrypoints.declared import Depends, FromPath, FromQuery
from llm_gateway.ports.prompts import PromptSearch

_Text = Annotated[str | None, FromQuery(min_length=1, max_length=200)]


def _wanted(
    kind: PromptKind | None = None, category: _Text = None, tag: _Text = None, name: _Text = None
) -> PromptSearch:
    return PromptSearch(kind=kind, category=category, tag=tag, name=name)


Wanted = Annotated[PromptSearch, Depends(_wanted)]
VersionNumber = Annotated[int, FromPath(ge=0, lt=10**12)]
