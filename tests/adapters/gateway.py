"""The whole gateway with nothing outside of it: what `bootstrap` wires, over the fakes."""

from dataclasses import dataclass, field
from functools import cached_property

from llm_gateway.bootstrap import Gateway
from llm_gateway.domain.keys import ApiKey, Role
from llm_gateway.ports.providers import Prices, ProviderGates, TokenCounter
from llm_gateway.settings import Settings
from llm_gateway.stores.connection import Aws

from tests.adapters.answer_cache import InMemoryAnswerCache
from tests.adapters.answering import AnsweringProviders
from tests.adapters.body_store import InMemoryBodyStore
from tests.adapters.credential_store import InMemoryCredentialStore
from tests.adapters.gates import in_memory_gates
from tests.adapters.idempotency_store import InMemoryIdempotencyStore
from tests.adapters.ids import FakeIds
from tests.adapters.journal import RecordingJournal
from tests.adapters.key_store import InMemoryKeyStore
from tests.adapters.pepper import FixedPepper
from tests.adapters.prices import FlatPrices
from tests.adapters.provider_store import InMemoryProviderStore
from tests.adapters.query_queue import RecordingQueryQueue
from tests.adapters.query_store import InMemoryQueryStore
from tests.adapters.token_counter import WordCounter
from tests.adapters.travelling_clock import TravellingClock


@dataclass(frozen=True)
class FakeGateway(Gateway):
    """A test may look into what the gateway stands on, and script `models`."""

    settings: Settings = field(default_factory=lambda: Settings.from_environment({}))
    clock: TravellingClock = field(default_factory=TravellingClock)
    pepper: FixedPepper = field(default_factory=FixedPepper)
    key_store: InMemoryKeyStore = field(default_factory=InMemoryKeyStore)
    provider_store: InMemoryProviderStore = field(default_factory=InMemoryProviderStore)
    credentials: InMemoryCredentialStore = field(default_factory=InMemoryCredentialStore)
    bodies: InMemoryBodyStore = field(default_factory=InMemoryBodyStore)
    queue: RecordingQueryQueue = field(default_factory=RecordingQueryQueue)
    models: AnsweringProviders = field(default_factory=AnsweringProviders)

    journal: RecordingJournal = field(default_factory=RecordingJournal)

    @cached_property
    def query_store(self) -> InMemoryQueryStore:
        return InMemoryQueryStore(self.clock)

    @cached_property
    def cache(self) -> InMemoryAnswerCache:
        return InMemoryAnswerCache(self.clock)

    @cached_property
    def idempotency(self) -> InMemoryIdempotencyStore:
        return InMemoryIdempotencyStore(self.clock)

    def new_key(self, role: Role, **changes: object) -> tuple[ApiKey, str]:
        """A key of that role and its secret."""
        return self.keys.create(name=role.value, role=role, **changes)  # type: ignore[arg-type]

    @cached_property
    def _clock(self) -> TravellingClock:
        return self.clock

    @cached_property
    def _ids(self) -> FakeIds:
        return FakeIds(self.clock)

    @cached_property
    def _key_store(self) -> InMemoryKeyStore:
        return self.key_store

    @cached_property
    def _pepper(self) -> FixedPepper:
        return self.pepper

    @cached_property
    def _provider_store(self) -> InMemoryProviderStore:
        return self.provider_store

    @cached_property
    def _credentials(self) -> InMemoryCredentialStore:
        return self.credentials

    @cached_property
    def _query_store(self) -> InMemoryQueryStore:
        return self.query_store

    @cached_property
    def _bodies(self) -> InMemoryBodyStore:
        return self.bodies

    @cached_property
    def _queue(self) -> RecordingQueryQueue:
        return self.queue

    @cached_property
    def _cache(self) -> InMemoryAnswerCache:
        return self.cache

    @cached_property
    def _idempotency(self) -> InMemoryIdempotencyStore:
        return self.idempotency

    @cached_property
    def _journal(self) -> RecordingJournal:
        return self.journal

    @cached_property
    def _providers(self) -> AnsweringProviders:
        return self.models

    @cached_property
    def _prices(self) -> Prices:
        return FlatPrices()

    @cached_property
    def _counter(self) -> TokenCounter:
        return WordCounter()

    @cached_property
    def _gates(self) -> ProviderGates:
        return in_memory_gates(self.clock, self._ids)

    @cached_property
    def _aws(self) -> Aws:
        raise AssertionError("This gateway has no AWS: a part of it has no fake yet.")
