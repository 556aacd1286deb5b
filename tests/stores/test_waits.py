"""Waits of keys: ten at once, whichever process counts them, and none that outlives its process for long."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from uuid import uuid4

import pytest
from llm_gateway.domain.waits import MOST_WAITS
from llm_gateway.domain.writes import Write
from llm_gateway.errors import DependencyUnavailable, RateLimited
from llm_gateway.ports.keys import Waits
from llm_gateway.stores.items import Outcome
from llm_gateway.stores.waits import StoredWaits, dynamo_waits

from tests.adapters.aws import connect, deploy
from tests.adapters.clock import FakeClock
from tests.adapters.ids import FakeIds
from tests.adapters.items import InMemoryItems
from tests.adapters.waits import InMemoryWaits

KEY = "key_alice"


@pytest.fixture(params=["memory", "aws"])
def waits(request: pytest.FixtureRequest, clock: FakeClock) -> Waits:
    if request.param == "memory":
        return InMemoryWaits(FakeIds(clock))
    settings = request.getfixturevalue("settings")
    return dynamo_waits(aws=request.getfixturevalue("aws"), table=settings.limits_table, ids=FakeIds(clock))


def test_as_many_as_may_be_and_then_one_for_each_that_ends(waits: Waits, clock: FakeClock) -> None:
    begun = [waits.begin(KEY, lasting_s=20, now=clock.now()) for _ in range(MOST_WAITS)]
    assert len(set(begun)) == MOST_WAITS
    with pytest.raises(RateLimited):
        waits.begin(KEY, lasting_s=20, now=clock.now())
    waits.begin("key_bob", lasting_s=20, now=clock.now())
    for _ in range(2):
        # Ended twice is ended once.
        waits.end(KEY, begun[3])
    waits.begin(KEY, lasting_s=20, now=clock.now())
    with pytest.raises(RateLimited):
        waits.begin(KEY, lasting_s=20, now=clock.now())


def test_one_that_leaves_no_word_ends_when_it_is_told(waits: Waits, clock: FakeClock) -> None:
    for lasting_s in range(20, 20 + MOST_WAITS):
        waits.begin(KEY, lasting_s=lasting_s, now=clock.now())
    with pytest.raises(RateLimited) as refused:
        waits.begin(KEY, lasting_s=870, now=clock.now())
    wait_s = refused.value.retry_after_s
    assert wait_s is not None
    clock.advance(wait_s - 0.001)
    with pytest.raises(RateLimited):
        waits.begin(KEY, lasting_s=870, now=clock.now())
    clock.advance(0.001)
    waits.begin(KEY, lasting_s=870, now=clock.now())
    with pytest.raises(RateLimited):
        waits.begin(KEY, lasting_s=870, now=clock.now())


def test_what_never_began_can_be_ended(waits: Waits) -> None:
    waits.end(KEY, "nothing")


def test_a_wait_is_a_write_and_another_at_its_end(clock: FakeClock) -> None:
    waits = InMemoryWaits(FakeIds(clock))
    waits.end(KEY, waits.begin(KEY, lasting_s=20, now=clock.now()))
    waits.items.calls.clear()
    waits.end(KEY, waits.begin(KEY, lasting_s=20, now=clock.now()))
    assert waits.items.calls == [("write", ("waits#key_alice",))] * 2


def test_a_lost_answer_takes_one_place(clock: FakeClock) -> None:
    @dataclass(slots=True)
    class Forgetful(InMemoryItems):
        """Sends a write again whose answer was lost, as a client of AWS does."""

        sent: list[Write] = field(default_factory=list)

        def write(self, key: str, write: Write, *, repeatable: bool = True) -> Outcome:
            self.sent.append(write)
            InMemoryItems.write(self, key, write)
            return InMemoryItems.write(self, key, write)

    items = Forgetful()
    waits = StoredWaits(items=items, ids=FakeIds(clock))
    for _ in range(MOST_WAITS):
        waits.begin(KEY, lasting_s=20, now=clock.now())
    leases = items.items["waits#key_alice"]["leases"]
    assert isinstance(leases, dict)
    assert len(leases) == MOST_WAITS


def test_too_many_at_one_moment_is_a_fault_of_the_store(clock: FakeClock) -> None:
    class Contended(InMemoryItems):
        def write(self, key: str, write: Write, *, repeatable: bool = True) -> Outcome:
            return Outcome(done=False, item={})

    with pytest.raises(DependencyUnavailable, match="contended"):
        StoredWaits(items=Contended(), ids=FakeIds(clock)).begin(KEY, lasting_s=20, now=clock.now())


def test_what_is_kept_expires_but_not_before_its_waits(aws, settings, clock: FakeClock) -> None:
    waits = dynamo_waits(aws=aws, table=settings.limits_table, ids=FakeIds(clock))
    waits.begin(KEY, lasting_s=870, now=clock.now())
    waits.begin(KEY, lasting_s=1, now=clock.now())
    (item,) = aws.dynamodb.scan(TableName=settings.limits_table)["Items"]
    last_ns = max(int(end["N"]) for end in item["leases"]["M"].values())
    assert int(item["expires_at"]["N"]) > last_ns / 1_000_000_000 > clock.now().timestamp() + 870


def test_many_at_once_share_one_count(emulator: str, clock: FakeClock) -> None:
    aws = connect(emulator)
    table = deploy(aws, name=f"test-{uuid4().hex[:12]}").limits_table
    waits = dynamo_waits(aws=aws, table=table, ids=FakeIds(clock))

    def begin(_: int) -> bool:
        try:
            waits.begin(KEY, lasting_s=20, now=clock.now())
        except (RateLimited, DependencyUnavailable):
            return False
        return True

    with ThreadPoolExecutor(16) as crowd:
        assert sum(crowd.map(begin, range(64))) == MOST_WAITS
