"""Keys' accounts: what passes, what a refusal says, what is settled, and what is left behind by those who never report."""

import logging
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from decimal import Decimal

import pytest
from llm_gateway.domain.accounts import Taken, Use, places_of
from llm_gateway.domain.budgets import MOST_HELD, MOST_SWEPT, MOST_USD, bounded
from llm_gateway.domain.keys import Period
from llm_gateway.domain.shards import REQUESTS_PER_SHARD
from llm_gateway.domain.writes import Item, Write
from llm_gateway.errors import BudgetExceeded, DependencyUnavailable, RateLimited
from llm_gateway.stores.codec import from_json, to_json
from llm_gateway.stores.items import DynamoItems, Items, Outcome

from tests.adapters.clock import FakeClock
from tests.adapters.items import InMemoryItems
from tests.stores.accounting import LASTS_S, Deployment, account, key_of

NOON = datetime(2026, 11, 22, 12, tzinfo=UTC)
AWAY = DependencyUnavailable("It cannot be reached.")


@pytest.fixture(params=["memory", "aws"])
def deployment(request: pytest.FixtureRequest) -> Deployment:
    if request.param == "memory":
        return Deployment()
    aws, settings = request.getfixturevalue("aws"), request.getfixturevalue("settings")
    return Deployment(DynamoItems(aws=aws, table=settings.limits_table, key_name="scope", holding="limits"))


@dataclass
class Losing:
    """Items that do what they are told and whose answers are lost, `times` times."""

    items: Items
    times: int
    done_first: bool = True
    writes: list[Write] = field(default_factory=list)

    def write(self, key: str, write: Write, *, repeatable: bool = True) -> Outcome:
        self.writes.append(write)
        if self.times and write.changes:
            self.times -= 1
            if self.done_first:
                self.items.write(key, write)
            if repeatable:
                return self.items.write(key, write)
            raise AWAY
        return self.items.write(key, write)

    def read(self, keys: Sequence[str]) -> dict[str, Item]:
        return self.items.read(keys)


# Limits


def test_as_many_pass_at_once_as_the_burst_and_the_next_when_it_was_told(deployment: Deployment) -> None:
    limited = account(requests_per_minute=20)
    passed, taking = deployment.pass_until_refused(limited)
    assert passed == 4
    assert isinstance(taking.refusal, RateLimited)
    assert taking.refusal.retry_after_s == pytest.approx(60 / 17, abs=1e-5)
    deployment.clock.advance(taking.refusal.retry_after_s - 0.000002)
    assert deployment.take(limited).refusal
    deployment.clock.advance(0.000002)
    assert deployment.take(limited).taken


def test_the_limits_of_one_key_are_nothing_to_another(deployment: Deployment) -> None:
    deployment.pass_until_refused(account(requests_per_minute=20))
    assert deployment.take(account(requests_per_minute=20, key_id="key_2")).taken


def test_tokens_are_reserved_and_what_was_not_used_is_given_back(deployment: Deployment) -> None:
    limited = account(tokens_per_minute=50_000)
    first = deployment.taken(limited, tokens=8_000)
    assert isinstance(deployment.take(limited, tokens=8_000).refusal, RateLimited)
    deployment.settle(first, tokens=1_000)
    assert deployment.take(limited, tokens=8_000).taken


def test_one_that_was_refused_later_gives_its_request_back(deployment: Deployment) -> None:
    limited = account(requests_per_minute=10, burst=1)
    first = deployment.taken(limited)
    assert deployment.take(limited).refusal
    deployment.settle(first, refused=True)
    second = deployment.taken(limited)
    deployment.settle(second, refused=False)
    assert deployment.take(limited).refusal


def test_room_is_told_to_those_who_pass_and_to_those_who_do_not(deployment: Deployment) -> None:
    limited = account(requests_per_minute=20)
    rooms = [room for room in (deployment.take(limited).room for _ in range(5)) if room]
    left = [room.requests for room in rooms if room.requests]
    assert [each.remaining for each in left] == [3, 2, 1, 0, 0]
    assert {each.limit for each in left} == {20}
    assert left[-1].reset_s == pytest.approx(4 * 60 / 17, abs=1e-4)
    assert {room.tokens for room in rooms} == {None}
    of_tokens = deployment.take(account(tokens_per_minute=100, key_id="key_2")).room
    assert of_tokens is not None
    assert (of_tokens.requests, of_tokens.tokens is not None) == (None, True)
    assert deployment.take(account(key_id="key_3", budget="1")).room is None


