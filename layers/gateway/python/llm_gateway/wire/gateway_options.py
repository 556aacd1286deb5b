"""What a request of another vendor's API may say to the gateway itself: its member `gateway`."""

import re
from functools import cache
from typing import TYPE_CHECKING, Annotated, Any, Final, Literal

from pydantic import AfterValidator, Field

from llm_gateway.wire.context import ContextBody
from llm_gateway.wire.queries import Fallback, Metadata, Prompt, System, Timeout, Variables
from llm_gateway.wire.schema import Incoming, PositiveInt, Slug, wrong

if TYPE_CHECKING:
    from pydantic_core import PydanticCustomError

    from llm_gateway.domain.chat import OutputFormat
    from llm_gateway.domain.prompts.choices import Choices

PROMPT_PREFIX: Final = "prompt:"
DEFAULT_TIMEOUT_S: Final = 240
_PROMPT: Final = re.compile(r"prompt:(?P<id>[a-z0-9][a-z0-9-]{0,62})(?:@(?P<which>[a-z0-9][a-z0-9-]{0,62}))?")
_LONGEST_VERSION: Final = 9


def _askable(model: str) -> str:
    if model.startswith(PROMPT_PREFIX) and _PROMPT.fullmatch(model) is None:
        raise ValueError("must be prompt:<id>, or prompt:<id>@<label or version>")
    if model.endswith("/"):
        raise ValueError("has nothing after the slash: name a model there, or leave the slash out")
    return model


Model = Annotated[str, Field(min_length=1, max_length=300), AfterValidator(_askable)]


class PromptOptions(Incoming):
    """The prompt to ask by, and what fills it. `id` is left out where `model` names the prompt."""

    id: Slug | None = None
    version: PositiveInt | None = None
    label: Slug | None = None
    sticky_key: Annotated[str, Field(min_length=1, max_length=1000)] | None = None
    variables: Variables = Field(default_factory=dict)


class GatewayOptions(Incoming):
    """Where to ask, what to ask with besides, and how long to wait."""

    provider: Annotated[str, Field(min_length=1, max_length=63)] | None = None
    fallback: Annotated[list[Fallback], Field(max_length=20)] | None = None
    cache: Literal["auto", "force", "bypass", "refresh"] = "auto"
    prompt: PromptOptions | None = None
    system: System | None = None
    context: ContextBody | None = None
    timeout_s: Timeout | None = None
    metadata: Metadata = Field(default_factory=dict)


@cache
def no_options() -> GatewayOptions:
    """Where a request says nothing to the gateway."""
    return GatewayOptions()


def fault_in_prompt(model: str, options: GatewayOptions | None) -> "PydanticCustomError | None":
    """What is wrong where a request names a prompt, or should."""
    prompt = options.prompt if options else None
    if prompt is None:
        return None
    if prompt.version is not None and prompt.label is not None:
        return wrong("gateway.prompt.label", "goes without version: name one of the two")
    if not model.startswith(PROMPT_PREFIX):
        return (
            None if prompt.id is not None else wrong("gateway.prompt.id", "is required, unless model names the prompt")
        )
    if prompt.id is not None or prompt.version is not None or prompt.label is not None:
        return wrong("gateway.prompt", "has variables and sticky_key alone where model names the prompt")
    return None


def prompt_of(model: str, options: GatewayOptions | None) -> Prompt | None:
    """The prompt that a request is made from, and what fills it."""
    said = options.prompt if options else None
    filled: dict[str, Any] = {"sticky_key": said.sticky_key, "variables": said.variables} if said else {}
    named = _PROMPT.fullmatch(model)
    if named is None:
        return Prompt(id=said.id, version=said.version, label=said.label, **filled) if said and said.id else None
    which = named["which"]
    if which is not None and which.isdecimal() and len(which) <= _LONGEST_VERSION and int(which) > 0:
        return Prompt(id=named["id"], version=int(which), **filled)
    return Prompt(id=named["id"], label=which, **filled)


def choices_of(prompt: Prompt | None, system: System | None, output: "OutputFormat | None") -> "Choices | None":
    """The prompt and the roles that a query is made from, `output` where it wishes for a form of its own; None without either."""
    if prompt is None and not (system and (system.roles or system.variables or system.base)):
        return None
    from llm_gateway.domain.prompts.choices import Choices, SystemChoice

    asked = SystemChoice()
    if system is not None:
        asked = SystemChoice(roles=tuple(system.roles), variables=system.variables, text=system.text, base=system.base)
    return Choices(prompt=prompt.to_domain() if prompt else None, system=asked, output=output)
