"""Queries over HTTP: where they stand and what came of them."""

from typing import Annotated, Any

from pydantic import Field

from llm_gateway.domain.chat import FinishReason
from llm_gateway.domain.queries import Query, QueryAnswer, QueryProblem, QueryStatus
from llm_gateway.wire.attempts import AttemptShown
from llm_gateway.wire.context import ContextShown
from llm_gateway.wire.problems import Problem
from llm_gateway.wire.query_status import PromptUsedShown, RoleUsedShown, StatusShown
from llm_gateway.wire.schema import Outgoing, Timestamp, Usd


class ToolCallShown(Outgoing):
    """A tool call that the model asks for; `arguments` is a JSON text."""

    id: str
    name: str
    arguments: str


class ReasoningItemShown(Outgoing):
    """A piece of the thought, for its vendor alone to read."""

    vendor: str
    item: dict[str, Any]
    after: int


class ReasoningShown(Outgoing):
    """What the model thought before it answered."""

    text: str | None
    items: list[ReasoningItemShown]


class OutputShown(Outgoing):
    """What the model said; `json` is its parsed form where JSON was asked for."""

    text: str | None
    json_value: Annotated[Any, Field(alias="json")] = None
    tool_calls: list[ToolCallShown] = []
    reasoning: ReasoningShown | None = None
    annotations: list[dict[str, Any]] | None = None
    logprobs: list[dict[str, Any]] | None = None


class UsageShown(Outgoing):
    """Tokens. Input includes cached and cache-write ones, output includes reasoning."""

    input_tokens: int
    output_tokens: int
    cached_input_tokens: int
    cache_write_tokens: int
    reasoning_tokens: int
    estimated: bool


class CacheShown(Outgoing):
    """Whether the answer came from the gateway's cache."""

    hit: bool
    age_s: int | None = None
    saved_usd: Usd | None = None


class LatencyShown(Outgoing):
    """Milliseconds: `total = provider + waiting + overhead`."""

    total: int
    provider: int
    waiting: int
    overhead: int


class AnswerShown(Outgoing):
    """The answer to a query."""

    id: str
    status: QueryStatus
    created_at: Timestamp
    completed_at: Timestamp | None
    output: OutputShown
    finish_reason: FinishReason | None
    provider: str
    model: str
    usage: UsageShown
    cost_usd: Usd | None
    cache: CacheShown
    attempts: list[AttemptShown]
    prompt: PromptUsedShown | None
    roles: list[RoleUsedShown]
    context: ContextShown | None = None
    latency_ms: LatencyShown
    warnings: list[str]
    metadata: dict[str, Any]

    @classmethod
    def of(cls, query: Query, answer: QueryAnswer) -> "AnswerShown":
        latency = answer.latency
        return cls(
            id=query.id,
            status=query.status,
            created_at=query.created_at,
            completed_at=query.completed_at,
            output=answer.output,
            finish_reason=answer.finish_reason,
            provider=answer.provider,
            model=answer.model,
            usage=answer.usage,
            cost_usd=answer.cost_usd,
            cache=answer.cache,
            attempts=answer.attempts,
            prompt=query.prompt,
            roles=query.request.origin.roles if query.request.origin else (),
            context=ContextShown.of(answer.context) if answer.context else None,
            latency_ms=LatencyShown(
                total=latency.total_ms,
                provider=latency.provider_ms,
                waiting=latency.waiting_ms,
                overhead=latency.overhead_ms,
            ),
            warnings=list(answer.warnings),
            metadata=dict(query.request.metadata),
        )


class CutShortShown(AnswerShown):
    """What there was of an answer when its query failed."""

    error: Problem

    @classmethod
    def cut_by(cls, problem: QueryProblem, shown: AnswerShown) -> "CutShortShown":
        return cls(**dict(shown), error=Problem.of(problem, query_id=shown.id))


ResultShown = CutShortShown | AnswerShown | StatusShown
