"""States: what is written of a query at each turn of its life, from its first state to its end. Nothing is stored here."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal

from llm_gateway.domain.caching import CachedAnswer
from llm_gateway.domain.chat import (
    ChatAnswer,
    Delta,
    Reasoning,
    ReasoningDelta,
    TextDelta,
    ToolCall,
    ToolCallDelta,
    Usage,
)
from llm_gateway.domain.idempotency import Idempotency
from llm_gateway.domain.identifiers import QUERY_PREFIX
from llm_gateway.domain.keys import Caller, kept_for
from llm_gateway.domain.queries import (
    Attempt,
    AttemptOutcome,
    CacheNote,
    Figures,
    Latency,
    Lease,
    Output,
    Query,
    QueryAnswer,
    QueryProblem,
    QueryRequest,
    QueryStatus,
    is_sampled,
    total_usd,
)
from llm_gateway.domain.terms import FREE, Terms
from llm_gateway.errors import GatewayError
from llm_gateway.ports.system import Clock, Ids
from llm_gateway.services.queries.progress import Progress
from llm_gateway.values import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class States:
    """Makes a query and its later states.

    A query is held for a `lease` without a sign of life: it is renewed well before, so that only the dead lose it.
    """

    clock: Clock
    ids: Ids
    retention: timedelta
    lease: timedelta

    def new(
        self,
        request: QueryRequest,
        caller: Caller,
        *,
        status: QueryStatus,
        idempotency: Idempotency | None,
        cache_keys: frozenset[str] = frozenset(),
    ) -> Query:
        """A query that is worked on from now on, or one that waits for a worker."""
        now = self.clock.now()
        running = status is QueryStatus.RUNNING
        query_id = QUERY_PREFIX + self.ids.ulid()
        return Query(
            id=query_id,
            owner=caller.key_id,
            mode=request.mode,
            status=status,
            request=request,
            created_at=now,
            due_at=now + timedelta(seconds=request.timeout_s) if request.mode == "async" else None,
            started_at=now if running else None,
            expires_at=now + kept_for(caller, self.retention),
            attempts=1 if running else 0,
            lease=Lease(holder=self.ids.ulid(), until=now + self.lease) if running else None,
            cache_keys=cache_keys,
            idempotency_scope=idempotency.scope if idempotency else None,
            logs_bodies=is_sampled(query_id, share=_logged_share(request, caller)),
            prompt=request.origin.prompt if request.origin else None,
            terms=None if running else _kept_terms(caller),
            tags=caller.tags,
        )

    def succeeded(self, query: Query, answer: ChatAnswer, progress: Progress) -> Query:
        """A query that was answered by the candidate that was called last."""
        attempts = progress.all_attempts
        return self._ended(
            query,
            QueryStatus.SUCCEEDED,
            answer=QueryAnswer(
                output=Output(
                    text=answer.text,
                    json=answer.json,
                    tool_calls=answer.tool_calls,
                    reasoning=answer.reasoning,
                    annotations=answer.annotations,
                    logprobs=answer.logprobs,
                    stop_sequence=answer.stop_sequence,
                ),
                finish_reason=answer.finish_reason,
                provider=progress.answering.provider.id,
                model=answer.model,
                usage=answer.usage,
                cost_usd=total_usd(attempts),
                attempts=attempts,
                latency=self.latency(progress),
                context=progress.context,
                warnings=(
                    *_of_request(query.request),
                    *_stood_in(progress.attempts),
                    *answer.warnings,
                    *(progress.context.warnings if progress.context else ()),
                    *_carried_out(answer, query.request),
                ),
            ),
        )

    def given_again(self, query: Query, cached: CachedAnswer, progress: Progress) -> Query:
        """A query with an answer from before: as its own, at no cost and without attempts."""
        now, request = self.clock.now(), query.request
        age_s = max(0, int((now - cached.cached_at).total_seconds()))
        answer = replace(
            cached.answer,
            warnings=(
                *_of_request(request),
                *cached.answer.warnings,
                *_carried_out(cached.answer.output, request),
            ),
            cost_usd=Decimal(0),
            attempts=(),
            latency=self.latency(progress),
            cache=CacheNote(hit=True, age_s=age_s, saved_usd=cached.answer.cost_usd),
        )
        return self._ended(query, QueryStatus.SUCCEEDED, answer=answer)

    def failed(self, query: Query, error: GatewayError, progress: Progress) -> Query:
        """A query that came to nothing, or to no more than was generated by then."""
        return self._ended(
            query, QueryStatus.FAILED, answer=self._broken_off(query, progress), problem=QueryProblem.of(error)
        )

    def overdue(self, query: Query) -> Query:
        """A query whose time was up while nobody worked on it: to find that is no attempt."""
        return self._ended(_untried(query), QueryStatus.FAILED, problem=query.last_fault)

    def revoked(self, query: Query, progress: Progress) -> Query:
        """A query whose key was revoked before it was taken up."""
        return self.cancelled(_untried(query), progress)

    def cancelled(self, query: Query, progress: Progress) -> Query:
        """A query that was stopped, with what was generated by then, where a provider had begun."""
        ended = self._ended(query, QueryStatus.CANCELLED, answer=self._broken_off(query, progress))
        return ended if ended.answer else replace(ended, figures=self._figures(progress))

    def _figures(self, progress: Progress) -> Figures | None:
        """What calls cost that came to no answer; None where nobody was called."""
        called = [attempt for attempt in progress.all_attempts if attempt.outcome is not AttemptOutcome.SKIPPED]
        if not called:
            return None
        latency = self.latency(progress)
        return Figures(
            provider=called[-1].provider,
            model=called[-1].model,
            usage=Usage(),
            cost_usd=total_usd(called),
            total_ms=latency.total_ms,
            provider_ms=latency.provider_ms,
        )

    def _broken_off(self, query: Query, progress: Progress) -> QueryAnswer | None:
        call = progress.broken_off
        if call is None:
            return None
        output = _joined(call.generated)
        return QueryAnswer(
            output=output,
            finish_reason=None,
            provider=call.candidate.provider.id,
            model=call.candidate.model.name,
            usage=call.usage or Usage(estimated=True),
            cost_usd=total_usd(progress.all_attempts),
            attempts=progress.all_attempts,
            latency=self.latency(progress),
            context=progress.context,
            warnings=(*_of_request(query.request), *_carried_out(output, query.request)),
        )

    def _ended(
        self,
        query: Query,
        status: QueryStatus,
        *,
        answer: QueryAnswer | None = None,
        problem: QueryProblem | None = None,
    ) -> Query:
        return replace(
            query,
            status=status,
            completed_at=self.clock.now(),
            answer=answer,
            problem=problem,
            figures=None if answer is None else Figures.of(answer),
        )

    def latency(self, progress: Progress) -> Latency:
        """Where the time has gone until now."""
        total_ms = round((self.clock.monotonic_s() - progress.deadline.since_s) * 1000)
        provider_ms, waiting_ms = round(progress.provider_s * 1000), round(progress.waiting_s * 1000)
        # Two halves of a millisecond, each rounded up, are more than their sum.
        return Latency(total_ms=max(total_ms, provider_ms + waiting_ms), provider_ms=provider_ms, waiting_ms=waiting_ms)


def _untried(query: Query) -> Query:
    """As it was before the worker that holds it took it up."""
    attempts = query.attempts - 1
    return replace(query, attempts=attempts, started_at=query.started_at if attempts else None)


def _of_request(request: QueryRequest) -> tuple[str, ...]:
    """The warnings about the request alone. They are the same for every answer to it."""
    return (*request.notes, *(request.origin.warnings if request.origin else ()))


def _carried_out(said: ChatAnswer | Output, request: QueryRequest) -> Sequence[str]:
    """What is told of the answer's links to a request that asks for that."""
    if request.sanitize is None or request.sanitize.links is None:
        return ()
    from llm_gateway.services.privacy.links import warnings_about

    return warnings_about(said)


