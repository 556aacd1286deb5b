"""Everything concrete that the use cases stand on: stores, instruments, providers and AWS's clients."""

from dataclasses import dataclass
from datetime import timedelta
from functools import cached_property
from random import random
from typing import TYPE_CHECKING

from llm_gateway.settings import Settings, own_metrics_namespace

if TYPE_CHECKING:
    from llm_gateway.domain.routing import Draw
    from llm_gateway.ports.audit import AuditArchive, AuditLog, DenialCounters
    from llm_gateway.ports.backups import ConfigurationTables
    from llm_gateway.ports.context import Segmenter
    from llm_gateway.ports.erasures import Erasable, ErasureStore
    from llm_gateway.ports.evals import CanaryEvents, FeedbackStore, RunStore
    from llm_gateway.ports.keys import (
        BudgetEvents,
        FailedAttempts,
        KeyStore,
        KeyUses,
        NonceStore,
        Pepper,
        QueryAccounts,
        Waits,
    )
    from llm_gateway.ports.privacy import Detector
    from llm_gateway.ports.prompts import PromptReader, PromptStore
    from llm_gateway.ports.providers import (
        CredentialStore,
        Prices,
        ProviderGates,
        Providers,
        ProviderStore,
        TokenCounter,
    )
    from llm_gateway.ports.queries import AnswerCache, BodyStore, Journal, QueryQueue, QueryStore
    from llm_gateway.ports.replay import IdempotencyStore
    from llm_gateway.ports.sealing import Shredder
    from llm_gateway.ports.system import Clock, Ids
    from llm_gateway.ports.tracing import Tracing
    from llm_gateway.ports.usage import RollupStore
    from llm_gateway.stores.connection import Aws
    from llm_gateway.stores.documents import Sealing
    from llm_gateway.stores.event_bus import EventBus
    from llm_gateway.stores.query_index import DynamoQueryIndex


