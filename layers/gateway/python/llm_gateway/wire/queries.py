"""Queries over HTTP: what is asked."""

import json
from dataclasses import replace
from functools import cache
from typing import TYPE_CHECKING, Annotated, Any, Final, Literal, Self

from pydantic import AfterValidator, Field, ValidationInfo, field_validator, model_validator

from llm_gateway.domain import chat, privacy
from llm_gateway.domain.queries import QueryRequest
from llm_gateway.wire.context import ContextBody
from llm_gateway.wire.messages import AudioPart, ChosenTool, FilePart, Message, OutputFormat, Tool, ToolChoice
from llm_gateway.wire.schema import Flag, Incoming, PositiveInt, Slug, wrong

if TYPE_CHECKING:
    from llm_gateway.domain.prompts.choices import Choices, PromptChoice

LONGEST_SYNC_S = 28
LONGEST_S = 840
MOST_FILES = 50
_DEFAULT_TIMEOUT_S = {"sync": 25.0, "async": 300.0, "stream": 300.0}


def _not_yet(instead: str) -> AfterValidator:
    def refuse(value: Any) -> Any:
        if value is not None:
            raise ValueError(f"is not available in this version: {instead}")
        return value

    return AfterValidator(refuse)


def _small(metadata: dict[str, Any]) -> dict[str, Any]:
    if len(json.dumps(metadata, ensure_ascii=False).encode()) > 16_384:
        raise ValueError("must not be longer than 16 KiB as JSON")
    return of_a_short_subject(metadata)


def of_a_short_subject(metadata: dict[str, Any]) -> dict[str, Any]:
    """No erasure could name a longer one."""
    subject = metadata.get(privacy.SUBJECT)
    if isinstance(subject, str) and len(subject) > privacy.LONGEST_SUBJECT:
        raise ValueError(f"must have a {privacy.SUBJECT!r} of {privacy.LONGEST_SUBJECT} characters at most")
    return metadata


def few_files(messages: list[Message]) -> list[Message]:
    """Refuses more documents and recordings than are read of one request."""
    found = 0
    for message in messages:
        if isinstance(message.content, list):
            found += sum(isinstance(part, FilePart | AudioPart) for part in message.content)
    if found > MOST_FILES:
        raise ValueError(f"bring more than {MOST_FILES} documents and recordings")
    return messages


def _own_to_the_vendor(vendor: dict[str, dict[str, Any]]) -> dict[str, dict[str, Any]]:
    if not vendor:
        return vendor
    from llm_gateway.domain.vendor_options import faults_in_options

    for place, fault in faults_in_options(vendor):
        raise wrong(place, fault)
    return _small(vendor)


def _each_once(tools: list[Tool]) -> list[Tool]:
    seen = set[str]()
    for tool in tools:
        if tool.function.name in seen:
            raise ValueError(f"two tools are called {tool.function.name!r}: each needs a name of its own")
        seen.add(tool.function.name)
    return tools


def with_a_model(name: str) -> str:
    if name.endswith("/"):
        raise ValueError("has nothing after the slash: name a model there, or leave the slash out")
    return name


RoleName = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9-]{0,62}(@[a-z0-9][a-z0-9-]{0,62})?$")]
Variables = Annotated[dict[str, Any], Field(max_length=100)]
Number = Annotated[float, Field(strict=True)]
Fallback = Annotated[str, Field(min_length=1, max_length=300), AfterValidator(with_a_model)]
Timeout = Annotated[Number, Field(ge=1, le=LONGEST_S)]
Metadata = Annotated[dict[str, Any], Field(max_length=1000), AfterValidator(_small)]
Messages = Annotated[list[Message], Field(max_length=2000), AfterValidator(few_files)]
Tools = Annotated[list[Tool], Field(max_length=128), AfterValidator(_each_once)]
VendorOptions = Annotated[
    dict[str, Annotated[dict[str, Any], Field(max_length=40)]], Field(max_length=10), AfterValidator(_own_to_the_vendor)
]


