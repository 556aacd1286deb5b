"""Dispatch: asking one candidate after another until one answers, within one deadline, and noting every call."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from llm_gateway.domain.chat import ChatAnswer, ChatRequest
from llm_gateway.domain.providers import Timeouts
from llm_gateway.domain.queries import Attempt, AttemptOutcome, QueryRequest
from llm_gateway.domain.routing import Candidate
from llm_gateway.errors import (
    DeadlineExceeded,
    GatewayError,
    NoProviderAvailable,
    ProviderFault,
    ProviderRateLimited,
)
from llm_gateway.ports import Clock, CredentialStore, Providers

_MOST_CALLS = 6
_SHORTEST_CALL_S = 0.05


@dataclass(frozen=True, slots=True, kw_only=True)
class Dispatched:
    """An answer and the way to it."""

    candidate: Candidate
    answer: ChatAnswer
    attempts: tuple[Attempt, ...]
    provider_ms: int
    waiting_ms: int


@dataclass(slots=True, kw_only=True)
class _Course:
    """What one dispatch has done so far."""

    deadline_s: float
    attempts: list[Attempt] = field(default_factory=list)
    faults: list[ProviderFault] = field(default_factory=list)
    provider_s: float = 0
    waiting_s: float = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Dispatcher:
    """Asks providers. Adapters make one call each; order, repetition and the deadline are decided here."""

    providers: Providers
    credentials: CredentialStore
    clock: Clock

    def ask(self, request: QueryRequest, candidates: Sequence[Candidate], *, deadline_s: float) -> Dispatched:
        """The first candidate's answer that comes. `deadline_s` is a time of the monotonic clock.

        Raises the only candidate's own `ProviderFault`; of several, `ProviderRateLimited` where all are at a limit, otherwise
        `NoProviderAvailable`; `DeadlineExceeded` once the time is up. Each carries `attempts`.
        """
        course = _Course(deadline_s=deadline_s)
        try:
            for candidate in candidates[:_MOST_CALLS]:
                answer = self._call(candidate, request, course)
                if answer is not None:
                    return Dispatched(
                        candidate=candidate,
                        answer=answer,
                        attempts=tuple(course.attempts),
                        provider_ms=round(course.provider_s * 1000),
                        waiting_ms=round(course.waiting_s * 1000),
                    )
            raise _verdict(course.faults)
        except GatewayError as error:
            error.attempts = tuple(course.attempts)
            raise

    def _call(self, candidate: Candidate, request: QueryRequest, course: _Course) -> ChatAnswer | None:
        config = candidate.provider
        timeouts = self._timeouts(candidate, course)
        started_s = self.clock.monotonic_s()
        error_code: str | None = None
        try:
            provider = self.providers.open(config, self.credentials.get(config.id) if config.credentials else None)
            return provider.complete(chat_request(request, candidate), timeouts=timeouts)
        except ProviderFault as fault:
            fault.provider, error_code = config.id, fault.code
            course.faults.append(fault)
            if not fault.falls_over:
                raise
            return None
        finally:
            elapsed_s = self.clock.monotonic_s() - started_s
            course.provider_s += elapsed_s
            course.attempts.append(
                Attempt(
                    provider=config.id,
                    model=candidate.model.name,
                    outcome=AttemptOutcome.ERROR if error_code else AttemptOutcome.OK,
                    error_code=error_code,
                    latency_ms=round(elapsed_s * 1000),
                )
            )

    def _timeouts(self, candidate: Candidate, course: _Course) -> Timeouts:
        left_s = course.deadline_s - self.clock.monotonic_s()
        if left_s < _SHORTEST_CALL_S:
            raise DeadlineExceeded("The query's timeout_s passed before a provider answered.")
        configured = candidate.provider.timeouts
        return replace(configured, total_s=min(configured.total_s, left_s), connect_s=min(configured.connect_s, left_s))


def chat_request(request: QueryRequest, candidate: Candidate) -> ChatRequest:
    """What `candidate` is asked for `request`."""
    return ChatRequest(
        model=candidate.model.name,
        messages=request.messages,
        system=request.system,
        tools=request.tools,
        tool_choice=request.tool_choice,
        output=request.output,
        parameters=request.parameters,
    )


def _verdict(faults: Sequence[ProviderFault]) -> GatewayError:
    """The error that tells of these faults: the only one itself, or what several have in common."""
    if len(faults) == 1:
        return faults[0]
    waits = [fault.retry_after_s for fault in faults if fault.retry_after_s is not None]
    soonest_s = min(waits, default=None)
    if all(isinstance(fault, ProviderRateLimited) for fault in faults):
        return ProviderRateLimited("Every provider that could answer is at its limit.", retry_after_s=soonest_s)
    return NoProviderAvailable("Every provider that could answer failed.", retry_after_s=soonest_s)
