"""What is asked and answered, where it is sealed: nothing of it is in clear anywhere, and it is gone with its key's secrets."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from llm_gateway.domain.chat import Message, MessageRole, TextPart
from llm_gateway.domain.sealing import NotSealedSo
from llm_gateway.settings import Settings
from llm_gateway.stores.bodies import S3BodyStore
from llm_gateway.stores.cache import DynamoAnswerCache
from llm_gateway.stores.connection import Aws
from llm_gateway.stores.documents import Documents, Owner, Sealing
from llm_gateway.stores.queries import DynamoQueryStore
from llm_gateway.stores.sealing import EnvelopeSeal

from tests.adapters.clock import FakeClock
from tests.adapters.data_keys import InMemoryDataKeys
from tests.adapters.ids import FakeIds
from tests.stores.test_cache import cached
from tests.stores.values import query, question, succeeded

MARK = "the-patient-said-so"
SMALL, LARGE = 10, 20_000
KEY = "c" * 64
EVER = datetime(9999, 1, 1, tzinfo=UTC)


def asked(times: int):
    # Numbered, so that it stays long when it is packed.
    text = " ".join(f"{MARK} {number * 7919 % 104729:x}" for number in range(times))
    request = question(messages=(Message(role=MessageRole.USER, content=(TextPart(text=text),)),))
    return query(request=request)


class Sealed:
    """The stores over one AWS, with sealing on or off; `everything` is all that AWS has of them."""

    def __init__(self, aws: Aws, settings: Settings, clock: FakeClock, ids: FakeIds) -> None:
        self.aws, self.settings, self.clock, self.ids = aws, settings, clock, ids
        self.kept = InMemoryDataKeys(clock, ids)
        self.seal = EnvelopeSeal(self.kept, clock=clock)
        self.bodies = S3BodyStore(aws=aws, bucket=settings.bodies_bucket)

    def queries(self, *, is_on: bool = True, retention_days: int = 0) -> DynamoQueryStore:
        return DynamoQueryStore(
            aws=self.aws,
            table=self.settings.queries_table,
            bodies=self.bodies,
            clock=self.clock,
            ids=self.ids,
            sealing=Sealing(seal=lambda: self.seal, is_on=is_on),
            retention_days=retention_days,
        )

    def cache(self, *, is_on: bool = True) -> DynamoAnswerCache:
        return DynamoAnswerCache(
            aws=self.aws,
            table=self.settings.cache_table,
            bodies=self.bodies,
            clock=self.clock,
            sealing=Sealing(seal=lambda: self.seal, is_on=is_on),
        )

    def everything(self) -> str:
        tables = (self.settings.queries_table, self.settings.cache_table)
        items = [self.aws.dynamodb.scan(TableName=table)["Items"] for table in tables]
        listed = self.aws.s3.list_objects_v2(Bucket=self.settings.bodies_bucket).get("Contents", [])
        return repr([items, *(self.bodies.get(each["Key"]) for each in listed)])


@pytest.fixture
def sealed(aws: Aws, settings: Settings, clock: FakeClock, ids: FakeIds) -> Sealed:
    return Sealed(aws, settings, clock, ids)


@pytest.mark.parametrize("times", [SMALL, LARGE])
@pytest.mark.holds("LLM02", "STRIDE-I")
def test_a_sealed_query_comes_back_and_nothing_of_it_is_in_clear(sealed: Sealed, times: int) -> None:
    asks = asked(times)
    sealed.queries().add(asks)
    sealed.queries().finish(succeeded(asks))
    assert sealed.queries().get(asks.id) == succeeded(asks)
    assert MARK not in sealed.everything()
    assert "Paris" not in sealed.everything()


def test_switched_off_it_seals_nothing_more_and_still_opens_what_is_sealed(sealed: Sealed) -> None:
    asks = asked(SMALL)
    sealed.queries().add(asks)
    sealed.kept.asked.clear()
    off = sealed.queries(is_on=False)
    assert off.finish(succeeded(asks))
    assert sealed.queries().get(asks.id) == succeeded(asks)


def test_switched_off_no_secret_is_asked_for(sealed: Sealed) -> None:
    asks = asked(SMALL)
    sealed.queries(is_on=False).add(asks)
    assert sealed.queries(is_on=False).get(asks.id) == asks
    assert MARK in sealed.everything()
    assert sealed.kept.asked == []


@pytest.mark.parametrize("times", [SMALL, LARGE])
@pytest.mark.holds("STRIDE-I")
def test_with_its_keys_secrets_a_query_is_gone(sealed: Sealed, times: int) -> None:
    asks = asked(times)
    sealed.queries().add(asks)
    sealed.seal.shred(asks.owner, made_before=EVER)
    assert sealed.queries().get(asks.id) is None
    assert sealed.queries().claim(asks.id, until=sealed.clock.now() + timedelta(minutes=1)) is None


@pytest.mark.parametrize("size", [100, 400_000])
def test_a_cached_answer_is_sealed_for_its_place_and_gone_with_the_secrets(sealed: Sealed, size: int) -> None:
    answer = cached(sealed.clock, size=size)
    sealed.cache().put(KEY, answer, owner="key_alice")
    assert sealed.cache().peek(KEY) == answer
    assert sealed.cache(is_on=False).peek(KEY) == answer
    assert "\\x01s1" in sealed.everything()
    sealed.seal.shred("key_alice", made_before=EVER)
    assert sealed.cache().peek(KEY) is None
    # A miss: whoever asks next makes the answer anew.
    until = sealed.clock.now() + timedelta(seconds=30)
    assert sealed.cache().look_up(KEY, holder="qry_new", until=until) is None


def test_an_answer_that_was_put_in_anothers_place_does_not_open(sealed: Sealed) -> None:
    sealed.cache().put(KEY, cached(sealed.clock), owner="key_alice")
    table = sealed.settings.cache_table
    [item] = sealed.aws.dynamodb.scan(TableName=table)["Items"]
    sealed.aws.dynamodb.put_item(TableName=table, Item={**item, "cache_key": {"S": "answer#elsewhere"}})
    with pytest.raises(NotSealedSo):
        sealed.cache().peek("elsewhere")


@pytest.mark.parametrize("sealing", ["with nobody's name", "without a seal"])
def test_sealed_bytes_that_nobody_can_open_are_a_fault_and_not_nothing(sealed: Sealed, sealing: str) -> None:
    seal = Sealing(seal=lambda: sealed.seal, is_on=True)
    owner = Owner(key_id="key_alice", query_id="qry_1")
    kept = Documents(sealed.bodies, seal).keep(b"words", key="k", owner=owner)
    documents = Documents(sealed.bodies, seal if sealing == "with nobody's name" else None)
    with pytest.raises(NotSealedSo):
        documents.read(kept, owner=None if sealing == "with nobody's name" else owner)


@pytest.mark.parametrize(
    ("kept_days", "prefix"),
    [(1, "queries-1d/"), (4, "queries-5d/"), (29, "queries/"), (30, "queries/"), (40, "queries/")],
)
def test_large_bodies_of_a_key_that_keeps_for_less_are_where_they_are_deleted_sooner(
    sealed: Sealed, kept_days: int, prefix: str
) -> None:
    """Never sooner than the query is gone, and never later than the deployment deletes."""
    asks = asked(LARGE)
    asks = replace(asks, expires_at=asks.created_at + timedelta(days=kept_days))
    store = sealed.queries(is_on=False, retention_days=30)
    store.add(asks)
    # Read back, as a worker does.
    waiting = store.get(asks.id)
    assert waiting is not None
    text = " ".join(f"{number * 7919 % 104729:x}" for number in range(LARGE * 6))
    assert store.finish(succeeded(waiting, text=text))
    keys = [each["Key"] for each in sealed.aws.s3.list_objects_v2(Bucket=sealed.settings.bodies_bucket)["Contents"]]
    assert sorted(key.rpartition("/")[0] for key in keys) == [f"{prefix}{asks.id}/answer", f"{prefix}{asks.id}/request"]
    found = store.get(asks.id)
    assert found is not None
    assert (found.request, found.answer is not None) == (asks.request, True)