def test_room_for_tokens_is_what_is_not_reserved(deployment: Deployment) -> None:
    limited = account(tokens_per_minute=1_000)
    rooms = [deployment.take(limited, tokens=tokens).room for tokens in (50, 100, 700)]
    left = [room.tokens for room in rooms if room and room.tokens]
    assert [(each.limit, each.remaining) for each in left] == [(1_000, 150), (1_000, 50), (1_000, 50)]
    assert left[1].reset_s == pytest.approx(150 * 60 / 801, abs=1e-4)


def test_high_limits_are_kept_in_several_items_unless_there_is_a_budget() -> None:
    hot = account(requests_per_minute=3 * REQUESTS_PER_SHARD)
    assert len(places_of(hot)) == 3
    assert len(places_of(account(requests_per_minute=3 * REQUESTS_PER_SHARD, budget="1"))) == 1
    deployment = Deployment()
    passed, taking = deployment.pass_until_refused(hot)
    assert passed == 3 * REQUESTS_PER_SHARD // 5
    assert taking.room is not None
    assert taking.room.requests is not None
    assert (taking.room.requests.limit, taking.room.requests.remaining) == (3 * REQUESTS_PER_SHARD, 0)


# Budgets


def test_a_budget_is_reserved_and_settled_by_the_exact_cost(deployment: Deployment) -> None:
    spender = account(budget="1")
    first = deployment.taken(spender, usd="0.4")
    state = deployment.state(spender)
    assert (state.spent_usd, state.reserved_usd, state.remaining_usd) == (0, Decimal("0.4"), Decimal("0.6"))
    deployment.settle(first, usd="0.000312000000000001")
    state = deployment.state(spender)
    assert state.spent_usd == Decimal("0.000312000000000001")
    assert state.reserved_usd == 0
    assert state.remaining_usd == Decimal("0.999687999999999999")
    assert state.resets_at == datetime(2026, 12, 1, tzinfo=UTC)
    deployment.check_books()


def test_what_does_not_fit_is_refused_until_there_is_room(deployment: Deployment) -> None:
    spender = account(budget="1")
    passed, taking = deployment.pass_until_refused(spender, usd="0.3")
    assert passed == 3
    assert isinstance(taking.refusal, BudgetExceeded)
    # Reservations alone fill it: when the first of them must be over, there is room.
    assert taking.refusal.retry_after_s == pytest.approx(LASTS_S, abs=1)
    assert deployment.take(spender, usd="0.1").taken


def test_a_budget_that_is_spent_is_refused_to_the_periods_end(deployment: Deployment) -> None:
    spender = account(budget="1", period=Period.DAY)
    for _ in range(3):
        deployment.settle(deployment.taken(spender, usd="0.3"), usd="0.3")
    refusal = deployment.take(spender, usd="0.3").refusal
    assert isinstance(refusal, BudgetExceeded)
    assert refusal.retry_after_s == pytest.approx(12 * 3600)
    deployment.clock.advance(12 * 3600)
    assert deployment.take(spender, usd="0.3").taken
    assert deployment.state(spender).spent_usd == 0


def test_a_query_that_is_dearer_than_the_whole_budget_says_so(deployment: Deployment) -> None:
    refusal = deployment.take(account(budget="1"), usd="1.01").refusal
    assert isinstance(refusal, BudgetExceeded)
    assert "whole budget" in refusal.detail
    assert "$1.01" in refusal.detail


def test_what_a_dead_process_reserved_can_be_spent_after_its_time(deployment: Deployment) -> None:
    spender = account(budget="1")
    passed, _ = deployment.pass_until_refused(spender, usd="0.1")
    assert passed == 10
    deployment.clock.advance(LASTS_S + 1)
    assert deployment.state(spender).reserved_usd == 0
    passed, _ = deployment.pass_until_refused(spender, usd="0.1")
    assert passed == 10
    deployment.check_books()
    assert len(deployment.standing().held) == 10


def test_many_orphans_are_swept_a_few_at_a_time(deployment: Deployment) -> None:
    spender = account(budget="1")
    deployment.pass_until_refused(spender, usd="0.01")
    deployment.clock.advance(LASTS_S + 1)
    assert deployment.take(spender, usd="0.05").taken
    assert len(deployment.standing().held) == 100 - MOST_SWEPT + 1
    deployment.check_books()


