"""Suites of tests, as a prompt carries them. Whatever a test holds is checked where it is saved, not when it is run."""

import json
from collections.abc import Sequence
from decimal import Decimal
from typing import Annotated, Any, Final, Literal

from pydantic import AfterValidator, BeforeValidator, Field, TypeAdapter, model_validator

from llm_gateway.domain.chat import JsonObject
from llm_gateway.domain.prompts import suites
from llm_gateway.domain.prompts.json_paths import InvalidPath, parsed_path
from llm_gateway.domain.strict_json import DEEPEST, is_deeper
from llm_gateway.wire.messages import JsonSchema, Message
from llm_gateway.wire.schema import Flag, Incoming, Name, PositiveInt, wrong

_MOST_VARIABLES: Final = 200
_LONGEST_PATTERN: Final = 2_000
_LONGEST_PROVIDER: Final = 300


def _pattern(value: str) -> str:
    from llm_gateway.services.output.patterns import InvalidPattern, check_pattern

    try:
        check_pattern(value)
    except InvalidPattern as fault:
        raise ValueError(f"is not a regular expression that RE2 has ({str(fault)[:200]})") from None
    return value


def _schema(value: dict[str, Any]) -> dict[str, Any]:
    from llm_gateway.errors import ValidationFailed
    from llm_gateway.services.output.schemas import check_schema

    try:
        check_schema(value)
    except ValidationFailed as fault:
        raise ValueError(fault.errors[0].message) from None
    return value


def _path(value: str) -> str:
    try:
        parsed_path(value)
    except InvalidPath as fault:
        raise ValueError(str(fault)) from None
    return value


def _money(value: Any) -> Any:
    if not isinstance(value, str):
        raise ValueError('must be a string, such as "0.01"')
    return value


Text = Annotated[str, Field(min_length=1, max_length=suites.LONGEST_TEXT)]
Pattern = Annotated[str, Field(min_length=1, max_length=_LONGEST_PATTERN), AfterValidator(_pattern)]
Usd = Annotated[Decimal, Field(ge=0, lt=10**9, max_digits=21, decimal_places=12), BeforeValidator(_money)]
Share = Annotated[float, Field(strict=True, ge=0, le=1)]


class Equals(Incoming):
    """The answer is this text, white space around it left out, or this JSON value."""

    type: Literal["equals"]
    value: Any
    negated: Annotated[Flag, Field(alias="not")] = False

    def to_domain(self) -> suites.Assertion:
        return suites.Equals(value=self.value, negated=self.negated)


class Contains(Incoming):
    """The answer contains this text."""

    type: Literal["contains"]
    value: Text
    negated: Annotated[Flag, Field(alias="not")] = False

    def to_domain(self) -> suites.Assertion:
        return suites.Contains(value=self.value, negated=self.negated)


class MatchesRegex(Incoming):
    """A regular expression, RE2's, matches somewhere in the answer."""

    type: Literal["regex"]
    value: Pattern
    negated: Annotated[Flag, Field(alias="not")] = False

    def to_domain(self) -> suites.Assertion:
        return suites.MatchesRegex(value=self.value, negated=self.negated)


class MatchesSchema(Incoming):
    """The answer is JSON that this schema validates."""

    type: Literal["json_schema"]
    value: Annotated[JsonSchema, AfterValidator(_schema)]
    negated: Annotated[Flag, Field(alias="not")] = False

    def to_domain(self) -> suites.Assertion:
        return suites.MatchesSchema(value=self.value, negated=self.negated)


class HasAtPath(Incoming):
    """The answer is JSON that has something at this path: this value, where one is given."""

    type: Literal["json_path"]
    path: Annotated[str, AfterValidator(_path)]
    value: Any = None
    negated: Annotated[Flag, Field(alias="not")] = False

    def to_domain(self) -> suites.Assertion:
        is_compared = "value" in self.model_fields_set
        return suites.HasAtPath(path=self.path, value=self.value, compared=is_compared, negated=self.negated)


class MaxTokens(Incoming):
    """The answer has so many output tokens at most."""

    type: Literal["max_tokens"]
    value: PositiveInt
    negated: Annotated[Flag, Field(alias="not")] = False

    def to_domain(self) -> suites.Assertion:
        return suites.MaxTokens(value=self.value, negated=self.negated)


class MaxLatency(Incoming):
    """The answer takes so many milliseconds at most."""

    type: Literal["max_latency_ms"]
    value: PositiveInt
    negated: Annotated[Flag, Field(alias="not")] = False

    def to_domain(self) -> suites.Assertion:
        return suites.MaxLatency(value=self.value, negated=self.negated)


