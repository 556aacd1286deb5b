"""Queries that have ended, as many as a test wants, in a store of memory."""

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from decimal import Decimal

from llm_gateway.domain.chat import Usage
from llm_gateway.domain.identifiers import QUERY_PREFIX
from llm_gateway.domain.queries import Figures, QueryStatus
from llm_gateway.services.usage.reading import UsageReader
from llm_gateway.services.usage.rolling import UsageRoller
from llm_gateway.services.usage.spans import SpanReader

from tests.adapters.clock import FakeClock
from tests.adapters.ids import FakeIds
from tests.adapters.query_index import InMemoryQueryIndex
from tests.adapters.query_store import InMemoryQueryStore
from tests.adapters.rollup_store import InMemoryRollupStore
from tests.adapters.watched import Watched
from tests.stores.values import query

MIDNIGHT = datetime(2026, 11, 29, tzinfo=UTC)


@dataclass
class History:
    """`index` and `rollups` are watched; the clock begins at a midnight."""

    clock: FakeClock = field(default_factory=lambda: FakeClock(MIDNIGHT))
    kept: timedelta = timedelta(days=30)

    def __post_init__(self) -> None:
        self.ids = FakeIds(self.clock)
        self.store = InMemoryQueryStore(self.clock)
        self.index = Watched(InMemoryQueryIndex(self.store, self.clock))
        self.rollups = Watched(InMemoryRollupStore())
        self.roller = UsageRoller(index=self.index, rollups=self.rollups, clock=self.clock)
        self.spans = SpanReader(
            index=self.index,
            rollups=self.rollups,
            clock=self.clock,
            kept=self.kept,
            rollups_kept=timedelta(days=400),
        )
        self.reader = UsageReader(spans=self.spans, clock=self.clock)

    def at(self, moment: datetime) -> None:
        self.clock.advance((moment - self.clock.now()).total_seconds())

    def end(self, at: datetime, *, owner: str = "key_a", provider: str = "a", cost: str = "0.01") -> str:
        """A query that ended then, whatever time it is now; its id."""
        figures = Figures(
            provider=provider,
            model=f"{provider}-model",
            usage=Usage(input_tokens=10),
            cost_usd=Decimal(cost),
            total_ms=100,
            provider_ms=90,
        )
        ended = query(
            QUERY_PREFIX + self.ids.ulid(),
            owner=owner,
            status=QueryStatus.SUCCEEDED,
            created_at=at,
            completed_at=at,
            expires_at=at + self.kept,
            figures=figures,
        )
        self.store.add(ended)
        return ended.id