# Where a query has what OpenAI's API has at the top of a request.
_OPENAIS: Final = {
    **{name: f"it is parameters.{name}" for name in ("temperature", "top_p", "seed", "stop", "max_output_tokens")},
    **{name: f"it is parameters.{name}" for name in ("reasoning_effort", "logprobs")},
    "top_logprobs": "it is parameters.logprobs",
    "reasoning": "it is parameters.reasoning_effort",
    **dict.fromkeys(("service_tier", "verbosity", "prompt_cache_key"), 'it goes into vendor, like {"openai": {…}}'),
    **dict.fromkeys(("max_tokens", "max_completion_tokens"), "it is parameters.max_output_tokens"),
    "response_format": 'it is output, like {"type": "json_schema", "schema": {…}}',
    "stream": "ask at /query/stream for an answer that comes as it is written",
    "instructions": "it is system.text",
    "input": "it is messages",
    "functions": "it is tools",
    "user": "put it into metadata",
}


def fault_in_choice(choice: ToolChoice, tools: list[Tool]) -> str | None:
    """Why the choice cannot be of these tools."""
    if choice in ("auto", "none"):
        return None
    if not tools:
        return "asks for a tool to be called: send tools too"
    if isinstance(choice, ChosenTool) and choice.function.name not in {tool.function.name for tool in tools}:
        return f"names {choice.function.name!r}, which is none of tools"
    return None


class Prompt(Incoming):
    """The prompt that the query is made from, and what fills it."""

    id: Slug
    version: PositiveInt | None = None
    label: Slug | None = None
    sticky_key: Annotated[str, Field(min_length=1, max_length=1000)] | None = None
    variables: Variables = Field(default_factory=dict)

    @model_validator(mode="after")
    def _names_one_version(self) -> "Prompt":
        if self.version is not None and self.label is not None:
            raise wrong("label", "goes without version: name one of the two")
        return self

    def to_domain(self) -> "PromptChoice":
        from llm_gateway.domain.prompts.choices import PromptChoice

        return PromptChoice(
            id=self.id,
            version=self.version,
            label=self.label,
            sticky_key=self.sticky_key,
            variables=self.variables,
        )


class System(Incoming):
    """Instructions that precede the conversation: roles, and a text of the query's own."""

    text: str | None = None
    roles: Annotated[list[RoleName], Field(max_length=20)] = Field(default_factory=list)
    variables: Variables = Field(default_factory=dict)
    base: Flag | None = None

    @model_validator(mode="before")
    @classmethod
    def _is_an_object(cls, value: Any) -> Any:
        if isinstance(value, str):
            raise ValueError('must be an object like {"text": "…"}')
        return value


class Parameters(Incoming):
    """How to generate; null leaves the choice to the provider."""

    elsewhere = {
        **dict.fromkeys(("max_tokens", "max_completion_tokens"), "it is max_output_tokens"),
        "top_logprobs": "it is logprobs",
    }

    temperature: Annotated[Number, Field(ge=0, le=2)] | None = None
    max_output_tokens: PositiveInt | None = None
    top_p: Annotated[Number, Field(gt=0, le=1)] | None = None
    stop: Annotated[list[Annotated[str, Field(min_length=1)]], Field(max_length=4)] | None = Field(default_factory=list)
    seed: Annotated[int, Field(strict=True, ge=-(2**63), lt=2**63)] | None = None
    reasoning_effort: chat.ReasoningEffort | None = None
    logprobs: Annotated[int, Field(strict=True, ge=0, le=20)] | None = None

    def to_domain(self) -> chat.Parameters:
        return chat.Parameters(
            temperature=self.temperature,
            max_output_tokens=self.max_output_tokens,
            top_p=self.top_p,
            stop=tuple(self.stop or ()),
            seed=self.seed,
            reasoning_effort=self.reasoning_effort,
            logprobs=self.logprobs,
        )


@cache
def _left_open() -> Parameters:
    return Parameters()


class Sanitize(Incoming):
    """What is done with text beyond reading it."""

    text: Literal["clean", "refuse"] | None = None
    links: Literal["flag"] | None = None

    def to_domain(self) -> privacy.Sanitize | None:
        return privacy.Sanitize(text=self.text, links=self.links) if self.text or self.links else None


