"""Asking for embeddings: within a key's limits and budget, batch by batch, at one provider after the other of the same model."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import Final

from llm_gateway.domain.accounts import Account, Need, Taken, Use, check_size
from llm_gateway.domain.budgets import bounded
from llm_gateway.domain.chat import Usage
from llm_gateway.domain.embeddings import Embedded, EmbeddingQuery, Embeddings, batches
from llm_gateway.domain.faults import ProviderFault, ProviderRateLimited, ProviderResponseInvalid
from llm_gateway.domain.gates import tokens_used
from llm_gateway.domain.limits import duration_ns, to_ns
from llm_gateway.domain.money import total
from llm_gateway.domain.queries import Attempt, AttemptOutcome
from llm_gateway.errors import DependencyUnavailable, GatewayError, NoProviderAvailable, UnsupportedParameter
from llm_gateway.ports.keys import QueryAccounts
from llm_gateway.ports.system import Clock
from llm_gateway.services.embeddings.calls import EmbeddingCalls, Made, Progress
from llm_gateway.services.embeddings.planning import EmbeddingPlan, EmbeddingPlanner, EmbeddingStep
from llm_gateway.services.together import Beside

# How many batches are on their way at once: a model that takes one text a call would else take minutes for a page of them.
_AT_ONCE: Final = 8
_SPARE_S: Final = 30
_ID_LENGTH: Final = 12
# These say nothing about the next candidate; other errors are the query's own.
_OF_ONE_CANDIDATE: Final = (ProviderFault, DependencyUnavailable, UnsupportedParameter)


@dataclass(frozen=True, slots=True, kw_only=True)
class EmbeddingService:
    """The `Embedder` port."""

    planner: EmbeddingPlanner
    calls: EmbeddingCalls
    accounts: Callable[[], QueryAccounts]
    clock: Clock

    def embed(self, asked: EmbeddingQuery) -> Embedded:
        """As the port says. What was used is charged, whatever becomes of the query."""
        plan = self.planner.plan(asked)
        progress = Progress()
        taken = self._take(asked, plan)
        try:
            step, found = self._ask(plan, asked, progress)
        except GatewayError as error:
            error.attempts = _in_short(progress.attempts)
            raise
        finally:
            if taken:
                self.accounts().settle(taken, _use(progress.made, plan))
        return _embedded(step, found, progress)

    def _take(self, asked: EmbeddingQuery, plan: EmbeddingPlan) -> Taken | None:
        """Raises `RateLimited`, `BudgetExceeded`, and `ValidationFailed` where it needs more than the key may ever use."""
        account = Account(key_id=asked.owner, limits=asked.terms.limits, budget=asked.terms.budget)
        if account.keeps_nothing:
            return None
        tokens, now = sum(plan.tokens), self.clock.now()
        check_size(account, tokens=tokens)
        need = Need(
            query_id=asked.id[-_ID_LENGTH:],
            tokens=tokens,
            usd=bounded(max((step.upper_usd or Decimal(0) for step in plan.steps), default=Decimal(0))),
            now_ns=to_ns(now),
            until_ns=to_ns(now) + duration_ns(asked.timeout_s + _SPARE_S),
        )
        taking = self.accounts().take(account, need)
        if taking.room:
            asked.tell_room(taking.room)
        if taking.refusal:
            raise taking.refusal
        return taking.taken

    def _ask(
        self, plan: EmbeddingPlan, asked: EmbeddingQuery, progress: Progress
    ) -> tuple[EmbeddingStep, list[Embeddings]]:
        """The first candidate that embeds all texts. Raises its own fault where it is alone."""
        faults: list[GatewayError] = []
        for step in plan.steps:
            try:
                return step, self._all(step, plan, asked, progress)
            except _OF_ONE_CANDIDATE as fault:
                if isinstance(fault, ProviderFault) and not fault.falls_over:
                    raise
                faults.append(fault)
        raise faults[0] if len(faults) == 1 else _nobody(faults)

    def _all(
        self, step: EmbeddingStep, plan: EmbeddingPlan, asked: EmbeddingQuery, progress: Progress
    ) -> list[Embeddings]:
        """One candidate's vectors of all texts, a few batches at a time."""
        found: list[Embeddings] = []
        waiting = list(batches(asked.texts, plan.tokens, step.profile))
        while waiting:
            some, waiting = waiting[:_AT_ONCE], waiting[_AT_ONCE:]
            with Beside() as beside:
                tasks = [
                    beside.start(_bound(self.calls, step, texts, tokens, asked, progress)) for texts, tokens in some
                ]
            found += [task.result for task in tasks]
        if len({len(one.vectors[0]) for one in found}) != 1:
            raise ProviderResponseInvalid("The provider's embeddings are not all of the same length.")
        return found


def _bound(
    calls: EmbeddingCalls,
    step: EmbeddingStep,
    texts: tuple[str, ...],
    tokens: int,
    asked: EmbeddingQuery,
    progress: Progress,
) -> Callable[[], Embeddings]:
    return lambda: calls.embed(step, texts, tokens, asked, progress)


def _use(made: Iterable[Made], plan: EmbeddingPlan) -> Use:
    """What the calls used. One that may be billed nobody knows how much counts with what was reserved for it.

    A query of which nothing reached a provider counts as no request.
    """
    calls = list(made)
    tokens = sum(tokens_used(one.result, reserved=one.reserved) for one in calls)
    return Use(tokens=tokens, usd=bounded(total(_cost_usd(one, plan) for one in calls)), refused=not calls)


def _cost_usd(made: Made, plan: EmbeddingPlan) -> Decimal:
    if made.attempt.cost_usd is not None:
        return max(made.attempt.cost_usd, Decimal(0))
    if not made.result.may_be_billed:
        return Decimal(0)
    step = next(step for step in plan.steps if step.provider.id == made.attempt.provider)
    return (step.upper_usd or Decimal(0)) * made.reserved / max(sum(plan.tokens), 1)


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
    return NoProviderAvailable(f"No provider could answer. {told}.", retry_after_s=soonest_s)