def test_who_settles_too_late_is_counted_all_the_same(deployment: Deployment) -> None:
    spender = account(budget="1")
    late = deployment.taken(spender, usd="0.5")
    deployment.clock.advance(LASTS_S + 1)
    deployment.taken(spender, usd="0.5")
    deployment.settle(late, usd="0.2")
    assert deployment.state(spender).spent_usd == Decimal("0.2")
    deployment.check_books()


def test_what_is_settled_after_its_period_counts_in_no_other(deployment: Deployment) -> None:
    spender = account(budget="1", period=Period.DAY)
    old = deployment.taken(spender, usd="0.5")
    deployment.clock.advance(12 * 3600)
    assert deployment.state(spender).reserved_usd == 0
    new = deployment.taken(spender, usd="0.7")
    deployment.settle(old, usd="0.4")
    assert deployment.state(spender).spent_usd == 0
    deployment.settle(new, usd="0.6")
    assert deployment.state(spender).spent_usd == Decimal("0.6")
    deployment.check_books()


def test_what_is_settled_after_its_period_while_nobody_else_came_counts_in_it(deployment: Deployment) -> None:
    spender = account(budget="1", period=Period.DAY)
    old = deployment.taken(spender, usd="0.5")
    deployment.clock.advance(12 * 3600)
    deployment.settle(old, usd="0.4")
    assert deployment.standing().spent == Decimal("0.4")
    assert deployment.state(spender).spent_usd == 0


def test_a_clock_that_is_behind_does_not_bring_a_period_back(deployment: Deployment) -> None:
    spender = account(budget="1", period=Period.DAY)
    deployment.clock.advance(12 * 3600 + 1)
    deployment.settle(deployment.taken(spender, usd="0.5"), usd="0.5")
    deployment.clock.advance(-2)
    deployment.taken(spender, usd="0.4")
    assert deployment.standing().period == "2026-11-23"
    assert deployment.standing().spent == Decimal("0.5")


def test_a_budget_of_another_period_begins_anew(deployment: Deployment) -> None:
    deployment.settle(deployment.taken(account(budget="1"), usd="0.5"), usd="0.5")
    daily = account(budget="1", period=Period.DAY)
    deployment.settle(deployment.taken(daily, usd="0.3"), usd="0.2")
    assert deployment.state(daily).spent_usd == Decimal("0.2")


@pytest.mark.parametrize(("before", "after"), [(Period.DAY, Period.MONTH), (Period.MONTH, Period.DAY)])
def test_what_was_asked_under_another_period_wipes_nothing_of_the_present_one(
    deployment: Deployment, before: Period, after: Period
) -> None:
    was, is_now = account(budget="1", period=before), account(budget="1", period=after)
    settled, noted = deployment.taken(was, usd="0.3"), deployment.taken(was, usd="0.3")
    spending = deployment.taken(is_now, usd="0.7")
    deployment.settle(spending, usd="0.6")
    deployment.taken(is_now, usd="0.2")
    deployment.accounts.note(noted, Use(tokens=0, usd=Decimal("0.2")))
    deployment.settle(noted, usd="0.2")
    deployment.settle(settled, usd="0.3")
    stood = deployment.state(is_now)
    assert (stood.spent_usd, stood.reserved_usd) == (Decimal("0.6"), Decimal("0.2"))
    assert deployment.take(is_now, usd="0.3").refusal is not None


def test_a_smaller_budget_holds_at_once(deployment: Deployment) -> None:
    deployment.settle(deployment.taken(account(budget="1"), usd="0.5"), usd="0.5")
    assert isinstance(deployment.take(account(budget="0.4"), usd="0.01").refusal, BudgetExceeded)
    assert deployment.state(account(budget="0.4")).remaining_usd == 0


def test_who_costs_nothing_needs_no_budget(deployment: Deployment) -> None:
    spender = account(budget="0", requests_per_minute=60)
    assert deployment.take(spender).taken
    assert deployment.take(spender, usd="0.000001").refusal


