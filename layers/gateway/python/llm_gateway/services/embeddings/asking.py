"""Asking for embeddings: within a key's limits and budget, batch by batch, at one provider after the other of the same model."""

import logging
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import Executor, ThreadPoolExecutor, wait
from contextvars import copy_context
from dataclasses import dataclass, replace
from typing import Final

from llm_gateway.domain.chat import Usage
from llm_gateway.domain.embeddings import Embedded, EmbeddingQuery, Embeddings, batches
from llm_gateway.domain.faults import (
    CircuitOpen,
    ProviderFault,
    ProviderNotConnected,
    ProviderRateLimited,
    ProviderResponseInvalid,
)
from llm_gateway.domain.money import total
from llm_gateway.domain.queries import Attempt, AttemptOutcome
from llm_gateway.errors import (
    AnswerLost,
    DependencyUnavailable,
    GatewayError,
    NoProviderAvailable,
    UnsupportedParameter,
)
from llm_gateway.services.embeddings.calls import EmbeddingCalls, Progress
from llm_gateway.services.embeddings.charge import EmbeddingCharges
from llm_gateway.services.embeddings.planning import EmbeddingPlan, EmbeddingPlanner, EmbeddingStep

_log = logging.getLogger(__name__)

# How many batches are on their way at once: a model that takes one text a call would else take minutes for a page of them.
_AT_ONCE: Final = 8
# These say nothing about the next candidate; other errors are the query's own.
_OF_ONE_CANDIDATE: Final = (ProviderFault, DependencyUnavailable, UnsupportedParameter)


@dataclass(frozen=True, slots=True, kw_only=True)
class EmbeddingService:
    """The `Embedder` port."""

    planner: EmbeddingPlanner
    calls: EmbeddingCalls
    charges: EmbeddingCharges

    def embed(self, asked: EmbeddingQuery) -> Embedded:
        """As the port says. What was used is charged, whatever becomes of the query; an error tells the calls that were made."""
        plan = self.planner.plan(asked)
        progress = Progress(charge=self.charges.take(asked, plan))
        try:
            step, found = self._ask(plan, asked, progress)
            return _embedded(step, found, progress)
        except GatewayError as error:
            error.attempts = _in_short(progress.attempts)
            raise
        except Exception as error:
            raise _unforeseen(error, progress) from error
        finally:
            _settle(progress)

    def _ask(
        self, plan: EmbeddingPlan, asked: EmbeddingQuery, progress: Progress
    ) -> tuple[EmbeddingStep, list[Embeddings]]:
        """The first candidate that embeds all texts. Raises its own fault where it is alone, and could be called."""
        faults: list[GatewayError] = []
        for step in plan.steps:
            try:
                return step, self._all(step, plan, asked, progress)
            except _OF_ONE_CANDIDATE as fault:
                if isinstance(fault, ProviderFault) and not fault.falls_over:
                    raise
                faults.append(fault)
        if len(faults) == 1 and not isinstance(faults[0], CircuitOpen | ProviderNotConnected):
            raise faults[0]
        raise _nobody(faults)

    def _all(
        self, step: EmbeddingStep, plan: EmbeddingPlan, asked: EmbeddingQuery, progress: Progress
    ) -> list[Embeddings]:
        """One candidate's vectors of all texts, a few batches at a time."""
        found: list[Embeddings] = []
        waiting = [
            _bound(self.calls, step, texts, tokens, asked, progress)
            for texts, tokens in batches(asked.texts, plan.tokens, step.profile)
        ]
        # Threads of their own: a provider that hangs keeps none of those that every query takes in passing.
        with ThreadPoolExecutor(max_workers=_AT_ONCE, thread_name_prefix="embeddings") as threads:
            while waiting:
                some, waiting = waiting[:_AT_ONCE], waiting[_AT_ONCE:]
                found += _beside_each_other(some, threads)
        if len({len(one.vectors[0]) for one in found}) != 1:
            fault = ProviderResponseInvalid("The provider's embeddings are not all of the same length.")
            fault.provider = step.provider.id
            raise fault
        return found


