"""The charge: what a query takes of its key's limits and budget before it is answered, and what it has used at its end."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from decimal import Decimal
from typing import Final

from llm_gateway.domain.accounts import Account, Need, Room, Taken, Use, check_size
from llm_gateway.domain.budgets import bounded
from llm_gateway.domain.call_prices import CallPrice
from llm_gateway.domain.gates import tokens_used
from llm_gateway.domain.limits import duration_ns, to_ns
from llm_gateway.domain.metrics import CallResult
from llm_gateway.domain.money import EXACT
from llm_gateway.domain.queries import Attempt, Query, lifetime
from llm_gateway.domain.routing import Plan, Step, first_step
from llm_gateway.domain.terms import Terms
from llm_gateway.errors import BudgetExceeded, GatewayError
from llm_gateway.ports.keys import QueryAccounts
from llm_gateway.ports.system import Clock
from llm_gateway.values import dataclass

_ID_LENGTH: Final = 12  # 60 random bits of a ULID: enough among the queries of a key, and short to keep.
_ZERO: Final = Decimal(0)
_MOST_TOKENS: Final = 10_000_000  # Of one call: more than any model reads or writes.

TellRoom = Callable[[Room], None]
Prices = Mapping[tuple[str, str], CallPrice | None]


def unheard(_: Room) -> None:
    """For those who do not ask how much room a key has left."""


@dataclass(slots=True, kw_only=True)
class Charge:
    """It is taken in booking, beside everything else; settled at the query's end, or given back where it was refused.

    A query reserves the price of one call of its dearest candidate. Each further call must fit too: what the calls before it have
    cost is reserved on top of it. `tokens_used` and `spent_usd` are of this try's calls. A try that `is_later` looks whether the
    budget is used up before each of its calls: what the tries before it have cost is spent beside the reservation. `refusal` is
    what kept it from being taken; it counts when nothing else has ended the query.
    """

    accounts: QueryAccounts
    account: Account
    need: Need
    prices: Prices
    clock: Clock
    tell_room: TellRoom = unheard
    taken: Taken | None = None
    is_later: bool = False
    refusal: GatewayError | None = None
    tokens_used: int = 0
    spent_usd: Decimal = _ZERO

    def take(self) -> None:
        """Takes all that the query needs, or keeps the refusal."""
        try:
            taking = self.accounts.take(self.account, self.need)
        except GatewayError as error:
            self.refusal = error
            return
        self.taken, self.refusal = taking.taken, taking.refusal
        if taking.room:
            self.tell_room(taking.room)

    def check(self) -> None:
        """Raises what kept the charge from being taken."""
        if self.refusal is not None:
            raise self.refusal

    def take_for_nothing(self) -> None:
        """Takes a request alone, for an answer from before that costs neither tokens nor money. Raises as `check`."""
        if isinstance(self.refusal, BudgetExceeded):
            self.need = replace(self.need, tokens=0, usd=_ZERO)
            self.take()
        self.check()

    def cover(self, step: Step) -> None:
        """Reserves more where what was spent and the next call are more than is reserved. Raises `BudgetExceeded`."""
        if self.taken is None or self.taken.hold is None or step.price is None:
            return
        lacking = EXACT.subtract(EXACT.add(self.spent_usd, step.price.upper_usd), self.taken.hold.amount)
        if lacking <= 0 and not self.is_later:
            return
        taking = self.accounts.extend(self.taken, by=bounded(lacking))
        if taking.refusal:
            raise taking.refusal
        self.taken = taking.taken

    def count(self, attempt: Attempt, result: CallResult) -> None:
        """Counts what a call that has ended has used and cost."""
        used = tokens_used(result, reserved=self.need.tokens)
        self.tokens_used += used if used <= _MOST_TOKENS else self.need.tokens
        self.spent_usd = bounded(EXACT.add(self.spent_usd, self._cost_usd(attempt, result)))

    def note(self) -> None:
        """Notes what was used by a query that is tried again."""
        use = Use(tokens=self.tokens_used, usd=self.spent_usd)
        if self.taken and (use.tokens or use.usd):
            self.accounts.note(self.taken, use)

    def settle(self, *, refused: bool) -> None:
        """Puts what was used in the place of what was taken, once. One that was `refused` counts as no request."""
        taken, self.taken = self.taken, None
        if taken:
            self.accounts.settle(taken, Use(tokens=self.tokens_used, usd=self.spent_usd, refused=refused))

    def give_back(self) -> None:
        """Gives back all that was taken, for a query that was refused before it was accepted."""
        self.settle(refused=True)

    def _cost_usd(self, attempt: Attempt, result: CallResult) -> Decimal:
        """What a call has cost, as far as that can be believed; what has no price counts as nothing.

        The most that it should cost, where the provider may bill it and nobody knows how much.
        """
        price, cost_usd = self.prices.get((attempt.provider, attempt.model)), attempt.cost_usd
        if price is None:
            return max(cost_usd or _ZERO, _ZERO)
        if cost_usd is None or not result.is_told:
            return price.upper_usd if result.may_be_billed else _ZERO
        return price.believed(cost_usd)


@dataclass(frozen=True, slots=True, kw_only=True)
class Charges:
    """Makes charges. For a key without limits and budget there is none, and nothing is asked of its account."""

    accounts: Callable[[], QueryAccounts]
    clock: Clock

    def of(self, query: Query, terms: Terms, plan: Plan, *, tell_room: TellRoom = unheard) -> Charge | None:
        """What the query is to take. Raises `ValidationFailed` where it needs more tokens than its key may ever use."""
        account = Account(key_id=query.owner, limits=terms.limits, budget=terms.budget)
        if account.keeps_nothing:
            return None
        prices = {
            (step.candidate.provider.id, step.candidate.model.name): step.price
            for step in plan
            if isinstance(step, Step)
        }
        now_ns, tokens = to_ns(self.clock.now()), first_step(plan).key_tokens
        if query.taken is None:
            check_size(account, tokens=tokens)
        need = Need(
            query_id=query.id[-_ID_LENGTH:],
            tokens=tokens,
            usd=bounded(max((price.upper_usd for price in prices.values() if price), default=_ZERO)),
            now_ns=now_ns,
            until_ns=now_ns + duration_ns(_life_s(query)),
        )
        return Charge(
            accounts=self.accounts(),
            account=account,
            need=need,
            prices=prices,
            clock=self.clock,
            tell_room=tell_room,
            taken=query.taken,
            is_later=query.attempts > 1 or query.fault is not None,
        )


def _life_s(query: Query) -> float:
    """For how long a reservation is kept for a process that does not say a word: one that waits may begin at its very end."""
    waits_s = query.request.timeout_s if query.mode == "async" else 0
    return waits_s + lifetime(query.request).total_seconds()
