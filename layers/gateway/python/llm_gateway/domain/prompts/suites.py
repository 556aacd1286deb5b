"""Suites: the tests of a prompt, each a case with everything that its answer is held against."""

from collections.abc import Mapping, Sequence
from dataclasses import field
from decimal import Decimal
from enum import StrEnum
from typing import Any, Final, Literal

from llm_gateway.domain.chat import JsonObject, Message
from llm_gateway.domain.strict_json import digest
from llm_gateway.values import dataclass

MOST_TESTS: Final = 100
MOST_ASSERTIONS: Final = 20
MOST_MESSAGES: Final = 50
MOST_SUITE_BYTES: Final = 131_072
LONGEST_TEXT: Final = 20_000


class AssertionType(StrEnum):
    EQUALS = "equals"
    CONTAINS = "contains"
    REGEX = "regex"
    JSON_SCHEMA = "json_schema"
    JSON_PATH = "json_path"
    MAX_TOKENS = "max_tokens"
    MAX_LATENCY_MS = "max_latency_ms"
    MAX_COST_USD = "max_cost_usd"
    SIMILAR = "similar"
    JUDGE = "judge"


@dataclass(frozen=True, slots=True, kw_only=True)
class Equals:
    """A text is compared with the answer's, white space around both left out; any other value with the answer as JSON."""

    value: Any
    negated: bool = False
    type: Literal[AssertionType.EQUALS] = AssertionType.EQUALS


@dataclass(frozen=True, slots=True, kw_only=True)
class Contains:
    value: str
    negated: bool = False
    type: Literal[AssertionType.CONTAINS] = AssertionType.CONTAINS


@dataclass(frozen=True, slots=True, kw_only=True)
class MatchesRegex:
    """`value` is RE2's, and may match anywhere in the text."""

    value: str
    negated: bool = False
    type: Literal[AssertionType.REGEX] = AssertionType.REGEX


@dataclass(frozen=True, slots=True, kw_only=True)
class MatchesSchema:
    """`value` is a JSON schema."""

    value: JsonObject
    negated: bool = False
    type: Literal[AssertionType.JSON_SCHEMA] = AssertionType.JSON_SCHEMA


@dataclass(frozen=True, slots=True, kw_only=True)
class HasAtPath:
    """Something in the answer at `path` equals `value`; where that is not `compared`, it is enough that something is there."""

    path: str
    value: Any = None
    compared: bool = False
    negated: bool = False
    type: Literal[AssertionType.JSON_PATH] = AssertionType.JSON_PATH


@dataclass(frozen=True, slots=True, kw_only=True)
class MaxTokens:
    """Bounds the answer's output tokens."""

    value: int
    negated: bool = False
    type: Literal[AssertionType.MAX_TOKENS] = AssertionType.MAX_TOKENS


@dataclass(frozen=True, slots=True, kw_only=True)
class MaxLatency:
    value: int
    negated: bool = False
    type: Literal[AssertionType.MAX_LATENCY_MS] = AssertionType.MAX_LATENCY_MS


@dataclass(frozen=True, slots=True, kw_only=True)
class MaxCost:
    value: Decimal
    negated: bool = False
    type: Literal[AssertionType.MAX_COST_USD] = AssertionType.MAX_COST_USD


@dataclass(frozen=True, slots=True, kw_only=True)
class Similar:
    """`threshold` is the least similarity, from 0 to 1. `model` embeds the texts, where they are compared by embeddings."""

    value: str
    threshold: float = 0.7
    by: Literal["words", "embeddings"] = "words"
    model: str | None = None
    negated: bool = False
    type: Literal[AssertionType.SIMILAR] = AssertionType.SIMILAR


@dataclass(frozen=True, slots=True, kw_only=True)
class Judged:
    """A model gives the answer a score from 0 to 1 by `rubric`. `provider` is an id, or `provider/model`."""

    rubric: str
    provider: str
    threshold: float = 0.7
    negated: bool = False
    type: Literal[AssertionType.JUDGE] = AssertionType.JUDGE


Assertion = (
    Equals | Contains | MatchesRegex | MatchesSchema | HasAtPath | MaxTokens | MaxLatency | MaxCost | Similar | Judged
)


@dataclass(frozen=True, slots=True, kw_only=True)
class PromptTest:
    """A case: what fills the template, the messages that follow it, and what its answer has to be."""

    name: str
    assertions: tuple[Assertion, ...]
    variables: Mapping[str, Any] = field(default_factory=dict)
    messages: tuple[Message, ...] = ()

    @property
    def judges(self) -> int:
        """How many of its assertions ask a model."""
        return sum(
            isinstance(each, Judged) or (isinstance(each, Similar) and each.by == "embeddings")
            for each in self.assertions
        )


def suite_hash(suite: Sequence[JsonObject]) -> str:
    """The same for equal suites, as they were sent: a run of one says nothing of another."""
    return digest(list(suite))