@dataclass(frozen=True)
class Outside:
    """One property for each port. It is made, and its module imported, when it is first asked for."""

    settings: Settings

    @cached_property
    def clock(self) -> "Clock":
        from llm_gateway.instruments.system import SystemClock

        return SystemClock()

    @cached_property
    def ids(self) -> "Ids":
        from llm_gateway.instruments.system import RandomIds

        return RandomIds()

    @cached_property
    def draw(self) -> "Draw":
        return random

    @cached_property
    def journal(self) -> "Journal":
        from llm_gateway.instruments.journal import EmbeddedMetricsJournal

        return EmbeddedMetricsJournal(namespace=own_metrics_namespace())

    @cached_property
    def tracing(self) -> "Tracing | None":
        if not self.settings.otlp_endpoint:
            return None
        from llm_gateway.instruments.spans import OpenTelemetry

        # Their words go nowhere before what is personal in them was looked for.
        detector = (lambda: self.detector) if self.settings.otlp_content else None
        return OpenTelemetry(self.settings.otlp_endpoint, detector=detector, clock=self.clock)

    @cached_property
    def prices(self) -> "Prices":
        from llm_gateway.instruments.prices import PublishedPrices

        return PublishedPrices()

    @cached_property
    def counter(self) -> "TokenCounter":
        from llm_gateway.instruments.tokens import TiktokenCounter

        return TiktokenCounter(self.settings.rank_files)

    @cached_property
    def detector(self) -> "Detector":
        from llm_gateway.instruments.personal_data.detector import PatternDetector

        return PatternDetector()

    @cached_property
    def segmenter(self) -> "Segmenter":
        from llm_gateway.instruments.segmenter import UnicodeSegmenter

        return UnicodeSegmenter()

    @cached_property
    def models(self) -> "Providers":
        from llm_gateway.providers.registry import ProviderRegistry

        return ProviderRegistry(
            clock=self.clock,
            private_addresses_allowed=self.settings.allow_private_addresses,
            own_model_url=self.settings.local_model_url,
        )

    @cached_property
    def gates(self) -> "ProviderGates":
        from llm_gateway.stores.gates import dynamo_provider_gates

        return dynamo_provider_gates(
            aws=self.aws,
            table=self.settings.limits_table,
            clock=self.clock,
            ids=self.ids,
            turned=self.journal.circuit_turned,
        )

    @cached_property
    def key_store(self) -> "KeyStore":
        from llm_gateway.stores.keys import DynamoKeyStore

        return DynamoKeyStore(aws=self.aws, table=self.settings.keys_table, ids=self.ids)

    @cached_property
    def pepper(self) -> "Pepper":
        from llm_gateway.stores.secrets import SecretsManagerPepper

        return SecretsManagerPepper(aws=self.aws, secret_id=self.settings.pepper_secret_id)

    @cached_property
    def nonces(self) -> "NonceStore":
        from llm_gateway.stores.nonces import dynamo_nonces

        return dynamo_nonces(aws=self.aws, table=self.settings.limits_table, ids=self.ids)

    @cached_property
    def key_uses(self) -> "KeyUses":
        from llm_gateway.stores.key_uses import dynamo_key_uses

        return dynamo_key_uses(aws=self.aws, table=self.settings.limits_table)

    @cached_property
    def key_accounts(self) -> "QueryAccounts":
        from llm_gateway.stores.accounts import dynamo_key_accounts

        return dynamo_key_accounts(
            aws=self.aws, table=self.settings.limits_table, clock=self.clock, events=self.budget_events
        )

    @cached_property
    def budget_events(self) -> "BudgetEvents":
        from llm_gateway.stores.budget_events import EventBridgeBudgetEvents

        return EventBridgeBudgetEvents(self._event_bus(), self.journal)

    @cached_property
    def canary_events(self) -> "CanaryEvents":
        from llm_gateway.stores.canary_events import EventBridgeCanaryEvents

        return EventBridgeCanaryEvents(self._event_bus())

    def _event_bus(self) -> "EventBus":
        from llm_gateway.stores.event_bus import EventBus

        return EventBus(aws=self.aws, bus=self.settings.event_bus)

    @cached_property
    def failed_attempts(self) -> "FailedAttempts":
        from llm_gateway.stores.failed_attempts import dynamo_failed_attempts

        return dynamo_failed_attempts(aws=self.aws, table=self.settings.limits_table)

    @cached_property
    def waits(self) -> "Waits":
        from llm_gateway.stores.waits import dynamo_waits

        return dynamo_waits(aws=self.aws, table=self.settings.limits_table, ids=self.ids)

    @cached_property
    def provider_store(self) -> "ProviderStore":
        from llm_gateway.stores.providers import DynamoProviderStore

        return DynamoProviderStore(aws=self.aws, table=self.settings.providers_table, clock=self.clock, ids=self.ids)

    @cached_property
    def credentials(self) -> "CredentialStore":
        from llm_gateway.stores.secrets import SecretsManagerCredentialStore

        return SecretsManagerCredentialStore(
            aws=self.aws,
            prefix=self.settings.credentials_prefix,
            kms_key_id=self.settings.kms_key_id,
            clock=self.clock,
        )

    @cached_property
    def prompt_store(self) -> "PromptStore":
        from llm_gateway.stores.prompts import DynamoPromptStore

        changed = self.prompt_reader.forget
        return DynamoPromptStore(aws=self.aws, table=self.settings.prompts_table, ids=self.ids, changed=changed)

    @cached_property
    def prompt_reader(self) -> "PromptReader":
        from llm_gateway.stores.prompt_reader import DynamoPromptReader

        return DynamoPromptReader(aws=self.aws, table=self.settings.prompts_table, clock=self.clock)

    @cached_property
    def audit_log(self) -> "AuditLog":
        from llm_gateway.stores.audit import DynamoAuditLog

        return DynamoAuditLog(
            aws=self.aws,
            table=self.settings.audit_table,
            clock=self.clock,
            ids=self.ids,
            draw=self.draw,
            retention=self.settings.audit_retention,
        )

    @cached_property
    def audit_archive(self) -> "AuditArchive":
        from llm_gateway.stores.audit_archive import S3AuditArchive

        return S3AuditArchive(aws=self.aws, bucket=self.settings.audit_bucket)

    @cached_property
    def denial_counters(self) -> "DenialCounters":
        from llm_gateway.stores.denials import DynamoDenialCounters

        return DynamoDenialCounters(aws=self.aws, table=self.settings.limits_table, log=self.audit_log)

    @cached_property
    def seal(self) -> "Shredder":
        from llm_gateway.stores.data_keys import KmsDataKeys
        from llm_gateway.stores.sealing import EnvelopeSeal

        keys = KmsDataKeys(
            aws=self.aws,
            table=self.settings.seals_table,
            kms_key_id=self.settings.kms_key_id,
            clock=self.clock,
            ids=self.ids,
            kept=timedelta(days=self.settings.retention_days),
        )
        return EnvelopeSeal(keys, clock=self.clock)

    def _sealing(self) -> "Sealing":
        from llm_gateway.stores.documents import Sealing

        return Sealing(seal=lambda: self.seal, is_on=self.settings.seal)

    @cached_property
    def configuration_tables(self) -> "ConfigurationTables":
        from llm_gateway.stores.configuration_tables import DynamoConfigurationTables

        settings = self.settings
        names = {
            "keys": settings.keys_table,
            "providers": settings.providers_table,
            "prompts": settings.prompts_table,
        }
        return DynamoConfigurationTables(aws=self.aws, names=names)

    @cached_property
    def query_store(self) -> "QueryStore":
        from llm_gateway.stores.queries import DynamoQueryStore

        return DynamoQueryStore(
            aws=self.aws,
            table=self.settings.queries_table,
            bodies=self.bodies,
            clock=self.clock,
            ids=self.ids,
            sealing=self._sealing(),
            retention_days=self.settings.retention_days,
        )

    @cached_property
    def query_index(self) -> "DynamoQueryIndex":
        from llm_gateway.stores.query_index import DynamoQueryIndex

        return DynamoQueryIndex(aws=self.aws, table=self.settings.queries_table, clock=self.clock)

    @cached_property
    def rollups(self) -> "RollupStore":
        from llm_gateway.stores.usage import DynamoRollupStore

        retention = timedelta(days=self.settings.usage_retention_days)
        return DynamoRollupStore(aws=self.aws, table=self.settings.usage_table, retention=retention)

    @cached_property
    def runs(self) -> "RunStore":
        from llm_gateway.stores.runs import DynamoRunStore

        return DynamoRunStore(aws=self.aws, table=self.settings.evals_table, clock=self.clock)

    @cached_property
    def erasures(self) -> "ErasureStore":
        from llm_gateway.stores.erasures import DynamoErasureStore

        return DynamoErasureStore(aws=self.aws, table=self.settings.evals_table, ids=self.ids)

    @cached_property
    def erasable(self) -> "Erasable":
        return self.query_index

    @cached_property
    def feedback(self) -> "FeedbackStore":
        from llm_gateway.stores.feedback import DynamoFeedbackStore

        return DynamoFeedbackStore(
            aws=self.aws,
            queries=self.settings.queries_table,
            sums=self.settings.evals_table,
            clock=self.clock,
            retention=timedelta(days=self.settings.usage_retention_days),
        )

    @cached_property
    def bodies(self) -> "BodyStore":
        from llm_gateway.stores.bodies import S3BodyStore

        return S3BodyStore(aws=self.aws, bucket=self.settings.bodies_bucket)

    @cached_property
    def queue(self) -> "QueryQueue":
        from llm_gateway.stores.queue import SqsQueryQueue

        return SqsQueryQueue(aws=self.aws, normal_url=self.settings.queue_url, high_url=self.settings.high_queue_url)

    @cached_property
    def cache(self) -> "AnswerCache":
        from llm_gateway.stores.cache import DynamoAnswerCache

        return DynamoAnswerCache(
            aws=self.aws,
            table=self.settings.cache_table,
            bodies=self.bodies,
            clock=self.clock,
            sealing=self._sealing(),
        )

    @cached_property
    def idempotency(self) -> "IdempotencyStore":
        from llm_gateway.stores.idempotency import DynamoIdempotencyStore

        return DynamoIdempotencyStore(
            aws=self.aws, table=self.settings.cache_table, bodies=self.bodies, clock=self.clock
        )

    @cached_property
    def aws(self) -> "Aws":
        from llm_gateway.stores.connection import Aws

        return Aws()