class MaxCost(Incoming):
    """The answer costs so many US dollars at most."""

    type: Literal["max_cost_usd"]
    value: Usd
    negated: Annotated[Flag, Field(alias="not")] = False

    def to_domain(self) -> suites.Assertion:
        return suites.MaxCost(value=self.value, negated=self.negated)


class Similar(Incoming):
    """The answer is much the same as this text: F1 of their words is `threshold` (0.7) at least, or the cosine of their
    embeddings by `model`."""

    type: Literal["similar"]
    value: Text
    threshold: Share = 0.7
    by: Literal["words", "embeddings"] = "words"
    model: Annotated[str, Field(min_length=1, max_length=_LONGEST_PROVIDER)] | None = None
    negated: Annotated[Flag, Field(alias="not")] = False

    def to_domain(self) -> suites.Assertion:
        return suites.Similar(
            value=self.value, threshold=self.threshold, by=self.by, model=self.model, negated=self.negated
        )

    @model_validator(mode="after")
    def _has_its_model(self) -> "Similar":
        if self.by == "embeddings" and self.model is None:
            raise wrong("model", "is required where by is 'embeddings': the model that embeds both texts")
        if self.by == "words" and self.model is not None:
            raise wrong("model", "goes with by 'embeddings', not with 'words'")
        return self


class Judged(Incoming):
    """A model of `provider` (an id, or `id/model`) scores the answer by `rubric` with `threshold` (0.7) at least, of 0 to 1."""

    type: Literal["judge"]
    rubric: Text
    provider: Annotated[str, Field(min_length=1, max_length=_LONGEST_PROVIDER)]
    threshold: Share = 0.7
    negated: Annotated[Flag, Field(alias="not")] = False

    def to_domain(self) -> suites.Assertion:
        return suites.Judged(rubric=self.rubric, provider=self.provider, threshold=self.threshold, negated=self.negated)


Assertion = Annotated[
    Equals | Contains | MatchesRegex | MatchesSchema | HasAtPath | MaxTokens | MaxLatency | MaxCost | Similar | Judged,
    Field(discriminator="type"),
]


class PromptTest(Incoming):
    """A case: what fills the template, the messages that follow it, and what its answer must be."""

    name: Name
    variables: Annotated[dict[str, Any], Field(max_length=_MOST_VARIABLES)] = {}
    messages: Annotated[list[Message], Field(fail_fast=True, max_length=suites.MOST_MESSAGES)] = []
    assertions: Annotated[
        list[Assertion],
        Field(alias="assert", fail_fast=True, min_length=1, max_length=suites.MOST_ASSERTIONS),
    ]

    def to_domain(self) -> suites.PromptTest:
        return suites.PromptTest(
            name=self.name,
            variables=self.variables,
            messages=tuple(message.to_domain() for message in self.messages),
            assertions=tuple(assertion.to_domain() for assertion in self.assertions),
        )

    def as_sent(self) -> JsonObject:
        """What its author wrote, and no default."""
        return self.model_dump(mode="json", by_alias=True, exclude_unset=True)


def _small(tests: list[Any]) -> list[Any]:
    """Before anything in them is looked at."""
    if isinstance(tests, list):
        if is_deeper(tests, DEEPEST):
            raise ValueError(f"is nested too deeply: {DEEPEST} levels at most")
        size = len(json.dumps(tests, ensure_ascii=False).encode(errors="surrogatepass"))
        if size > suites.MOST_SUITE_BYTES:
            raise ValueError(f"is too large: {suites.MOST_SUITE_BYTES // 1024} KiB as JSON at most")
    return tests


def _distinct(tests: list[PromptTest]) -> list[PromptTest]:
    names = [test.name for test in tests]
    for place, name in enumerate(names):
        if name in names[:place]:
            raise ValueError(f"has two tests named {name!r}: give each a name of its own")
    return tests


Tests = Annotated[
    list[PromptTest],
    Field(fail_fast=True, max_length=suites.MOST_TESTS),
    BeforeValidator(_small),
    AfterValidator(_distinct),
]

_STORED: Final = TypeAdapter(list[PromptTest])


def parsed_suite(suite: Sequence[JsonObject]) -> tuple[suites.PromptTest, ...]:
    """A suite that was saved, as it is run."""
    return tuple(test.to_domain() for test in _STORED.validate_python(list(suite)))
