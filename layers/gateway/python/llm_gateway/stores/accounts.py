"""Keys' accounts over stored items: what a query needs is taken with one write, and settled with another.

Round trips of `take`: 1 where the item is as this process last saw it; 2 where a bucket has turned or a period has begun since,
where the query is refused, and in a process's first call; never more than `TRIES`. Of `settle`: 1, or 2 where the item has
changed in what the write depends on; and once in a period, for each part of a budget that is told of, one more and the telling.

A write that settles is sent once. Where its answer is lost, the item tells whether it was done: the reservation is gone then.
"""

import logging
from collections.abc import Callable
from dataclasses import replace
from decimal import Decimal

from llm_gateway.domain import budgets
from llm_gateway.domain.accounts import (
    Account,
    Need,
    Place,
    Taken,
    Taking,
    Use,
    error_of,
    guess,
    has_taken,
    over_budget,
    places_of,
    plan,
    room_of,
    scope_of,
    settlement,
    taken_from,
    unseen,
    used_meanwhile,
)
from llm_gateway.domain.budget_news import news_of
from llm_gateway.domain.keys import ApiKey, Budget, BudgetState
from llm_gateway.domain.limits import to_ns
from llm_gateway.domain.money import EXACT
from llm_gateway.domain.passing import Reason, Refusal
from llm_gateway.domain.writes import EntryEqual, Item, Write
from llm_gateway.errors import DependencyUnavailable
from llm_gateway.ports.keys import BudgetEvents
from llm_gateway.ports.system import Clock
from llm_gateway.stores.connection import Aws
from llm_gateway.stores.items import DynamoItems, Items
from llm_gateway.stores.sights import TRIES, Sights, View

_log = logging.getLogger(__name__)


def dynamo_key_accounts(*, aws: Aws, table: str, clock: Clock, events: BudgetEvents) -> "StoredKeyAccounts":
    items = DynamoItems(aws=aws, table=table, key_name="scope", holding="limits")
    return StoredKeyAccounts(items=items, clock=clock, events=events)


class StoredKeyAccounts:
    def __init__(self, *, items: Items, clock: Clock, events: BudgetEvents) -> None:
        self._items = items
        self._clock = clock
        self._events = events
        self._sights = Sights(clock, items)

    def take(self, account: Account, need: Need) -> Taking:
        places, now_ns = places_of(account), need.now_ns
        seen = unseen(account, now_ns=now_ns)
        view = self._sights.view([place.scope for place in places], now_ns=now_ns, unseen=seen)
        passed = self._sights.pass_through(
            view,
            lambda: [(place, plan(place, view.items[place.scope], need)) for place in places],
            request_id=need.query_id,
            has_passed=lambda item: has_taken(item, need),
        )
        if passed is None:
            raise _too_contended()
        if isinstance(passed, Refusal):
            return self._refused(account, places, view, passed, need)
        place, item = passed
        room = room_of(account, places, view.items, now_ns=now_ns)
        return Taking(taken=taken_from(account, place, item, need), room=room)

    def extend(self, taken: Taken, *, by: Decimal) -> Taking:
        hold, budget = taken.hold, taken.budget
        if hold is None or budget is None:
            return Taking(taken=taken)
        wanted, now_ns = EXACT.add(hold.amount, by), to_ns(self._clock.now())
        met, is_fresh = self._known(taken), False
        for _ in range(TRIES):
            change = budgets.extending(budget, met, hold, by=by, now_ns=now_ns)
            if isinstance(change, Refusal) and is_fresh:
                return Taking(refusal=over_budget(budget, change, usd=wanted))
            if isinstance(change, Refusal):
                met, is_fresh = self._items.read([taken.scope])[taken.scope], True
                continue
            if not change.changes:
                return Taking(taken=taken)
            outcome = self._items.write(taken.scope, change)
            self._sights.remember({taken.scope: outcome.item})
            met, is_fresh = outcome.item, True
            kept = budgets.hold_in(met, entry=hold.entry)
            if kept and (outcome.done or kept.amount == wanted):
                return Taking(taken=replace(taken, hold=kept))
        raise _too_contended()

    def note(self, taken: Taken, use: Use) -> None:
        now_ns = to_ns(self._clock.now())
        self._carry_out(taken, lambda item: used_meanwhile(taken, use, item, now_ns=now_ns), has_spent=use.usd > 0)

    def settle(self, taken: Taken, use: Use) -> None:
        now_ns = to_ns(self._clock.now())
        self._carry_out(taken, lambda item: settlement(taken, use, item, now_ns=now_ns), has_spent=use.usd > 0)

    def state(self, key: ApiKey) -> BudgetState | None:
        if key.budget_usd is None:
            return None
        scope = scope_of(key.id)
        return budgets.state_of(key.budget_usd, self._items.read([scope])[scope], now_ns=to_ns(self._clock.now()))

    def _refused(self, account: Account, places: tuple[Place, ...], view: View, refusal: Refusal, need: Need) -> Taking:
        home = places[0].scope
        if account.budget and refusal.reason is Reason.BUDGET:
            used_up = budgets.is_used_up(account.budget, view.items[home], usd=need.usd)
            self._tell(home, account.budget, view.items[home], key_id=account.key_id, used_up=used_up)
        room = room_of(account, places, view.items, now_ns=need.now_ns)
        return Taking(refusal=error_of(account, refusal, need), room=room)

    def _carry_out(self, taken: Taken, plan: Callable[[Item], Write], *, has_spent: bool) -> None:
        """Writes what `plan` says for the account's item, if anything, and tells what there is to tell of what is spent."""
        try:
            item = self._written(taken, plan)
            if taken.budget and has_spent:
                self._tell(taken.scope, taken.budget, item, key_id=taken.key_id)
        except Exception:
            # Whatever it was: the answer is there, and has been paid for.
            _log.warning("What a query used of key %s is not settled.", taken.key_id, exc_info=True)

    def _written(self, taken: Taken, plan: Callable[[Item], Write]) -> Item:
        met = self._known(taken)
        for _ in range(TRIES):
            write = plan(met)
            if not write.changes:
                return met
            try:
                outcome = self._items.write(taken.scope, write, repeatable=False)
            except DependencyUnavailable:
                if not any(isinstance(condition, EntryEqual) for condition in write.conditions):
                    # It may have been done: what only adds must not be sent again.
                    raise
                met = self._items.read([taken.scope])[taken.scope]
                if taken.hold and budgets.hold_in(met, entry=taken.hold.entry) is None:
                    return met
                continue
            met = outcome.item
            self._sights.remember({taken.scope: met})
            if outcome.done:
                return met
        raise _too_contended()

    def _tell(self, scope: str, budget: Budget, item: Item, *, key_id: str, used_up: bool = False) -> None:
        """Of all that see what a budget has reached, the one whose write is done tells of it."""
        claim, news = news_of(budget, item, key_id=key_id, used_up=used_up)
        try:
            is_ours = bool(news) and self._items.write(scope, claim, repeatable=False).done
        except DependencyUnavailable:
            _log.warning("What key %s has spent is told of later.", key_id)
            return
        for each in news if is_ours else ():
            self._events.reached(each)

    def _known(self, taken: Taken) -> Item:
        return self._sights.find(taken.scope) or guess(taken)


def _too_contended() -> DependencyUnavailable:
    return DependencyUnavailable("The key's limits are too contended right now.", retry_after_s=1)