def test_an_unpriced_call_that_cost_something_after_all_is_counted(deployment: Deployment) -> None:
    spender = account(budget="1", requests_per_minute=60)
    for _ in range(2):
        deployment.settle(deployment.taken(spender), usd="0.25")
    assert deployment.state(spender).spent_usd == Decimal("0.5")
    deployment.check_books()


def test_limits_and_budget_are_taken_together_or_not_at_all(deployment: Deployment) -> None:
    both = account(budget="1", requests_per_minute=5, burst=5)
    for _ in range(2):
        assert deployment.take(both, usd="0.5").taken
    assert isinstance(deployment.take(both, usd="0.5").refusal, BudgetExceeded)
    passed, taking = deployment.pass_until_refused(both)
    assert passed == 3, "a refusal by the budget has taken no request"
    assert isinstance(taking.refusal, RateLimited)


def test_open_reservations_are_bounded() -> None:
    items = InMemoryItems()
    deployment, spender = Deployment(items), account(budget="1000000")
    deployment.taken(spender, usd="1")
    scope = places_of(spender)[0].scope
    until_s = int(NOON.timestamp()) + 50
    many = {f"{until_s + number % 5}-P{number}": Decimal(1) for number in range(MOST_HELD)}
    items.items[scope] = {**items.items[scope], "held": many, "committed": Decimal(MOST_HELD)}
    refusal = deployment.take(spender, usd="1").refusal
    assert isinstance(refusal, BudgetExceeded)
    assert refusal.retry_after_s == pytest.approx(50)
    deployment.clock.advance(51)
    assert deployment.take(spender, usd="1").taken


# Extensions


def test_a_further_call_is_reserved_on_top(deployment: Deployment) -> None:
    spender = account(budget="1")
    taken = deployment.taken(spender, usd="0.4")
    more = deployment.accounts.extend(taken, by=Decimal("0.3"))
    assert more.taken is not None
    assert more.taken.hold is not None
    assert more.taken.hold.amount == Decimal("0.7")
    assert deployment.state(spender).reserved_usd == Decimal("0.7")
    assert isinstance(deployment.accounts.extend(more.taken, by=Decimal("0.31")).refusal, BudgetExceeded)
    deployment.settle(more.taken, usd="0.6")
    assert deployment.state(spender).spent_usd == Decimal("0.6")
    deployment.check_books()


def test_a_reservation_that_is_gone_is_made_again_or_refused(deployment: Deployment) -> None:
    spender = account(budget="1")
    taken = deployment.taken(spender, usd="0.4")
    deployment.clock.advance(LASTS_S + 1)
    other = deployment.taken(spender, usd="0.5")
    again = deployment.accounts.extend(taken, by=Decimal("0.1"))
    assert again.taken is not None
    deployment.clock.advance(LASTS_S + 1)
    deployment.taken(spender, usd="0.7")
    assert deployment.accounts.extend(other, by=Decimal("0.1")).refusal
    deployment.check_books()


def test_what_is_spent_on_the_way_stays_spent(deployment: Deployment) -> None:
    spender = account(budget="1")
    taken = deployment.taken(spender, usd="0.4")
    deployment.accounts.note(taken, Use(tokens=0, usd=Decimal("0.1")))
    state = deployment.state(spender)
    assert (state.spent_usd, state.reserved_usd) == (Decimal("0.1"), Decimal("0.4"))
    deployment.settle(taken, usd="0.2")
    assert deployment.state(spender).spent_usd == Decimal("0.3")
    deployment.check_books()


# Round trips


def test_a_known_account_is_taken_and_settled_with_one_write_each() -> None:
    items = InMemoryItems()
    deployment, both = Deployment(items), account(budget="1", requests_per_minute=600, tokens_per_minute=100_000)
    deployment.settle(deployment.taken(both, tokens=100, usd="0.01"), tokens=50, usd="0.001")
    deployment.clock.advance(3600)
    deployment.taken(both)
    items.calls.clear()
    taken = deployment.taken(both, tokens=100, usd="0.01")
    assert [verb for verb, _ in items.calls] == ["write"]
    deployment.settle(taken, tokens=50, usd="0.001")
    assert [verb for verb, _ in items.calls] == ["write"] * 2


def test_a_new_process_meets_an_account_that_is_there_with_one_write() -> None:
    items = InMemoryItems()
    deployment, spender = Deployment(items), account(budget="1")
    deployment.settle(deployment.taken(spender, usd="0.01"), usd="0.001")
    deployment.accounts = deployment.process()
    items.calls.clear()
    deployment.taken(spender, usd="0.01")
    assert [verb for verb, _ in items.calls] == ["write"]


