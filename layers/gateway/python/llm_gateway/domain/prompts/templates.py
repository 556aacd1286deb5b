"""Templates: a system text and messages with places to fill, and the variables that fill them."""

from collections.abc import Mapping
from dataclasses import field
from enum import StrEnum
from typing import Any

from llm_gateway.domain.chat import Message
from llm_gateway.values import dataclass


class VariableType(StrEnum):
    """`image` fills the address of one image; all others are JSON's own types."""

    STRING = "string"
    INTEGER = "integer"
    NUMBER = "number"
    BOOLEAN = "boolean"
    ARRAY = "array"
    OBJECT = "object"
    IMAGE = "image"


@dataclass(frozen=True, slots=True, kw_only=True)
class Variable:
    """What may be filled in. `required` where it has no default; None leaves a bound out. `pattern` is RE2's.

    `min_length` and `max_length` count characters of a text, or the elements of an array.
    """

    type: VariableType
    required: bool = True
    default: Any = None
    enum: tuple[Any, ...] | None = None
    minimum: float | None = None
    maximum: float | None = None
    min_length: int | None = None
    max_length: int | None = None
    pattern: str | None = None
    items: "Variable | None" = None


@dataclass(frozen=True, slots=True, kw_only=True)
class PromptTemplate:
    """The texts of `messages` and `system_text` are templates; an image's address may be one variable, and nothing else.

    `roles` are those that precede the system text: `id`, `id@version` or `id@label`. A role's template has a system text alone.
    """

    messages: tuple[Message, ...] = ()
    system_text: str | None = None
    roles: tuple[str, ...] = ()
    variables: Mapping[str, Variable] = field(default_factory=dict)