class QueryBase(Incoming):
    """What every way of asking has in common."""

    elsewhere = _OPENAIS

    prompt: Prompt | None = None
    # Of a default that is a list or a dictionary pydantic makes a deep copy, which takes longer than all that was sent.
    messages: Annotated[list[Message], Field(min_length=1, max_length=2000), AfterValidator(few_files)] = Field(
        default_factory=list
    )
    system: System | None = None
    context: ContextBody | None = None
    model: Annotated[str, Field(min_length=1, max_length=200), AfterValidator(with_a_model)] | None = None
    provider: Annotated[str, Field(min_length=1, max_length=63)] | None = None
    fallback: Annotated[list[Fallback], Field(max_length=20)] | None = None
    parameters: Parameters = Field(default_factory=_left_open)
    vendor: VendorOptions = Field(default_factory=dict)
    tools: Tools = Field(default_factory=list)
    tool_choice: ToolChoice = "auto"
    output: OutputFormat = OutputFormat()
    cache: Literal["auto", "force", "bypass", "refresh"] = "auto"
    metadata: Metadata = Field(default_factory=dict)
    sanitize: Sanitize | None = None

    @field_validator("tool_choice")
    @classmethod
    def _names_a_tool(cls, choice: ToolChoice, info: ValidationInfo) -> ToolChoice:
        tools: list[Tool] | None = info.data.get("tools")
        fault = None if tools is None else fault_in_choice(choice, tools)
        if fault is not None:
            raise ValueError(fault)
        return choice

    @model_validator(mode="after")
    def _says_something(self) -> Self:
        if self.prompt is None and not self.messages:
            raise wrong("messages", "is required, unless a prompt is named")
        return self

    def choices(self) -> "Choices | None":
        """The prompt and the roles; None where the query names neither, and is asked as it stands."""
        system = self.system
        if self.prompt is None and not (system and (system.roles or system.variables or system.base)):
            return None
        from llm_gateway.domain.prompts.choices import Choices, SystemChoice

        asked = SystemChoice()
        if system is not None:
            asked = SystemChoice(
                roles=tuple(system.roles), variables=system.variables, text=system.text, base=system.base
            )
        return Choices(
            prompt=self.prompt.to_domain() if self.prompt else None,
            system=asked,
            output=self.output.to_domain() if "output" in self.model_fields_set else None,
        )

    def _asked(
        self,
        mode: Literal["sync", "async", "stream"],
        *,
        priority: Literal["high", "normal"],
        timeout_s: float | None,
    ) -> QueryRequest:
        return QueryRequest(
            messages=tuple(message.to_domain() for message in self.messages),
            system=self.system.text if self.system else None,
            context=self.context.to_domain() if self.context else None,
            model=self.model,
            provider=self.provider,
            fallback=None if self.fallback is None else tuple(self.fallback),
            parameters=self.parameters.to_domain(),
            tools=tuple(tool.to_domain() for tool in self.tools),
            tool_choice=self.tool_choice if isinstance(self.tool_choice, str) else self.tool_choice.to_domain(),
            output=self.output.to_domain(),
            vendor=self.vendor,
            cache=self.cache,
            mode=mode,
            priority=priority,
            timeout_s=timeout_s or _DEFAULT_TIMEOUT_S[mode],
            metadata=self.metadata,
            sanitize=self.sanitize.to_domain() if self.sanitize else None,
        )


class QueryBody(QueryBase):
    """A query whose answer is waited for (`sync`) or fetched later (`async`). `priority` orders the queue of the latter."""

    elsewhere = {**_OPENAIS, "on_disconnect": "it is of a stream, at /query/stream, alone"}

    mode: Literal["sync", "async"] = "sync"
    priority: Literal["high", "normal"] = "normal"
    timeout_s: Timeout | None = None

    @field_validator("timeout_s")
    @classmethod
    def _waits_no_longer_than_the_api(cls, timeout_s: float | None, info: ValidationInfo) -> float | None:
        if timeout_s is not None and timeout_s > LONGEST_SYNC_S and info.data.get("mode") == "sync":
            raise ValueError(f"a sync query waits at most {LONGEST_SYNC_S} s; ask async or as a stream")
        return timeout_s

    def to_domain(self) -> QueryRequest:
        return self._asked(self.mode, priority=self.priority, timeout_s=self.timeout_s)


class StreamBody(QueryBase):
    """A query whose answer is read as it is written."""

    elsewhere = {
        **_OPENAIS,
        **dict.fromkeys(("stream", "mode"), "leave it out, this route always streams"),
        "priority": "it is of an async query, at /query, alone",
    }

    timeout_s: Timeout | None = None
    on_disconnect: Literal["cancel", "finish"] = "cancel"

    def to_domain(self) -> QueryRequest:
        asked = self._asked("stream", priority="normal", timeout_s=self.timeout_s)
        return replace(asked, on_disconnect=self.on_disconnect)