def _unforeseen(error: Exception, progress: Progress) -> GatewayError:
    """What is told of an error that nobody foresaw: a client that reads of paid vectors does not ask, and pay, again."""
    # Not everybody tells the door of it: a context is then ranked by words.
    _log.error("A query for embeddings failed in an unforeseen way: %s.", type(error).__qualname__)
    is_paid = any(attempt.outcome is AttemptOutcome.OK for attempt in progress.attempts)
    told = (
        AnswerLost()
        if is_paid
        else GatewayError("Something unforeseen happened. The request_id helps to find out what.")
    )
    told.attempts = _in_short(progress.attempts)
    return told


def _settle(progress: Progress) -> None:
    """What fails in that is no reason to keep vectors from a caller that would pay for them again."""
    try:
        progress.charge.settle(progress.made)
    except Exception as error:
        _log.error("What embeddings took of their key's account is not settled: %s.", type(error).__qualname__)


def _beside_each_other(calls: Sequence[Callable[[], Embeddings]], threads: Executor) -> list[Embeddings]:
    """What the calls give, the first of them in the caller's thread. The first error is raised once all have ended."""
    others = [threads.submit(copy_context().run, call) for call in calls[1:]]
    try:
        first = calls[0]()
    finally:
        wait(others)
    return [first, *(other.result() for other in others)]


def _bound(
    calls: EmbeddingCalls,
    step: EmbeddingStep,
    texts: tuple[str, ...],
    tokens: int,
    asked: EmbeddingQuery,
    progress: Progress,
) -> Callable[[], Embeddings]:
    return lambda: calls.embed(step, texts, tokens, asked, progress)


def _embedded(step: EmbeddingStep, found: Sequence[Embeddings], progress: Progress) -> Embedded:
    costs = [made.attempt.cost_usd for made in progress.made if made.result.usage is not None]
    return Embedded(
        vectors=tuple(vector for one in found for vector in one.vectors),
        provider=step.provider.id,
        model=found[-1].model,
        usage=Usage(
            input_tokens=sum(one.usage.input_tokens for one in found),
            estimated=any(one.usage.estimated for one in found),
        ),
        cost_usd=None if None in costs else total(cost for cost in costs if cost is not None),
        attempts=_in_short(progress.attempts),
    )


def _in_short(attempts: Iterable[Attempt]) -> tuple[Attempt, ...]:
    """The calls that went well at one provider as one: a thousand texts may have been a thousand calls."""
    told: list[Attempt] = []
    for attempt in attempts:
        last = told[-1] if told else None
        if last and last.outcome is attempt.outcome is AttemptOutcome.OK and last.provider == attempt.provider:
            known = last.cost_usd is not None and attempt.cost_usd is not None
            told[-1] = replace(
                last,
                latency_ms=last.latency_ms + attempt.latency_ms,
                cost_usd=total((last.cost_usd, attempt.cost_usd)) if known else None,  # type: ignore[arg-type]
            )
        else:
            told.append(attempt)
    return tuple(told)


def _nobody(faults: Sequence[GatewayError]) -> GatewayError:
    """What several failures have in common."""
    soonest_s = min((fault.retry_after_s or 0 for fault in faults), default=0) or None
    told = "; ".join(f"{fault.provider}: {fault.detail.rstrip('.')}" for fault in faults)
    if all(isinstance(fault, ProviderRateLimited) for fault in faults):
        return ProviderRateLimited(f"Every provider is at its limit. {told}.", retry_after_s=soonest_s)
    nobody = NoProviderAvailable(f"No provider could answer. {told}.", retry_after_s=soonest_s)
    nobody.provider = faults[0].provider if len(faults) == 1 else None
    return nobody
