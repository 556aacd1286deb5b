"""The life of queries without what surrounds it: asking, reading and the worker over the engine, every store watched."""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import timedelta
from functools import cached_property
from typing import Any

from llm_gateway.bootstrap import Gateway
from llm_gateway.domain.idempotency import Idempotency
from llm_gateway.domain.keys import Caller, Role
from llm_gateway.domain.queries import Query, QueryRequest
from llm_gateway.domain.routing import first_step
from llm_gateway.ports.queries import Delivery
from llm_gateway.ports.system import Cancelled, Clock, never
from llm_gateway.services.queries.asking import Asked, Asker
from llm_gateway.services.queries.booking import Booking
from llm_gateway.services.queries.cache import Caching, cache_key
from llm_gateway.services.queries.closing import Closing
from llm_gateway.services.queries.reading import Reader
from llm_gateway.services.queries.states import States
from llm_gateway.services.queries.worker import Worker
from llm_gateway.settings import Settings

from tests.adapters.answer_cache import InMemoryAnswerCache
from tests.adapters.clock import FakeClock
from tests.adapters.engine import Engine
from tests.adapters.idempotency_store import InMemoryIdempotencyStore
from tests.adapters.ids import FakeIds
from tests.adapters.journal import RecordingJournal
from tests.adapters.query_queue import RecordingQueryQueue
from tests.adapters.query_store import InMemoryQueryStore
from tests.adapters.watched import Watched

ALICE = Caller(key_id="key_alice", role=Role.CALLER)
QUEUE_ARN = "arn:aws:sqs:eu-west-1:123456789012:queries"


class EventfulClock(FakeClock):
    """What others do while somebody sleeps: `events` come one a sleep, in turn."""

    def __init__(self) -> None:
        super().__init__()
        self.events: list[Callable[[], object]] = []

    def sleep(self, duration_s: float) -> None:
        super().sleep(duration_s)
        if self.events:
            self.events.pop(0)()


def idempotency(scope: str = "scope", *, fingerprint: str = "body") -> Idempotency:
    return Idempotency(scope=scope, fingerprint=fingerprint)


@dataclass
class QueryEngine(Engine):
    """`queries`, `cache` and `keys` are `Watched` ports."""

    clock: Clock = field(default_factory=EventfulClock)
    queue: RecordingQueryQueue = field(default_factory=RecordingQueryQueue)
    journal: RecordingJournal = field(default_factory=RecordingJournal)
    lease: timedelta = timedelta(seconds=60)
    retention: timedelta = timedelta(days=30)

    @property
    def events(self) -> list[Callable[[], object]]:
        assert isinstance(self.clock, EventfulClock)
        return self.clock.events

    @cached_property
    def gateway(self) -> Gateway:
        gateway = super().gateway
        outside: Any = gateway.outside
        outside.queue, outside.journal = self.queue, self.journal
        outside.query_store, outside.cache, outside.idempotency = self.queries, self.cache, self.keys
        return gateway

    @property
    def settings(self) -> Settings:
        return replace(
            super().settings, lease_s=self.lease.total_seconds(), retention_days=self.retention / timedelta(days=1)
        )

    @property
    def ids(self) -> FakeIds:
        return self.gateway.outside.ids

    @cached_property
    def queries(self) -> Any:
        return Watched(InMemoryQueryStore(self.clock))

    @cached_property
    def cache(self) -> Any:
        return Watched(InMemoryAnswerCache(self.clock))

    @cached_property
    def keys(self) -> Any:
        return Watched(InMemoryIdempotencyStore(self.clock))

    @property
    def states(self) -> States:
        return self.gateway.states

    @property
    def caching(self) -> Caching:
        return self.gateway.caching

    @property
    def booking(self) -> Booking:
        return self.gateway.booking

    @property
    def closing(self) -> Closing:
        return self.gateway.closing

    @property
    def asking(self) -> Asker:
        return self.gateway.asking

    @property
    def reading(self) -> Reader:
        return self.gateway.reading

    @property
    def worker(self) -> Worker:
        return self.gateway.worker

    def run(self, asked: Asked) -> Query:
        """The query's end, at once; no replay."""
        query = self.asking.run(asked)
        assert isinstance(query, Query)
        return query

    def accept(self, asked: Asked) -> Query:
        """The query, to be answered later; no replay."""
        query = self.asking.accept(asked)
        assert isinstance(query, Query)
        return query

    def asked(
        self,
        request: QueryRequest,
        *,
        caller: Caller = ALICE,
        idempotency: Idempotency | None = None,
        cancelled: Cancelled = never,
    ) -> Asked:
        return Asked(
            request=request,
            caller=caller,
            received_s=self.clock.monotonic_s(),
            idempotency=idempotency,
            cancelled=cancelled,
        )

    def seat_of(self, request: QueryRequest, *, caller: Caller = ALICE) -> str:
        """The key of the request's seat in the cache."""
        return cache_key(first_step(self.planner.plan(request)), request, owner=caller.key_id)

    def delivery(self, query_id: str, *, count: int = 1) -> Delivery:
        return Delivery(query_id=query_id, receipt=f"receipt-{count}", queue_arn=QUEUE_ARN, count=count)