def test_another_process_settles_by_what_the_first_wrote_down() -> None:
    items = InMemoryItems()
    deployment = Deployment(items)
    both = account(budget="1", requests_per_minute=600, tokens_per_minute=100_000)
    taken = deployment.taken(both, tokens=10_000, usd="0.5")
    kept = from_json(Taken, to_json(Taken, taken))
    assert kept == taken
    deployment.accounts = deployment.process()
    items.calls.clear()
    deployment.settle(kept, tokens=10, usd="0.25")
    assert [verb for verb, _ in items.calls] == ["write"]
    assert deployment.state(both).spent_usd == Decimal("0.25")
    assert deployment.take(both, tokens=19_000).taken


# What is lost on the way


def test_a_taking_whose_answer_is_lost_is_done_once(deployment: Deployment) -> None:
    spender = account(budget="1", requests_per_minute=60)
    for _ in range(2):
        deployment.accounts = deployment.process(Losing(deployment.items, times=1))
        taken = deployment.taken(spender, usd="0.3")
        assert taken.hold is not None
    assert deployment.state(spender).reserved_usd == Decimal("0.6")
    deployment.check_books()


@pytest.mark.parametrize("done_first", [True, False])
def test_a_settlement_whose_answer_is_lost_is_done_once(deployment: Deployment, done_first: bool) -> None:
    spender = account(budget="1")
    taken = deployment.taken(spender, usd="0.3")
    deployment.accounts = deployment.process(Losing(deployment.items, times=1, done_first=done_first))
    deployment.settle(taken, usd="0.2")
    assert deployment.state(spender).spent_usd == Decimal("0.2")
    assert deployment.standing().held == {}
    deployment.check_books()


def test_an_extension_whose_answer_is_lost_is_done_once(deployment: Deployment) -> None:
    spender = account(budget="1")
    taken = deployment.taken(spender, usd="0.3")
    deployment.accounts = deployment.process(Losing(deployment.items, times=1))
    more = deployment.accounts.extend(taken, by=Decimal("0.2"))
    assert more.taken is not None
    assert deployment.state(spender).reserved_usd == Decimal("0.5")
    deployment.check_books()


def test_what_only_adds_is_not_sent_again(deployment: Deployment, caplog: pytest.LogCaptureFixture) -> None:
    spender = account(budget="1")
    taken = deployment.taken(spender, usd="0.3")
    deployment.accounts = deployment.process(Losing(deployment.items, times=1))
    with caplog.at_level(logging.WARNING):
        deployment.accounts.note(taken, Use(tokens=0, usd=Decimal("0.1")))
    assert deployment.state(spender).spent_usd == Decimal("0.1")
    assert "is not settled" in caplog.text


def test_an_account_that_cannot_be_reached_lets_nobody_pass_and_breaks_no_answer() -> None:
    items = InMemoryItems()
    deployment, spender = Deployment(items), account(budget="1")
    taken = deployment.taken(spender, usd="0.3")
    items.fault = AWAY
    with pytest.raises(DependencyUnavailable):
        deployment.take(spender, usd="0.3")
    deployment.settle(taken, usd="0.2")
    with pytest.raises(DependencyUnavailable):
        deployment.state(spender)


# Absurd amounts


@pytest.mark.parametrize(
    ("usd", "kept"), [("1E-30", "0"), ("0.1234567890123456789012345", "0.123456789012345678901234")]
)
def test_amounts_have_as_many_digits_as_can_be_kept(deployment: Deployment, usd: str, kept: str) -> None:
    spender = account(budget="1000000000")
    deployment.settle(deployment.taken(spender, usd="999999999.999999999"), usd=bounded(Decimal(usd)))
    assert deployment.state(spender).spent_usd == Decimal(kept)
    deployment.check_books()


def test_amounts_are_bounded() -> None:
    assert bounded(Decimal("1E+46")) == MOST_USD
    assert bounded(Decimal("-3")) == 0


# News


def spent(deployment: Deployment, usd: str, *, budget: str = "1") -> None:
    spender = account(budget=budget)
    deployment.settle(deployment.taken(spender, usd="0"), usd=usd)


