"""A day of every kind of query: what usage tells is the sum of the queries, to the last digit, by every grouping."""

import random
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from decimal import Context, Decimal, localcontext
from functools import cached_property
from typing import Any
from uuid import uuid4

import pytest
from llm_gateway.bootstrap import Gateway
from llm_gateway.domain.chat import Usage
from llm_gateway.domain.faults import ProviderFailed
from llm_gateway.domain.keys import Caller, Role
from llm_gateway.domain.queries import AttemptOutcome, Query, QueryStatus
from llm_gateway.domain.usage import DAY, HOUR, Bucket, Grouping, UsageRow
from llm_gateway.errors import GatewayError, NotDone
from llm_gateway.services.usage.reading import UsageWanted
from llm_gateway.stores.queries import DynamoQueryStore
from llm_gateway.stores.query_index import DynamoQueryIndex
from llm_gateway.stores.usage import DynamoRollupStore
from moto import mock_aws

from tests.adapters.aws import connect, deploy
from tests.adapters.body_store import InMemoryBodyStore
from tests.adapters.engine import provider, question
from tests.adapters.prices import FlatPrices
from tests.adapters.query_engine import EventfulClock, QueryEngine, idempotency
from tests.adapters.scripted_providers import Raises, Says
from tests.adapters.watched import Watched

MIDNIGHT = datetime(2026, 11, 23, tzinfo=UTC)
KEYS = {
    "key_alice": Caller(key_id="key_alice", role=Role.CALLER, tags=("team-a", "tier-1")),
    "key_bob": Caller(key_id="key_bob", role=Role.CALLER, tags=("team-a",)),
    "key_carol": Caller(key_id="key_carol", role=Role.CALLER),
}
ADMIN = Caller(key_id="key_admin", role=Role.ADMIN)


class UnevenPrices(FlatPrices):
    """With more digits than a decimal keeps by itself, and none for what `c` offers."""

    def cost(self, *given: Any, **named: Any) -> Decimal | None:
        cost = super().cost(*given, **named)
        with localcontext(Context(prec=60)):
            return None if cost is None else cost * Decimal("1.0000000000000000000000000000000000007")


@dataclass
class Day:
    """A day under way. `ended` has every query as it was when it had ended, erased ones as well."""

    engine: QueryEngine
    draw: random.Random
    ended: dict[str, Query] = field(default_factory=dict)
    kinds: Counter[str] = field(default_factory=Counter)

    def live(self, queries: int) -> None:
        kinds: list[Callable[[Caller], object]] = [
            *(
                self.sync,
                self.later,
                self.streamed,
                self.cached,
                self.replayed,
                self.failed_over,
                self.fails,
                self.unpriced,
            ),
            *(self.cancelled_before, self.left, self.erased, self.erased_before, self.buried, self.delivered_twice),
        ]
        while len(self.ended) < queries:
            kind = self.draw.choice(kinds)
            self.kinds[kind.__name__] += 1
            kind(self.draw.choice(list(KEYS.values())))
            self.engine.clock.advance(self.draw.random() * 2 * 86_000 / queries)  # type: ignore[attr-defined]

    def _ask(self, caller: Caller, mode: str = "sync", **changes: Any) -> Any:
        text = f"question {self.draw.random()}"
        asked = question(text, mode=mode, timeout_s=25, **{"provider": self.draw.choice("ab"), **changes})
        said = Usage(
            input_tokens=self.draw.randrange(9000),
            output_tokens=self.draw.randrange(900),
            cached_input_tokens=self.draw.randrange(9),
            reasoning_tokens=self.draw.randrange(90),
        )
        self.engine.providers.otherwise = Says(usage=said, after_s=self.draw.random())
        return self.engine.asked(asked, caller=caller)

    def _note(self, query_id: str) -> Query:
        query: Query | None = self.engine.queries.get(query_id)
        assert query is not None
        assert query.status.finished
        self.ended[query_id] = query
        return query

    def _work(self, query: Query) -> None:
        self.engine.worker.process(self.engine.delivery(query.id))

    def sync(self, caller: Caller) -> Query:
        return self._note(self.engine.run(self._ask(caller)).id)

    def later(self, caller: Caller) -> Query:
        query = self.engine.accept(self._ask(caller, "async"))
        self.engine.clock.advance(self.draw.random() * 60)  # type: ignore[attr-defined]
        self._work(query)
        return self._note(query.id)

    def delivered_twice(self, caller: Caller) -> None:
        query = self.later(caller)
        self._work(query)
        self.engine.worker.bury(self.engine.delivery(query.id))
        assert self._note(query.id) == query

    def streamed(self, caller: Caller) -> None:
        *_, end = self.engine.asking.stream(self._ask(caller, "stream"))
        assert isinstance(end, Query)
        self._note(end.id)

    def cached(self, caller: Caller) -> None:
        asked = self._ask(caller, cache="force")
        first, again = self.engine.run(asked), self.engine.run(asked)
        assert again.answer is not None
        assert again.answer.cache.hit
        for each in (first, again):
            self._note(each.id)

    def replayed(self, caller: Caller) -> None:
        asked = replace(self._ask(caller), idempotency=idempotency(str(self.draw.random())))
        query = self.engine.run(asked)
        self.engine.asking.run(asked)
        self._note(query.id)

    def failed_over(self, caller: Caller) -> None:
        asked = self._ask(caller, provider="a", fallback=("b",))
        billed = Usage(input_tokens=7) if self.draw.random() < 0.5 else None
        self.engine.providers.script("a", Raises(fault=lambda: ProviderFailed("500", usage=billed)))
        query = self._note(self.engine.run(asked).id)
        assert query.answer is not None
        assert query.answer.provider == "b"

    def fails(self, caller: Caller) -> None:
        asked = self._ask(caller, provider="a", fallback=("b",))
        for each, billed in (("a", Usage(input_tokens=7)), ("b", None)):
            self.engine.providers.script(each, Raises(fault=lambda billed=billed: ProviderFailed("500", usage=billed)))
        with pytest.raises(GatewayError) as error:
            self.engine.run(asked)
        assert error.value.query_id
        self._note(error.value.query_id)

    def unpriced(self, caller: Caller) -> None:
        self._note(self.engine.run(self._ask(caller, provider="c")).id)

    def cancelled_before(self, caller: Caller) -> None:
        query = self.engine.accept(self._ask(caller, "async"))
        self.engine.reading.cancel(query.id, caller=caller)
        self._work(query)
        self._note(query.id)

    def left(self, caller: Caller) -> None:
        """A client leaves in the middle of its stream: what was generated by then is paid for."""
        stream = self.engine.asking.stream(self._ask(caller, "stream"))
        opened = next(stream)
        next(stream)
        stream.close()
        assert self._note(opened.query_id).status is QueryStatus.CANCELLED  # type: ignore[union-attr]

    def erased(self, caller: Caller) -> None:
        query = self.draw.choice([self.sync, self.later])(caller)
        self.engine.reading.erase(query.id, caller=caller)
        assert self.engine.queries.get(query.id) is None

    def erased_before(self, caller: Caller) -> None:
        query = self.engine.accept(self._ask(caller, "async"))
        self.engine.reading.erase(query.id, caller=caller)
        self._work(query)
        self.ended[query.id] = replace(query, status=QueryStatus.CANCELLED, completed_at=self.engine.clock.now())

    def buried(self, caller: Caller) -> None:
        query = self.engine.accept(self._ask(caller, "async", provider="a", fallback=()))
        self.engine.providers.script("a", Raises(fault=lambda: ProviderFailed("500")))
        with suppress(NotDone):
            self._work(query)
        self.engine.worker.bury(self.engine.delivery(query.id, count=5))
        assert self._note(query.id).status is QueryStatus.FAILED


