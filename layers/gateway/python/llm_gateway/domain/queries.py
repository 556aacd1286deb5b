"""Queries: what was asked, where it stands, and what came of it."""

from collections.abc import Mapping, Sequence
from dataclasses import field, replace
from datetime import datetime, timedelta
from decimal import Decimal
from enum import StrEnum
from hashlib import sha256
from typing import TYPE_CHECKING, Any, Final, Literal, TypeVar

from llm_gateway.domain.chat import (
    FinishReason,
    JsonObject,
    Message,
    OutputFormat,
    Parameters,
    Reasoning,
    Tool,
    ToolCall,
    ToolChoice,
    Usage,
)
from llm_gateway.domain.pii import PiiRule
from llm_gateway.domain.privacy import Privacy, Sanitize
from llm_gateway.domain.query_context import ContextReport, ContextWish
from llm_gateway.domain.query_status import QueryStatus as QueryStatus
from llm_gateway.errors import DeadlineExceeded, GatewayError
from llm_gateway.values import dataclass

if TYPE_CHECKING:
    from llm_gateway.domain.accounts import Taken
    from llm_gateway.domain.terms import Terms

Mode = Literal["sync", "async", "stream"]


LOST_AFTER_S: Final = 60
"""A running query that nobody will take up reads as failed when its holder has been silent for this long after its lease."""

LONGEST_QUEUED_S: Final = 30
"""For how long a reader of a stream waits for a query that nobody has taken up yet."""


class AttemptOutcome(StrEnum):
    OK = "ok"
    ERROR = "error"
    SKIPPED = "skipped"
    CANCELLED = "cancelled"


