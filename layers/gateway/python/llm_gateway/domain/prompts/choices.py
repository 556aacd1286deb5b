"""What a query says of prompts: which it is made from, and what its system message is composed of."""

from collections.abc import Mapping
from dataclasses import field
from typing import Any

from llm_gateway.domain.chat import OutputFormat
from llm_gateway.values import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class PromptChoice:
    """The prompt that a query names, and what fills it. With neither `version` nor `label`: `production` if set, else `latest`.

    The same `sticky_key` leads to the same version of a weighted label; None draws anew.
    """

    id: str
    version: int | None = None
    label: str | None = None
    sticky_key: str | None = None
    variables: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class SystemChoice:
    """The system message that a query asks for. `base` None: the base role comes along wherever a role is named."""

    roles: tuple[str, ...] = ()
    variables: Mapping[str, Any] = field(default_factory=dict)
    text: str | None = None
    base: bool | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Choices:
    """What a query says beside its own words. `output` is the form that it asks for, None where it asks for none.

    `wishes_of` is one of the roles: its defaults are wished for as a prompt's are. Its own tests are asked so.
    """

    prompt: PromptChoice | None = None
    system: SystemChoice = SystemChoice()
    output: OutputFormat | None = None
    wishes_of: str | None = None