class EngineOnAws(QueryEngine):
    """Queries and usage in DynamoDB, as moto plays it."""

    @cached_property
    def gateway(self) -> Gateway:
        gateway = super().gateway
        aws = connect()
        settings, outside = self.deployed, gateway.outside
        rollups = DynamoRollupStore(aws=aws, table=settings.usage_table, retention=timedelta(days=400))
        vars(outside)["query_index"] = DynamoQueryIndex(aws=aws, table=settings.queries_table, clock=self.clock)
        vars(outside)["rollups"] = rollups
        return gateway

    @cached_property
    def deployed(self) -> Any:
        return deploy(connect(), name=f"test-{uuid4().hex[:12]}")

    @cached_property
    def queries(self) -> Any:
        table, ids = self.deployed.queries_table, self.gateway.outside.ids
        bodies = InMemoryBodyStore()
        return Watched(DynamoQueryStore(aws=connect(), table=table, bodies=bodies, clock=self.clock, ids=ids))


# The sums, worked out apart from the code


def groups_of(query: Query, by: Grouping | None) -> set[str | None]:
    """Where the query belongs: under all the tags of its key, and under one of everything else."""
    attempts = query.problem.attempts if query.problem else ()
    called = [attempt for attempt in attempts if attempt.outcome is not AttemptOutcome.SKIPPED]
    answered = query.answer or (called[-1] if called else None)
    found: dict[Grouping | None, set[str | None]] = {
        None: {None},
        Grouping.KEY: {query.owner},
        Grouping.PROVIDER: {answered.provider if answered else None},
        Grouping.MODEL: {answered.model if answered else None},
        Grouping.PROMPT: {None},
        Grouping.TAG: set(KEYS[query.owner].tags) or {None},
    }
    return found[by]


def cost_of(query: Query) -> Decimal | None:
    if query.answer is not None:
        return query.answer.cost_usd
    attempts = query.problem.attempts if query.problem else ()
    return exact_sum(attempt.cost_usd for attempt in attempts if attempt.cost_usd is not None)


def exact_sum(costs: Iterator[Decimal]) -> Decimal:
    with localcontext(Context(prec=500)):
        return sum(costs, Decimal(0))


