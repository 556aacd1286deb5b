"""The stores under test: every contract runs on the fakes and on AWS, as moto plays it."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from uuid import uuid4

import pytest
from llm_gateway.ports.audit import AuditArchive, AuditLog, DenialCounters
from llm_gateway.ports.evals import FeedbackStore, RunStore
from llm_gateway.ports.keys import KeyStore, Pepper
from llm_gateway.ports.prompts import PromptReader, PromptStore
from llm_gateway.ports.providers import CredentialStore, ProviderStore
from llm_gateway.ports.queries import AnswerCache, BodyStore, QueryIndex, QueryStore
from llm_gateway.ports.replay import IdempotencyStore
from llm_gateway.ports.system import Clock, Ids
from llm_gateway.ports.usage import RollupStore
from llm_gateway.settings import Settings
from llm_gateway.stores.audit import DynamoAuditLog
from llm_gateway.stores.audit_archive import S3AuditArchive
from llm_gateway.stores.bodies import S3BodyStore
from llm_gateway.stores.cache import DynamoAnswerCache
from llm_gateway.stores.connection import Aws
from llm_gateway.stores.denials import DynamoDenialCounters
from llm_gateway.stores.feedback import DynamoFeedbackStore
from llm_gateway.stores.idempotency import DynamoIdempotencyStore
from llm_gateway.stores.keys import DynamoKeyStore
from llm_gateway.stores.prompt_reader import DynamoPromptReader
from llm_gateway.stores.prompts import DynamoPromptStore
from llm_gateway.stores.providers import DynamoProviderStore
from llm_gateway.stores.queries import DynamoQueryStore
from llm_gateway.stores.query_index import DynamoQueryIndex
from llm_gateway.stores.runs import DynamoRunStore
from llm_gateway.stores.secrets import SecretsManagerCredentialStore, SecretsManagerPepper
from llm_gateway.stores.usage import DynamoRollupStore
from moto import mock_aws

from tests.adapters.answer_cache import InMemoryAnswerCache
from tests.adapters.audit_archive import InMemoryAuditArchive
from tests.adapters.audit_log import InMemoryAuditLog
from tests.adapters.aws import connect, deploy
from tests.adapters.body_store import InMemoryBodyStore
from tests.adapters.clock import FakeClock
from tests.adapters.credential_store import InMemoryCredentialStore
from tests.adapters.denial_counters import InMemoryDenialCounters
from tests.adapters.feedback_store import InMemoryFeedbackStore
from tests.adapters.idempotency_store import InMemoryIdempotencyStore
from tests.adapters.ids import FakeIds
from tests.adapters.key_store import InMemoryKeyStore
from tests.adapters.ministack import running_ministack
from tests.adapters.pepper import FixedPepper
from tests.adapters.prompt_store import InMemoryPrompts
from tests.adapters.provider_store import InMemoryProviderStore
from tests.adapters.query_index import InMemoryQueryIndex
from tests.adapters.query_store import InMemoryQueryStore
from tests.adapters.rollup_store import InMemoryRollupStore
from tests.adapters.run_store import InMemoryRunStore


@dataclass(frozen=True, slots=True, kw_only=True)
class Stores:
    providers: ProviderStore
    prompts: PromptStore
    prompt_reader: PromptReader
    keys: KeyStore
    queries: QueryStore
    index: QueryIndex
    rollups: RollupStore
    runs: RunStore
    feedback: FeedbackStore
    credentials: CredentialStore
    pepper: Pepper
    bodies: BodyStore
    cache: AnswerCache
    idempotency: IdempotencyStore
    audit: AuditLog
    archive: AuditArchive
    denials: DenialCounters


def stores_in_memory(clock: Clock) -> Stores:
    audit = InMemoryAuditLog(clock)
    queries = InMemoryQueryStore(clock)
    prompts = InMemoryPrompts()
    return Stores(
        providers=InMemoryProviderStore(),
        prompts=prompts,
        prompt_reader=prompts,
        keys=InMemoryKeyStore(),
        queries=queries,
        index=InMemoryQueryIndex(queries, clock),
        rollups=InMemoryRollupStore(),
        runs=InMemoryRunStore(clock),
        feedback=InMemoryFeedbackStore(queries),
        credentials=InMemoryCredentialStore(),
        pepper=FixedPepper(),
        bodies=InMemoryBodyStore(),
        cache=InMemoryAnswerCache(clock),
        idempotency=InMemoryIdempotencyStore(clock),
        audit=audit,
        archive=InMemoryAuditArchive(),
        denials=InMemoryDenialCounters(audit),
    )


def stores_on_aws(aws: Aws, settings: Settings, clock: Clock, ids: Ids) -> Stores:
    bodies = S3BodyStore(aws=aws, bucket=settings.bodies_bucket)
    audit = DynamoAuditLog(aws=aws, table=settings.audit_table, clock=clock, ids=ids)
    reader = DynamoPromptReader(aws=aws, table=settings.prompts_table, clock=clock)
    return Stores(
        prompts=DynamoPromptStore(aws=aws, table=settings.prompts_table, ids=ids, changed=reader.forget),
        prompt_reader=reader,
        providers=DynamoProviderStore(aws=aws, table=settings.providers_table, clock=clock, ids=ids),
        keys=DynamoKeyStore(aws=aws, table=settings.keys_table, ids=ids),
        queries=DynamoQueryStore(aws=aws, table=settings.queries_table, bodies=bodies, clock=clock, ids=ids),
        index=DynamoQueryIndex(aws=aws, table=settings.queries_table, clock=clock),
        rollups=DynamoRollupStore(
            aws=aws, table=settings.usage_table, retention=timedelta(days=settings.usage_retention_days)
        ),
        runs=DynamoRunStore(aws=aws, table=settings.evals_table, clock=clock),
        feedback=DynamoFeedbackStore(
            aws=aws,
            queries=settings.queries_table,
            sums=settings.evals_table,
            clock=clock,
            retention=timedelta(days=settings.usage_retention_days),
        ),
        credentials=SecretsManagerCredentialStore(
            aws=aws, prefix=settings.credentials_prefix, kms_key_id=settings.kms_key_id, clock=clock
        ),
        pepper=SecretsManagerPepper(aws=aws, secret_id=settings.pepper_secret_id),
        bodies=bodies,
        cache=DynamoAnswerCache(aws=aws, table=settings.cache_table, bodies=bodies, clock=clock),
        idempotency=DynamoIdempotencyStore(aws=aws, table=settings.cache_table, bodies=bodies, clock=clock),
        audit=audit,
        archive=S3AuditArchive(aws=aws, bucket=settings.audit_bucket),
        denials=DynamoDenialCounters(aws=aws, table=settings.limits_table, log=audit),
    )


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def ids(clock: FakeClock) -> FakeIds:
    return FakeIds(clock)


@pytest.fixture(scope="package")
def aws() -> Iterator[Aws]:
    """AWS as moto plays it, for the whole package: making clients is what takes the time."""
    with mock_aws():
        yield connect()


@pytest.fixture
def settings(aws: Aws) -> Settings:
    """Tables, bucket, queues and secrets of this test alone."""
    return deploy(aws, name=f"test-{uuid4().hex[:12]}")


@pytest.fixture(params=["memory", "aws"])
def stores(request: pytest.FixtureRequest, clock: FakeClock, ids: FakeIds) -> Stores:
    if request.param == "memory":
        return stores_in_memory(clock)
    return stores_on_aws(request.getfixturevalue("aws"), request.getfixturevalue("settings"), clock, ids)


@pytest.fixture(scope="module")
def emulator(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of an AWS that really serves many at once."""
    with running_ministack(tmp_path_factory.mktemp("ministack")) as endpoint:
        yield endpoint
