"""The composition root: the only module that knows every concrete class."""

from dataclasses import dataclass
from datetime import timedelta
from functools import cached_property

from llm_gateway.instruments.system import RandomIds, SystemClock
from llm_gateway.ports.keys import KeyStore, Pepper
from llm_gateway.ports.providers import CredentialStore, Prices, ProviderGates, Providers, ProviderStore, TokenCounter
from llm_gateway.ports.queries import AnswerCache, BodyStore, Journal, QueryQueue, QueryStore
from llm_gateway.ports.replay import IdempotencyStore
from llm_gateway.ports.system import Clock, Ids
from llm_gateway.services.keys.authentication import Keys
from llm_gateway.services.provider_status import StatusService
from llm_gateway.services.providers import ProviderService
from llm_gateway.services.queries.asking import QueryService
from llm_gateway.services.queries.booking import Ledger
from llm_gateway.services.queries.cache import Answers
from llm_gateway.services.queries.calls import Calls
from llm_gateway.services.queries.dispatch import Dispatcher
from llm_gateway.services.queries.planning import Planner
from llm_gateway.services.queries.states import Records
from llm_gateway.services.queries.worker import Worker
from llm_gateway.services.replay import Once
from llm_gateway.settings import Settings
from llm_gateway.stores.connection import Aws


@dataclass(frozen=True)
class Gateway:
    """The use cases, wired. Each part is made, and its module imported, when it is first asked for."""

    settings: Settings

    @cached_property
    def keys(self) -> Keys:
        return Keys(store=self._key_store, pepper=self._pepper, clock=self._clock, ids=self._ids)

    @cached_property
    def providers(self) -> ProviderService:
        return ProviderService(
            store=self._provider_store,
            credentials=self._credentials,
            clock=self._clock,
            private_addresses_allowed=self.settings.allow_private_addresses,
        )

    @cached_property
    def queries(self) -> QueryService:
        return QueryService(
            store=self._query_store,
            queue=self._queue,
            cache=self._cache,
            idempotency=self._idempotency,
            planner=self._planner,
            dispatcher=self._dispatcher,
            ledger=self._ledger,
            records=self._records,
            journal=self._journal,
            clock=self._clock,
        )

    @cached_property
    def once(self) -> Once:
        return Once(store=self._idempotency, clock=self._clock, ids=self._ids)

    @cached_property
    def worker(self) -> Worker:
        return Worker(
            store=self._query_store,
            queue=self._queue,
            planner=self._planner,
            dispatcher=self._dispatcher,
            answers=self._answers,
            records=self._records,
            journal=self._journal,
            clock=self._clock,
        )

    @cached_property
    def _ledger(self) -> Ledger:
        return Ledger(
            store=self._query_store,
            answers=self._answers,
            idempotency=self._idempotency,
            calls=self._calls,
            journal=self._journal,
            clock=self._clock,
        )

    @cached_property
    def _answers(self) -> Answers:
        return Answers(cache=self._cache, clock=self._clock, ttl=timedelta(seconds=self.settings.cache_ttl_s))

    @cached_property
    def _records(self) -> Records:
        return Records(
            clock=self._clock,
            ids=self._ids,
            retention=timedelta(days=self.settings.retention_days),
            lease=timedelta(seconds=self.settings.lease_s),
        )

    @cached_property
    def _planner(self) -> Planner:
        return Planner(providers=self._provider_store, counter=self._counter)

    @cached_property
    def status(self) -> StatusService:
        return StatusService(
            providers=self._provider_store, gates=self._gates, dispatcher=self._dispatcher, clock=self._clock
        )

    @cached_property
    def _dispatcher(self) -> Dispatcher:
        return Dispatcher(calls=self._calls, credentials=self._credentials, clock=self._clock)

    @cached_property
    def _calls(self) -> Calls:
        return Calls(
            providers=self._providers,
            gates=self._gates,
            prices=self._prices,
            counter=self._counter,
            clock=self._clock,
        )

    @cached_property
    def _providers(self) -> Providers:
        from llm_gateway.providers.registry import ProviderRegistry

        return ProviderRegistry(clock=self._clock)

    @cached_property
    def _prices(self) -> Prices:
        from llm_gateway.instruments.prices import PublishedPrices

        return PublishedPrices()

    @cached_property
    def _gates(self) -> ProviderGates:
        from llm_gateway.stores.gates import dynamo_provider_gates

        return dynamo_provider_gates(aws=self._aws, table=self.settings.limits_table, clock=self._clock, ids=self._ids)

    @cached_property
    def _counter(self) -> TokenCounter:
        from llm_gateway.instruments.tokens import TiktokenCounter

        return TiktokenCounter(self.settings.rank_files)

    @cached_property
    def _key_store(self) -> KeyStore:
        from llm_gateway.stores.keys import DynamoKeyStore

        return DynamoKeyStore(aws=self._aws, table=self.settings.keys_table, ids=self._ids)

    @cached_property
    def _pepper(self) -> Pepper:
        from llm_gateway.stores.secrets import SecretsManagerPepper

        return SecretsManagerPepper(aws=self._aws, secret_id=self.settings.pepper_secret_id)

    @cached_property
    def _provider_store(self) -> ProviderStore:
        from llm_gateway.stores.providers import DynamoProviderStore

        return DynamoProviderStore(aws=self._aws, table=self.settings.providers_table, clock=self._clock, ids=self._ids)

    @cached_property
    def _query_store(self) -> QueryStore:
        from llm_gateway.stores.queries import DynamoQueryStore

        return DynamoQueryStore(
            aws=self._aws, table=self.settings.queries_table, bodies=self._bodies, clock=self._clock, ids=self._ids
        )

    @cached_property
    def _bodies(self) -> BodyStore:
        from llm_gateway.stores.bodies import S3BodyStore

        return S3BodyStore(aws=self._aws, bucket=self.settings.bodies_bucket)

    @cached_property
    def _queue(self) -> QueryQueue:
        from llm_gateway.stores.queue import SqsQueryQueue

        return SqsQueryQueue(aws=self._aws, normal_url=self.settings.queue_url, high_url=self.settings.high_queue_url)

    @cached_property
    def _cache(self) -> AnswerCache:
        from llm_gateway.stores.cache import DynamoAnswerCache

        return DynamoAnswerCache(aws=self._aws, table=self.settings.cache_table, bodies=self._bodies, clock=self._clock)

    @cached_property
    def _idempotency(self) -> IdempotencyStore:
        from llm_gateway.stores.idempotency import DynamoIdempotencyStore

        return DynamoIdempotencyStore(
            aws=self._aws, table=self.settings.cache_table, bodies=self._bodies, clock=self._clock
        )

    @cached_property
    def _credentials(self) -> CredentialStore:
        from llm_gateway.stores.secrets import SecretsManagerCredentialStore

        return SecretsManagerCredentialStore(
            aws=self._aws,
            prefix=self.settings.credentials_prefix,
            kms_key_id=self.settings.kms_key_id,
            clock=self._clock,
        )

    @cached_property
    def _journal(self) -> Journal:
        from llm_gateway.instruments.journal import EmbeddedMetricsJournal

        return EmbeddedMetricsJournal()

    @cached_property
    def _aws(self) -> Aws:
        return Aws()

    @cached_property
    def _clock(self) -> Clock:
        return SystemClock()

    @cached_property
    def _ids(self) -> Ids:
        return RandomIds()
