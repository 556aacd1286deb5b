"""What a store of nonces promises: each is taken once, by one of many, and kept for as long as it was asked to be."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from uuid import uuid4

import pytest
from llm_gateway.domain.writes import Write
from llm_gateway.errors import DependencyUnavailable
from llm_gateway.instruments.system import RandomIds
from llm_gateway.ports.keys import NonceStore
from llm_gateway.settings import Settings
from llm_gateway.stores.connection import Aws
from llm_gateway.stores.items import Outcome
from llm_gateway.stores.nonces import StoredNonces, dynamo_nonces

from tests.adapters.aws import connect, deploy
from tests.adapters.clock import FakeClock
from tests.adapters.items import InMemoryItems
from tests.adapters.nonce_store import InMemoryNonceStore

KEY_ID = "key_01KAQ0XN00B3W8Z5V6T7R8S9QA"
REPLAYS = 20


@pytest.fixture(params=["memory", "items", "aws"])
def nonces(request: pytest.FixtureRequest) -> NonceStore:
    if request.param == "memory":
        return InMemoryNonceStore()
    if request.param == "items":
        return StoredNonces(items=InMemoryItems(), ids=RandomIds())
    settings: Settings = request.getfixturevalue("settings")
    return dynamo_nonces(aws=request.getfixturevalue("aws"), table=settings.limits_table, ids=RandomIds())


@pytest.fixture
def until(clock: FakeClock) -> datetime:
    return clock.now() + timedelta(seconds=700.5)


@pytest.mark.holds("API2", "STRIDE-S")
def test_a_nonce_is_taken_once(nonces: NonceStore, until: datetime) -> None:
    assert nonces.take(KEY_ID, "a nonce", until=until)
    assert not nonces.take(KEY_ID, "a nonce", until=until)
    assert not nonces.take(KEY_ID, "a nonce", until=until + timedelta(days=1))
    assert nonces.take(KEY_ID, "another", until=until)
    assert nonces.take(KEY_ID[:-1] + "B", "a nonce", until=until)


def test_nonces_are_told_apart_to_the_last_character(nonces: NonceStore, until: datetime) -> None:
    for nonce in ("a", "A", "a#", "#a", "a" * 128, "a" * 127 + "b", "".join(map(chr, range(0x21, 0x7F)))):
        assert nonces.take(KEY_ID, nonce, until=until)


@pytest.mark.parametrize("kind", ["memory", "items"])
def test_one_of_twenty_at_once_takes_it(kind: str, until: datetime) -> None:
    nonces: NonceStore = (
        InMemoryNonceStore() if kind == "memory" else StoredNonces(items=InMemoryItems(), ids=RandomIds())
    )
    assert _taken_at_once([nonces] * REPLAYS, until) == 1


def test_one_of_twenty_at_once_takes_it_on_a_table(emulator: str, until: datetime) -> None:
    """Each has clients of its own, as so many Lambdas have."""
    aws = connect(emulator)
    table = deploy(aws, name=f"nonces-{uuid4().hex[:12]}").limits_table
    four = [dynamo_nonces(aws=connect(emulator), table=table, ids=RandomIds()) for _ in range(4)]
    assert _taken_at_once(four * (REPLAYS // 4), until) == 1


def _taken_at_once(stores: "list[NonceStore] | list[StoredNonces]", until: datetime) -> int:
    with ThreadPoolExecutor(len(stores)) as crowd:
        taking = [crowd.submit(store.take, KEY_ID, "a nonce", until=until) for store in stores]
        return sum(took.result() for took in taking)


@dataclass
class Repeating(InMemoryItems):
    """Answers are lost on the way, so each write is sent twice, as botocore does."""

    sent: list[bool] = field(default_factory=list)

    def write(self, key: str, write: Write, *, repeatable: bool = True) -> Outcome:
        super().write(key, write, repeatable=repeatable)
        self.sent.append(repeatable)
        return super().write(key, write, repeatable=repeatable)


def test_a_write_whose_answer_was_lost_is_no_replay(until: datetime) -> None:
    nonces = StoredNonces(items=Repeating(), ids=RandomIds())
    assert nonces.take(KEY_ID, "a nonce", until=until)
    assert not nonces.take(KEY_ID, "a nonce", until=until)


def test_a_nonce_costs_one_write_and_goes_when_its_time_is_over(aws: Aws, settings: Settings, until: datetime) -> None:
    asked: list[str] = []

    def note(model, **_: object) -> None:
        asked.append(model.name)

    aws.dynamodb.meta.events.register("before-call", note)
    try:
        dynamo_nonces(aws=aws, table=settings.limits_table, ids=RandomIds()).take(KEY_ID, "a nonce", until=until)
    finally:
        aws.dynamodb.meta.events.unregister("before-call", note)
    assert asked == ["UpdateItem"]
    (item,) = aws.dynamodb.scan(TableName=settings.limits_table)["Items"]
    assert item["scope"] == {"S": f"nonce#{KEY_ID}#a nonce"}
    # The name under which the table expires its items.
    assert int(item["expires_at"]["N"]) == int(until.timestamp()) + 1


def test_without_its_table_no_nonce_is_taken(aws: Aws, until: datetime) -> None:
    with pytest.raises(DependencyUnavailable):
        dynamo_nonces(aws=aws, table="there-is-none", ids=RandomIds()).take(KEY_ID, "a nonce", until=until)