@dataclass(frozen=True, slots=True, kw_only=True)
class PromptUsed:
    """The version of a prompt that a query was made from, and the label that led to it; None where its number was named."""

    id: str
    version: int
    label: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class RoleUsed:
    """The version of a role that a query's system message has; version 0 is the one that ships with the gateway."""

    id: str
    version: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Origin:
    """What a query was made from: its words are those that came of it, whatever becomes of the prompt and the roles.

    `wishes` are the parameters that the prompt wishes for, as the API names them: a candidate that cannot take one is asked
    without it. `cache_ttl_s` and `log_bodies` are the prompt's, None where it has none. `pii` is what the prompt and the
    roles ask to be done with personal data.
    """

    prompt: PromptUsed | None = None
    roles: tuple[RoleUsed, ...] = ()
    wishes: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()
    cache_ttl_s: int | None = None
    log_bodies: float | None = None
    pii: tuple[PiiRule, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class QueryRequest:
    """What a client asks. `domain.routing` says who is a candidate, by `model`, `provider` and `fallback`.

    `vendor` are members of the body that a candidate is sent, by the kind of provider that they are for. `kinds_for` are the
    parameters that not every kind of provider has, each with the kinds that can take it. One that was made from a prompt or from
    roles has an `origin`. `privacy` says which policies were applied to it, None: none; `notes` are what was seen in it, for the
    answer's warnings.
    """

    messages: tuple[Message, ...]
    system: str | None = None
    context: ContextWish | None = None
    model: str | None = None
    provider: str | None = None
    fallback: tuple[str, ...] | None = None
    parameters: Parameters = Parameters()
    tools: tuple[Tool, ...] = ()
    tool_choice: ToolChoice = "auto"
    parallel_tool_calls: bool = True
    output: OutputFormat = OutputFormat()
    vendor: Mapping[str, JsonObject] = field(default_factory=dict)
    kinds_for: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    cache: Literal["auto", "force", "bypass", "refresh"] = "auto"
    mode: Mode = "sync"
    priority: Literal["high", "normal"] = "normal"
    timeout_s: float = 25
    on_disconnect: Literal["cancel", "finish"] = "cancel"
    metadata: JsonObject = field(default_factory=dict)
    origin: Origin | None = None
    sanitize: Sanitize | None = None
    privacy: Privacy | None = None
    notes: tuple[str, ...] = ()

    @property
    def reads_cache(self) -> bool:
        """Whether an earlier answer will do: always where the caller says so, else where asking again would give the same."""
        return self.cache == "force" or (self.cache == "auto" and is_deterministic(self.parameters))

    @property
    def writes_cache(self) -> bool:
        """Whether the answer is kept for others."""
        return self.cache == "refresh" or self.reads_cache


def is_deterministic(parameters: Parameters) -> bool:
    """Whether a model that is asked again with these gives the same answer, as far as anybody can ask for that."""
    return parameters.temperature == 0 or parameters.seed is not None


_SPARE: Final = timedelta(seconds=30)


def lifetime(request: QueryRequest) -> timedelta:
    """How long something may be held for the request: after that, the process that works on it must be dead."""
    return timedelta(seconds=request.timeout_s) + _SPARE


@dataclass(frozen=True, slots=True, kw_only=True)
class Attempt:
    """One call to a provider, or one that was skipped; `cost_usd` None where the price is not known.

    `detail` says what went wrong, `cause` the same without the provider's own words, which may quote the question;
    `upstream_status` is the HTTP status that the provider answered with, where it did.
    """

    provider: str
    model: str
    outcome: AttemptOutcome
    error_code: str | None = None
    detail: str | None = None
    cause: str | None = None
    upstream_status: int | None = None
    latency_ms: int = 0
    cost_usd: Decimal | None = None


def total_usd(attempts: Sequence[Attempt]) -> Decimal | None:
    """What a query cost: the sum of the known costs, or None where the answering (the last) attempt's is not known."""
    if not attempts or attempts[-1].cost_usd is None:
        return None
    return sum((attempt.cost_usd for attempt in attempts if attempt.cost_usd is not None), Decimal(0))


@dataclass(frozen=True, slots=True, kw_only=True)
class Output:
    """`json` is the parsed text where JSON was asked for; `annotations` and `logprobs` are in the provider's own words, and
    `stop_sequence` is the text to stop at that came, where the provider says which."""

    text: str | None
    json: Any = None
    tool_calls: tuple[ToolCall, ...] = ()
    reasoning: Reasoning | None = None
    annotations: tuple[JsonObject, ...] | None = None
    logprobs: tuple[JsonObject, ...] | None = None
    stop_sequence: str | None = None

    @property
    def is_empty(self) -> bool:
        return not self.text and not self.tool_calls and not (self.reasoning and self.reasoning.text)


@dataclass(frozen=True, slots=True, kw_only=True)
class CacheNote:
    """Whether the answer came from the cache, how old it was and what that saved."""

    hit: bool = False
    age_s: int | None = None
    saved_usd: Decimal | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Latency:
    """`total = provider + waiting + overhead`, all measured; `waiting` is the time between retries."""

    total_ms: int
    provider_ms: int
    waiting_ms: int

    @property
    def overhead_ms(self) -> int:
        return self.total_ms - self.provider_ms - self.waiting_ms


@dataclass(frozen=True, slots=True, kw_only=True)
class QueryAnswer:
    """What came of a query; `finish_reason` is None where its end never came.

    `sealed`, in base64, are the values that a stored answer has placeholders for, beside those of its request.
    """

    output: Output
    finish_reason: FinishReason | None
    provider: str
    model: str
    usage: Usage
    cost_usd: Decimal | None
    attempts: tuple[Attempt, ...]
    latency: Latency
    cache: CacheNote = CacheNote()
    context: ContextReport | None = None
    warnings: tuple[str, ...] = ()
    sealed: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Figures:
    """What an answer took, and not a word of it."""

    provider: str
    model: str
    usage: Usage
    cost_usd: Decimal | None
    total_ms: int
    provider_ms: int
    cache_hit: bool = False

    @classmethod
    def of(cls, answer: QueryAnswer) -> "Figures":
        return cls(
            provider=answer.provider,
            model=answer.model,
            usage=answer.usage,
            cost_usd=answer.cost_usd,
            total_ms=answer.latency.total_ms,
            provider_ms=answer.latency.provider_ms,
            cache_hit=answer.cache.hit,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class QueryProblem:
    """Why a query failed, as its caller reads it; the members of an RFC 9457 problem that outlive the request."""

    status: int
    code: str
    title: str
    detail: str
    provider: str | None = None
    provider_message: str | None = None
    attempts: tuple[Attempt, ...] = ()

    @classmethod
    def of(cls, error: GatewayError) -> "QueryProblem":
        """What `error` says of the query that met it."""
        return cls(
            status=error.status,
            code=error.code,
            title=error.title,
            detail=error.detail,
            provider=error.provider,
            provider_message=error.provider_message,
            attempts=error.attempts,
        )


class StoredProblem(GatewayError):
    """A problem that a query ended with, given again as it was; `replayed` where an equal request asks for it."""

    def __init__(self, problem: QueryProblem, *, query_id: str, replayed: bool = False) -> None:
        super().__init__(problem.detail, headers={"Idempotent-Replayed": "true"} if replayed else None)
        self.status, self.code, self.title = problem.status, problem.code, problem.title  # type: ignore[misc]
        self.query_id = query_id
        self.provider = problem.provider
        self.provider_message = problem.provider_message
        self.attempts = problem.attempts


@dataclass(frozen=True, slots=True, kw_only=True)
class Lease:
    """Who works on a running query. Nobody else may before `until`, which is kept in whole milliseconds."""

    holder: str
    until: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class QuerySummary:
    """Where a query stands: all that is small. `expires_at` is when the query and its bodies are gone.

    `attempts` counts the workers that took it up, `started_at` is when the first of them did, and `lease` is there while one
    holds it. An asynchronous one has to end by `due_at`, and `fault` is what its last try met, while it may be tried again.
    `cache_keys` and `idempotency_scope` say where else something made from the query is kept: an erasure goes
    there too. `logs_bodies` is whether its words go to the log, if the process that ends it has them. `terms` and `taken` are
    there for a query that a worker answers: its key's terms when it was accepted, and what it took of the key's account.
    `tags` are those of its key when it came in, `figures` are there once it has an answer.
    """

    id: str
    owner: str
    mode: Mode
    status: QueryStatus
    created_at: datetime
    expires_at: datetime
    attempts: int = 0
    due_at: datetime | None = None
    started_at: datetime | None = None
    completed_at: datetime | None = None
    fault: QueryProblem | None = None
    problem: QueryProblem | None = None
    lease: Lease | None = None
    cancel_requested: bool = False
    cache_keys: frozenset[str] = frozenset()
    idempotency_scope: str | None = None
    logs_bodies: bool = False
    tags: tuple[str, ...] = ()
    prompt: PromptUsed | None = None
    figures: Figures | None = None
    terms: "Terms | None" = None
    taken: "Taken | None" = None

    def is_overdue(self, now: datetime) -> bool:
        """Whether the query's time is up, so that it is not tried any more."""
        return self.due_at is not None and not self.status.finished and now >= self.due_at

    @property
    def last_fault(self) -> QueryProblem:
        """Why a query whose time is up has failed."""
        return self.fault or QueryProblem.of(_too_late(self))


@dataclass(frozen=True, slots=True, kw_only=True)
class Query(QuerySummary):
    """A query whole: what was asked, where it stands, and what came of it; one cut short keeps what it got until then."""

    request: QueryRequest
    answer: QueryAnswer | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Ending:
    """What an attempt to end a query came to: where the query stands now, and whether it was this that ended it."""

    query: QuerySummary
    ended_now: bool


def is_sampled(query_id: str, *, share: float) -> bool:
    """Whether the query is among the `share` (0 to 1) of all that is looked at more closely; every process says the same."""
    return int.from_bytes(sha256(query_id.encode()).digest()[:8]) < share * 2**64


_LOST: Final = QueryProblem(
    status=GatewayError.status,
    code=GatewayError.code,
    title=GatewayError.title,
    detail="Whatever worked on the query ended before the query did.",
)

S = TypeVar("S", bound=QuerySummary)


def as_told(query: S, *, now: datetime) -> S:
    """`query` as it reads at `now`: failed, where its time is up and nobody works on it any more, whatever is stored."""
    if query.mode == "async":
        return _async_as_told(query, now=now)
    lease = query.lease
    if query.status is not QueryStatus.RUNNING or lease is None or not _is_lost(lease, now):
        return query
    return replace(query, status=QueryStatus.FAILED, completed_at=lease.until, problem=_LOST, lease=None)


def _async_as_told(query: S, *, now: datetime) -> S:
    lease = query.lease
    if query.due_at is None or not query.is_overdue(now) or (lease and not _is_lost(lease, now)):
        return query
    ended_at = max(query.due_at, lease.until) if lease else query.due_at
    problem = query.last_fault
    return replace(query, status=QueryStatus.FAILED, completed_at=ended_at, fault=None, problem=problem, lease=None)


def _is_lost(lease: Lease, now: datetime) -> bool:
    return now >= lease.until + timedelta(seconds=LOST_AFTER_S)


def _too_late(query: QuerySummary) -> DeadlineExceeded:
    timeout_s = (query.due_at - query.created_at).total_seconds() if query.due_at else 0
    detail = f"The query's time was up before a provider answered (timeout_s of the query: {timeout_s:.4g} s)."
    return DeadlineExceeded(detail)


_LONGEST_RUN: Final = timedelta(seconds=900)


def as_listed(query: QuerySummary, *, now: datetime) -> QuerySummary:
    """`query` as a list tells it, which knows of no lease: one that should have ended long ago is taken for failed."""
    ends_at = query.due_at if query.mode == "async" else query.created_at + _LONGEST_RUN
    if query.status.finished or ends_at is None or now < ends_at + timedelta(seconds=LOST_AFTER_S):
        return query
    problem = query.last_fault if query.due_at else _LOST
    return replace(query, status=QueryStatus.FAILED, fault=None, problem=problem)
