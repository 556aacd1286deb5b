"""The twin of what the use cases stand on: fakes in the place of everything concrete."""

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property

from llm_gateway.instruments.personal_data.detector import PatternDetector
from llm_gateway.instruments.segmenter import UnicodeSegmenter
from llm_gateway.ports.privacy import Detector
from llm_gateway.ports.providers import Prices, ProviderGates, Providers, TokenCounter
from llm_gateway.ports.system import Clock
from llm_gateway.ports.tracing import Tracing
from llm_gateway.stores.accounts import StoredKeyAccounts
from llm_gateway.stores.connection import Aws
from llm_gateway.stores.sealing import EnvelopeSeal

from tests.adapters.answer_cache import InMemoryAnswerCache
from tests.adapters.answering import AnsweringProviders
from tests.adapters.audit_archive import InMemoryAuditArchive
from tests.adapters.audit_log import InMemoryAuditLog
from tests.adapters.body_store import InMemoryBodyStore
from tests.adapters.canary_events import RecordingCanaryEvents
from tests.adapters.configuration_tables import InMemoryConfigurationTables
from tests.adapters.credential_store import InMemoryCredentialStore
from tests.adapters.data_keys import InMemoryDataKeys
from tests.adapters.denial_counters import InMemoryDenialCounters
from tests.adapters.erasure_store import InMemoryErasureStore
from tests.adapters.failed_attempts import InMemoryFailedAttempts
from tests.adapters.feedback_store import InMemoryFeedbackStore
from tests.adapters.gates import in_memory_gates
from tests.adapters.idempotency_store import InMemoryIdempotencyStore
from tests.adapters.ids import FakeIds
from tests.adapters.journal import RecordingJournal
from tests.adapters.key_accounts import RecordingBudgetEvents, in_memory_accounts
from tests.adapters.key_store import InMemoryKeyStore
from tests.adapters.key_uses import InMemoryKeyUses
from tests.adapters.nonce_store import InMemoryNonceStore
from tests.adapters.pepper import FixedPepper
from tests.adapters.prices import FlatPrices
from tests.adapters.prompt_store import InMemoryPrompts
from tests.adapters.provider_store import InMemoryProviderStore
from tests.adapters.query_index import InMemoryQueryIndex
from tests.adapters.query_queue import RecordingQueryQueue
from tests.adapters.query_store import InMemoryQueryStore
from tests.adapters.rollup_store import InMemoryRollupStore
from tests.adapters.run_store import InMemoryRunStore
from tests.adapters.token_counter import WordCounter
from tests.adapters.travelling_clock import TravellingClock
from tests.adapters.waits import InMemoryWaits


@dataclass
class FakeOutside:
    """A test may look into all of it, and put in its own what it wants otherwise; `draw` is what chance decides."""

    clock: Clock = field(default_factory=TravellingClock)
    pepper: FixedPepper = field(default_factory=FixedPepper)
    key_store: InMemoryKeyStore = field(default_factory=InMemoryKeyStore)
    nonces: InMemoryNonceStore = field(default_factory=InMemoryNonceStore)
    key_uses: InMemoryKeyUses = field(default_factory=InMemoryKeyUses)
    failed_attempts: InMemoryFailedAttempts = field(default_factory=InMemoryFailedAttempts)
    provider_store: InMemoryProviderStore = field(default_factory=InMemoryProviderStore)
    prompt_store: InMemoryPrompts = field(default_factory=InMemoryPrompts)
    credentials: InMemoryCredentialStore = field(default_factory=InMemoryCredentialStore)
    canary_events: RecordingCanaryEvents = field(default_factory=RecordingCanaryEvents)
    bodies: InMemoryBodyStore = field(default_factory=InMemoryBodyStore)
    queue: RecordingQueryQueue = field(default_factory=RecordingQueryQueue)
    journal: RecordingJournal = field(default_factory=RecordingJournal)
    models: Providers = field(default_factory=AnsweringProviders)
    prices: Prices = field(default_factory=FlatPrices)
    counter: TokenCounter = field(default_factory=WordCounter)
    draw: Callable[[], float] = lambda: 0.5

    @cached_property
    def detector(self) -> Detector:
        return PatternDetector()

    @cached_property
    def tracing(self) -> Tracing | None:
        return None

    @cached_property
    def segmenter(self) -> UnicodeSegmenter:
        return UnicodeSegmenter()

    @cached_property
    def ids(self) -> FakeIds:
        return FakeIds(self.clock)

    @property
    def prompt_reader(self) -> InMemoryPrompts:
        return self.prompt_store

    @cached_property
    def query_store(self) -> InMemoryQueryStore:
        return InMemoryQueryStore(self.clock)

    @cached_property
    def query_index(self) -> InMemoryQueryIndex:
        return InMemoryQueryIndex(self.query_store, self.clock)

    @cached_property
    def rollups(self) -> InMemoryRollupStore:
        return InMemoryRollupStore()

    @cached_property
    def runs(self) -> InMemoryRunStore:
        return InMemoryRunStore(self.clock)

    @cached_property
    def erasures(self) -> InMemoryErasureStore:
        return InMemoryErasureStore()

    @property
    def erasable(self) -> InMemoryQueryIndex:
        return self.query_index

    @cached_property
    def feedback(self) -> InMemoryFeedbackStore:
        return InMemoryFeedbackStore(self.query_store)

    @cached_property
    def seal(self) -> EnvelopeSeal:
        return EnvelopeSeal(InMemoryDataKeys(self.clock, self.ids), clock=self.clock)

    @cached_property
    def cache(self) -> InMemoryAnswerCache:
        return InMemoryAnswerCache(self.clock)

    @cached_property
    def idempotency(self) -> InMemoryIdempotencyStore:
        return InMemoryIdempotencyStore(self.clock)

    @cached_property
    def gates(self) -> ProviderGates:
        return in_memory_gates(self.clock, self.ids)

    @cached_property
    def key_accounts(self) -> StoredKeyAccounts:
        return in_memory_accounts(self.clock, self.budget_events)

    @cached_property
    def budget_events(self) -> RecordingBudgetEvents:
        return RecordingBudgetEvents()

    @cached_property
    def waits(self) -> InMemoryWaits:
        return InMemoryWaits(self.ids)

    @cached_property
    def audit_log(self) -> InMemoryAuditLog:
        return InMemoryAuditLog(clock=self.clock)

    @cached_property
    def audit_archive(self) -> InMemoryAuditArchive:
        return InMemoryAuditArchive()

    @cached_property
    def configuration_tables(self) -> InMemoryConfigurationTables:
        return InMemoryConfigurationTables()

    @cached_property
    def denial_counters(self) -> InMemoryDenialCounters:
        return InMemoryDenialCounters(self.audit_log)

    @property
    def aws(self) -> Aws:
        raise AssertionError("There is no AWS here: something that needs it has no fake yet.")
