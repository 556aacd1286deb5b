"""Queries over HTTP: what is asked."""

import json
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, Field, model_validator

from llm_gateway.domain import chat
from llm_gateway.domain.queries import QueryRequest
from llm_gateway.wire.messages import Message, OutputFormat, Tool, ToolChoice
from llm_gateway.wire.schema import Incoming, PositiveInt

LONGEST_SYNC_S = 28
LONGEST_S = 840
_DEFAULT_TIMEOUT_S = {"sync": 25.0, "async": 300.0, "stream": 300.0}


def _not_yet(value: Any) -> Any:
    if value is not None:
        raise ValueError("is not available in this version: send the whole conversation as messages")
    return value


def _small(metadata: dict[str, Any]) -> dict[str, Any]:
    if len(json.dumps(metadata)) > 16_384:
        raise ValueError("must not be longer than 16 KiB as JSON")
    return metadata


NotYet = Annotated[Any, AfterValidator(_not_yet)]
Number = Annotated[float, Field(strict=True)]


class System(Incoming):
    """Instructions that precede the conversation."""

    text: str
    roles: NotYet = None


class Parameters(Incoming):
    """How to generate; null leaves the choice to the provider."""

    temperature: Annotated[Number, Field(ge=0, le=2)] | None = None
    max_output_tokens: PositiveInt | None = None
    top_p: Annotated[Number, Field(gt=0, le=1)] | None = None
    stop: Annotated[list[Annotated[str, Field(min_length=1)]], Field(max_length=4)] = []
    seed: Annotated[int, Field(strict=True, ge=-(2**63), lt=2**63)] | None = None

    def to_domain(self) -> chat.Parameters:
        return chat.Parameters(
            temperature=self.temperature,
            max_output_tokens=self.max_output_tokens,
            top_p=self.top_p,
            stop=tuple(self.stop),
            seed=self.seed,
        )


class QueryBase(Incoming):
    """What every way of asking has in common."""

    prompt: NotYet = None
    messages: Annotated[list[Message], Field(min_length=1, max_length=2000)]
    system: System | None = None
    context: NotYet = None
    model: Annotated[str, Field(min_length=1, max_length=200)] | None = None
    provider: Annotated[str, Field(min_length=1, max_length=63)] | None = None
    fallback: Annotated[list[Annotated[str, Field(min_length=1, max_length=300)]], Field(max_length=20)] | None = None
    parameters: Parameters = Parameters()
    tools: Annotated[list[Tool], Field(max_length=128)] = []
    tool_choice: ToolChoice = "auto"
    output: OutputFormat = OutputFormat()
    cache: Literal["auto", "force", "bypass", "refresh"] = "auto"
    timeout_s: Annotated[Number, Field(ge=1, le=LONGEST_S)] | None = None
    metadata: Annotated[dict[str, Any], AfterValidator(_small)] = {}

    def _asked(self, mode: Literal["sync", "async", "stream"], *, priority: Literal["high", "normal"]) -> QueryRequest:
        return QueryRequest(
            messages=tuple(message.to_domain() for message in self.messages),
            system=self.system.text if self.system else None,
            model=self.model,
            provider=self.provider,
            fallback=None if self.fallback is None else tuple(self.fallback),
            parameters=self.parameters.to_domain(),
            tools=tuple(tool.to_domain() for tool in self.tools),
            tool_choice=self.tool_choice if isinstance(self.tool_choice, str) else self.tool_choice.to_domain(),
            output=self.output.to_domain(),
            cache=self.cache,
            mode=mode,
            priority=priority,
            timeout_s=self.timeout_s or _DEFAULT_TIMEOUT_S[mode],
            metadata=self.metadata,
        )


class QueryBody(QueryBase):
    """A query whose answer is waited for (`sync`) or fetched later (`async`). `priority` orders the queue of the latter."""

    mode: Literal["sync", "async"] = "sync"
    priority: Literal["high", "normal"] = "normal"

    @model_validator(mode="after")
    def _waits_no_longer_than_the_api(self) -> "QueryBody":
        if self.mode == "sync" and self.timeout_s is not None and self.timeout_s > LONGEST_SYNC_S:
            raise ValueError(f"timeout_s: a sync query waits at most {LONGEST_SYNC_S} s; ask async or as a stream")
        return self

    def to_domain(self) -> QueryRequest:
        return self._asked(self.mode, priority=self.priority)


class StreamBody(QueryBase):
    """A query whose answer is read as it is written."""

    def to_domain(self) -> QueryRequest:
        return self._asked("stream", priority="normal")