def _stood_in(attempts: Sequence[Attempt]) -> Iterator[str]:
    """The warning that another than the first candidate answered, where one did."""
    first, last = attempts[0], attempts[-1]
    if (first.provider, first.model) != (last.provider, last.model):
        yield (
            f"{last.provider}/{last.model} answered, since {first.provider}/{first.model} did not ({first.error_code})."
        )


def _logged_share(request: QueryRequest, caller: Caller) -> float:
    """The prompt's, where it has one, else the key's."""
    own = request.origin.log_bodies if request.origin else None
    return caller.log_bodies if own is None else own


def _kept_terms(caller: Caller) -> Terms | None:
    """For the worker, where the key says anything of its queries."""
    terms = Terms.of(caller)
    return None if terms == FREE else terms


def _joined(deltas: Sequence[Delta]) -> Output:
    """What the pieces of an answer make together."""
    calls: dict[int, ToolCall] = {}
    for delta in deltas:
        if isinstance(delta, ToolCallDelta):
            call = calls.get(delta.index, ToolCall(id=delta.id or "", name=delta.name or "", arguments=""))
            calls[delta.index] = replace(call, arguments=call.arguments + delta.arguments)
    text = "".join(delta.text for delta in deltas if isinstance(delta, TextDelta))
    thought = "".join(delta.text for delta in deltas if isinstance(delta, ReasoningDelta))
    return Output(
        text=text or None,
        tool_calls=tuple(calls[index] for index in sorted(calls)),
        reasoning=Reasoning(text=thought) if thought else None,
    )
