"""The charge of a query for embeddings: what it takes of its key before anybody is asked, and room for each further call."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from decimal import ROUND_FLOOR, Context, Decimal
from threading import Lock
from typing import Final

from llm_gateway.domain.accounts import Account, Need, Taken, Use, check_size
from llm_gateway.domain.budgets import bounded
from llm_gateway.domain.embeddings import EmbeddingQuery
from llm_gateway.domain.gates import tokens_used
from llm_gateway.domain.limits import duration_ns, to_ns
from llm_gateway.domain.metrics import CallResult
from llm_gateway.domain.money import EXACT, total
from llm_gateway.domain.queries import Attempt
from llm_gateway.ports.keys import QueryAccounts
from llm_gateway.ports.system import Clock
from llm_gateway.services.embeddings.planning import EmbeddingPlan, EmbeddingStep

_SPARE_S: Final = 30
_ID_LENGTH: Final = 12
_ZERO: Final = Decimal(0)
# Rounded down: the parts of a price together are never more than the whole.
_DOWN: Final = Context(prec=40, rounding=ROUND_FLOOR)


@dataclass(frozen=True, slots=True, kw_only=True)
class Made:
    """A call that was made: how it ended, and the tokens that were reserved for it."""

    attempt: Attempt
    result: CallResult
    reserved: int


@dataclass(slots=True, kw_only=True)
class EmbeddingCharge:
    """It reserves what all texts cost at the dearest candidate. A call beyond that, which tries again or elsewhere, must fit too.

    Batches run beside each other: the price of a call counts from before it is made, and what it has cost takes its place.
    """

    plan: EmbeddingPlan
    accounts: QueryAccounts | None = None
    taken: Taken | None = None
    committed_usd: Decimal = _ZERO
    _lock: Lock = field(default_factory=Lock)

    def cover(self, step: EmbeddingStep, tokens: int) -> Decimal:
        """What a call with so many `tokens` may cost, from now on reserved. Raises `BudgetExceeded`."""
        price = self.price(step, tokens)
        with self._lock:
            wanted = EXACT.add(self.committed_usd, price)
            if self.accounts and self.taken and self.taken.hold and wanted > self.taken.hold.amount:
                by = bounded(EXACT.subtract(wanted, self.taken.hold.amount))
                taking = self.accounts.extend(self.taken, by=by)
                if taking.refusal:
                    raise taking.refusal
                self.taken = taking.taken
            self.committed_usd = wanted
        return price

    def replace(self, price: Decimal, made: Made | None) -> None:
        """Puts what a call has cost in the place of its `price`; nothing where it was not made."""
        cost_usd = self.cost_usd(made) if made else _ZERO
        with self._lock:
            self.committed_usd = EXACT.add(EXACT.subtract(self.committed_usd, price), bounded(cost_usd))

    def settle(self, made: Iterable[Made]) -> None:
        """Puts what the calls used in the place of what was taken.

        One that may be billed nobody knows how much counts with what was reserved for it. A query of which nothing reached a
        provider counts as no request.
        """
        if self.accounts is None or self.taken is None:
            return
        calls = list(made)
        tokens = sum(tokens_used(one.result, reserved=one.reserved) for one in calls)
        usd = bounded(total(self.cost_usd(one) for one in calls))
        self.accounts.settle(self.taken, Use(tokens=tokens, usd=usd, refused=not calls))

    def price(self, step: EmbeddingStep, tokens: int) -> Decimal:
        """The part of the price of all texts; nothing where nobody knows it."""
        whole = step.upper_usd or _ZERO
        return _DOWN.divide(_DOWN.multiply(whole, Decimal(tokens)), Decimal(max(sum(self.plan.tokens), 1)))

    def cost_usd(self, made: Made) -> Decimal:
        if made.attempt.cost_usd is not None:
            return max(made.attempt.cost_usd, _ZERO)
        if not made.result.may_be_billed:
            return _ZERO
        step = next(step for step in self.plan.steps if step.provider.id == made.attempt.provider)
        return self.price(step, made.reserved)


@dataclass(frozen=True, slots=True, kw_only=True)
class EmbeddingCharges:
    """Makes charges. For a key without limits and budget nothing is asked of its account."""

    accounts: Callable[[], QueryAccounts]
    clock: Clock

    def take(self, asked: EmbeddingQuery, plan: EmbeddingPlan) -> EmbeddingCharge:
        """Raises `RateLimited`, `BudgetExceeded`, and `ValidationFailed` where it needs more than the key may ever use."""
        account = Account(key_id=asked.owner, limits=asked.terms.limits, budget=asked.terms.budget)
        if account.keeps_nothing:
            return EmbeddingCharge(plan=plan)
        tokens, now = sum(plan.tokens), self.clock.now()
        check_size(account, tokens=tokens)
        need = Need(
            query_id=asked.id[-_ID_LENGTH:],
            tokens=tokens,
            usd=bounded(max((step.upper_usd or _ZERO for step in plan.steps), default=_ZERO)),
            now_ns=to_ns(now),
            until_ns=to_ns(now) + duration_ns(asked.timeout_s + _SPARE_S),
        )
        accounts = self.accounts()
        taking = accounts.take(account, need)
        if taking.room:
            asked.tell_room(taking.room)
        if taking.refusal:
            raise taking.refusal
        return EmbeddingCharge(plan=plan, accounts=accounts, taken=taking.taken)