def start_of(bucket: Bucket | None, query: Query) -> datetime | None:
    at = query.completed_at
    assert at is not None
    starts = {
        Bucket.HOUR: datetime(at.year, at.month, at.day, at.hour, tzinfo=UTC),
        Bucket.DAY: datetime(at.year, at.month, at.day, tzinfo=UTC),
        Bucket.MONTH: datetime(at.year, at.month, 1, tzinfo=UTC),
    }
    return None if bucket is None else starts[bucket]


Sum = dict[tuple[datetime | None, str | None], tuple[Any, ...]]


def summed(queries: list[Query], by: Grouping | None, bucket: Bucket | None) -> Sum:
    found: dict[tuple[datetime | None, str | None], list[Query]] = defaultdict(list)
    for query in queries:
        for value in groups_of(query, by):
            found[start_of(bucket, query), value].append(query)
    return {place: _sum(some) for place, some in found.items()}


def _sum(queries: list[Query]) -> tuple[Any, ...]:
    answers = [query.answer for query in queries if query.answer]
    costs = [cost_of(query) for query in queries]
    known = [cost for cost in costs if cost is not None]
    return (
        len(queries),
        sum(query.status is QueryStatus.FAILED for query in queries),
        sum(answer.cache.hit for answer in answers),
        sum(answer.usage.input_tokens for answer in answers),
        sum(answer.usage.output_tokens for answer in answers),
        sum(answer.usage.cached_input_tokens for answer in answers),
        sum(answer.usage.reasoning_tokens for answer in answers),
        exact_sum(iter(known)) if known else None,
        len(costs) - len(known),
    )


def told(rows: list[UsageRow]) -> Sum:
    return {
        (row.bucket, row.value): (
            row.sums.requests,
            row.sums.errors,
            row.sums.cache_hits,
            row.sums.input_tokens,
            row.sums.output_tokens,
            row.sums.cached_input_tokens,
            row.sums.reasoning_tokens,
            row.sums.cost_usd,
            row.sums.unpriced_requests,
        )
        for row in rows
    }


def rows(engine: QueryEngine, wanted: UsageWanted, caller: Caller) -> list[UsageRow]:
    found: list[UsageRow] = []
    cursor: str | None = None
    while True:
        page = engine.gateway.usage.page(wanted, caller=caller, limit=100, cursor=cursor)
        found += page.items
        cursor = page.next_cursor
        if cursor is None:
            return found


def check(day: Day, *combinations: tuple[Caller, Grouping | None, Bucket | None]) -> None:
    for caller, by, bucket in combinations:
        seen = [query for query in day.ended.values() if caller.role is Role.ADMIN or query.owner == caller.key_id]
        wanted = UsageWanted(since=MIDNIGHT, until=MIDNIGHT + 30 * HOUR, by=by, bucket=bucket)
        assert told(rows(day.engine, wanted, caller)) == summed(seen, by, bucket), (caller.key_id, by, bucket)


def begun(engine: QueryEngine) -> Day:
    engine.add(*(provider(each) for each in "abc"))
    engine.clock.advance((MIDNIGHT - engine.clock.now()).total_seconds())  # type: ignore[attr-defined]
    engine.gateway.usage_roller.roll()
    return Day(engine=engine, draw=random.Random(7))  # noqa: S311


def pass_time(day: Day, duration: timedelta) -> None:
    day.engine.clock.advance(duration.total_seconds())  # type: ignore[attr-defined]
    day.engine.gateway.usage_roller.roll()


def test_usage_is_the_sum_of_a_thousand_queries_by_every_grouping() -> None:
    day = begun(QueryEngine(prices=UnevenPrices("c-model"), clock=EventfulClock()))
    day.live(1000)
    assert len(day.kinds) == 14
    assert MIDNIGHT + 20 * HOUR < day.engine.clock.now() < MIDNIGHT + 30 * HOUR
    combinations = [(ADMIN, by, bucket) for by in (None, *Grouping) for bucket in (None, *Bucket)]
    owners = [(caller, by, Bucket.DAY) for caller in KEYS.values() for by in (None, Grouping.KEY)]
    # Nothing is summed up yet; then all but the last hours is; then the whole day.
    for later in (timedelta(0), timedelta(minutes=20), DAY + 4 * HOUR):
        check(day, *combinations, *owners)
        pass_time(day, later)
    check(day, *combinations, *owners)


def test_it_is_the_sum_of_them_in_dynamodb_too() -> None:
    with mock_aws():
        day = begun(EngineOnAws(prices=UnevenPrices("c-model"), clock=EventfulClock()))
        day.live(70)
        assert len(day.kinds) == 14
        # What is not summed up is read query by query, and there is little of it where it is soon summed up.
        pass_time(day, timedelta(minutes=20))
        check(day, (ADMIN, None, None), (ADMIN, Grouping.TAG, Bucket.HOUR), (KEYS["key_bob"], Grouping.PROVIDER, None))
        pass_time(day, DAY + 4 * HOUR)
        check(
            day, (ADMIN, None, None), (ADMIN, Grouping.MODEL, Bucket.DAY), (KEYS["key_bob"], Grouping.KEY, Bucket.MONTH)
        )