def test_a_budget_is_told_of_once_at_each_step(deployment: Deployment) -> None:
    for usd in ("0.5", "0.29", "0.01", "0.1", "0.1", "0.1"):
        spent(deployment, usd)
    told = [(news.key_id, news.percent, news.spent_usd) for news in deployment.events.news]
    assert told == [("key_1", 80, Decimal("0.8")), ("key_1", 100, Decimal("1.0"))]
    assert deployment.events.news[0].resets_at == datetime(2026, 12, 1, tzinfo=UTC)


def test_two_steps_at_once_are_both_told_of(deployment: Deployment) -> None:
    spent(deployment, "1.5")
    assert [news.percent for news in deployment.events.news] == [80, 100]


def test_of_several_processes_one_tells(deployment: Deployment) -> None:
    spent(deployment, "0.85")
    for _ in range(3):
        deployment.accounts = deployment.process()
        spent(deployment, "0.01")
    assert [news.percent for news in deployment.events.news] == [80]


def test_the_next_period_is_told_of_anew(deployment: Deployment) -> None:
    spent(deployment, "0.85")
    deployment.clock.advance(9 * 86_400)
    spent(deployment, "0.9")
    assert [(news.percent, news.period) for news in deployment.events.news] == [(80, "2026-11"), (80, "2026-12")]


def test_a_budget_with_no_room_for_what_is_asked_is_used_up(deployment: Deployment) -> None:
    spender = account(budget="1")
    spent(deployment, "0.95")
    for _ in range(2):
        assert deployment.take(spender, usd="0.1").refusal
    assert [news.percent for news in deployment.events.news] == [80, 100]


def test_reservations_alone_use_nothing_up(deployment: Deployment) -> None:
    spender = account(budget="1")
    deployment.pass_until_refused(spender, usd="0.3")
    assert deployment.events.news == []


def test_a_larger_budget_is_told_of_when_it_is_reached(deployment: Deployment) -> None:
    spent(deployment, "0.85")
    spent(deployment, "0.1", budget="10")
    spent(deployment, "8", budget="10")
    assert [news.percent for news in deployment.events.news] == [80]


def test_news_that_cannot_be_claimed_is_told_later(caplog: pytest.LogCaptureFixture) -> None:
    items = InMemoryItems()
    deployment = Deployment(items)
    spent(deployment, "0.7")
    refusing = Refusing(items)
    deployment.accounts = deployment.process(refusing)
    spent(deployment, "0.2")
    assert deployment.events.news == []
    refusing.is_refusing = False
    spent(deployment, "0.001")
    assert [news.percent for news in deployment.events.news] == [80]


@dataclass
class Refusing(Losing):
    """Items that let nobody claim news."""

    times: int = 0
    is_refusing: bool = True

    def write(self, key: str, write: Write, *, repeatable: bool = True) -> Outcome:
        if self.is_refusing and [change.path for change in write.changes] == ["told"]:
            raise AWAY
        return self.items.write(key, write)


def test_an_account_that_changes_too_fast_is_away(clock: FakeClock) -> None:
    deployment = Deployment(Turning(InMemoryItems(), times=0))
    with pytest.raises(DependencyUnavailable):
        deployment.take(account(budget="1"), usd="0.1")
    taken = Deployment().taken(account(budget="1"), usd="0.1")
    deployment.settle(taken, usd="0.1")
    with pytest.raises(DependencyUnavailable):
        deployment.accounts.extend(taken, by=Decimal("0.1"))


class Turning(Losing):
    """Items that are another way each time they are met, and take no write."""

    turn = 0

    def write(self, key: str, write: Write, *, repeatable: bool = True) -> Outcome:
        self.turn += 1
        held = {f"{10**10}-Q0": Decimal(self.turn) / 1000, f"{10**10}-x": Decimal("0")}
        committed = Decimal(self.turn) / 1000
        return Outcome(
            done=False, item={"period": "2026-11", "held": held, "committed": committed, "spent": Decimal(0)}
        )


def test_a_key_without_a_budget_has_no_state(deployment: Deployment) -> None:
    assert deployment.accounts.state(key_of(account(requests_per_minute=5), deployment.clock)) is None
    taken = deployment.taken(account(requests_per_minute=5))
    same = deployment.accounts.extend(taken, by=Decimal(1))
    assert same.taken == taken
    assert replace(taken, hold=None) == taken
