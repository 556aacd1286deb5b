"""Sealing: bound to key and query, remembered for a bounded time, gone for ever once its secret is; with KMS, too."""

from collections import Counter
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from llm_gateway.domain.sealing import NotSealedSo, Shredded, is_sealed
from llm_gateway.errors import DependencyUnavailable
from llm_gateway.settings import Settings
from llm_gateway.stores.connection import Aws
from llm_gateway.stores.data_keys import RENEWED, KmsDataKeys
from llm_gateway.stores.sealing import MAX_AGE_S, MOST_REMEMBERED, MOST_SEALED, EnvelopeSeal

from tests.adapters.aws import connect, deploy
from tests.adapters.clock import FakeClock
from tests.adapters.data_keys import InMemoryDataKeys
from tests.adapters.ids import FakeIds
from tests.adapters.ministack import running_ministack

WORDS = "What did the patient say? \N{OWL}".encode() * 20
ALICE, BOB, QUERY = "key_alice", "key_bob", "qry_1"

EVER = datetime(9999, 1, 1, tzinfo=UTC)

Process = Callable[[], EnvelopeSeal]
"""A fresh process's seal: it remembers nothing, and finds what others have kept."""


@pytest.fixture
def kept(clock: FakeClock, ids: FakeIds) -> InMemoryDataKeys:
    return InMemoryDataKeys(clock, ids)


@pytest.fixture(params=["memory", "aws"])
def process(request: pytest.FixtureRequest, clock: FakeClock, ids: FakeIds) -> Process:
    if request.param == "memory":
        kept = request.getfixturevalue("kept")
        return lambda: EnvelopeSeal(kept, clock=clock)
    aws, settings = request.getfixturevalue("aws"), request.getfixturevalue("settings")
    return lambda: EnvelopeSeal(_keys(aws, settings, clock, ids), clock=clock)


def test_what_is_sealed_opens_in_any_process_and_shows_nothing(process: Process) -> None:
    sealed = process().seal(WORDS, key_id=ALICE, query_id=QUERY)
    assert is_sealed(sealed)
    assert b"patient" not in sealed
    assert len(sealed) <= len(WORDS) + 60
    assert process().open(sealed, key_id=ALICE, query_id=QUERY) == WORDS


def test_the_same_words_are_sealed_otherwise_each_time(process: Process) -> None:
    seal = process()
    assert seal.seal(WORDS, key_id=ALICE, query_id=QUERY) != seal.seal(WORDS, key_id=ALICE, query_id=QUERY)


@pytest.mark.holds("API1", "STRIDE-T")
def test_it_opens_for_no_other_query_and_no_other_key(process: Process) -> None:
    seal = process()
    sealed = seal.seal(WORDS, key_id=ALICE, query_id=QUERY)
    with pytest.raises(NotSealedSo):
        seal.open(sealed, key_id=ALICE, query_id="qry_2")
    seal.seal(WORDS, key_id=BOB, query_id=QUERY)
    with pytest.raises(Shredded):
        seal.open(sealed, key_id=BOB, query_id=QUERY)


def test_erased_secrets_take_what_they_sealed_with_them_and_nothing_else(process: Process, clock: FakeClock) -> None:
    seal = process()
    earlier = seal.seal(WORDS, key_id=ALICE, query_id=QUERY)
    clock.advance(RENEWED.total_seconds())
    later, bobs = (seal.seal(WORDS, key_id=key, query_id=QUERY) for key in (ALICE, BOB))
    seal.shred(ALICE, made_before=EVER)
    for sealed in (earlier, later):
        for each in (seal, process()):
            with pytest.raises(Shredded):
                each.open(sealed, key_id=ALICE, query_id=QUERY)
    assert process().open(bobs, key_id=BOB, query_id=QUERY) == WORDS
    again = seal.seal(WORDS, key_id=ALICE, query_id=QUERY)
    assert process().open(again, key_id=ALICE, query_id=QUERY) == WORDS
    seal.shred("key_that_sealed_nothing", made_before=EVER)


@pytest.mark.parametrize("apart_s", [2, 0.0004])
def test_what_is_sealed_after_a_renewal_outlives_the_secrets_before_it(
    process: Process, clock: FakeClock, apart_s: float
) -> None:
    seal = process()
    earlier = seal.seal(WORDS, key_id=ALICE, query_id=QUERY)
    clock.advance(2.0004)
    renewed_at = clock.now()
    clock.advance(apart_s)
    seal.renew(ALICE)
    later = [each.seal(WORDS, key_id=ALICE, query_id=QUERY) for each in (seal, process())]
    seal.shred(ALICE, made_before=renewed_at)
    for each in (seal, process()):
        assert [each.open(sealed, key_id=ALICE, query_id=QUERY) for sealed in later] == [WORDS, WORDS]
        with pytest.raises(Shredded):
            each.open(earlier, key_id=ALICE, query_id=QUERY)


def test_a_process_that_remembers_seals_with_the_old_secret_for_its_time_alone(
    process: Process, clock: FakeClock
) -> None:
    seal, other = process(), process()
    first = other.seal(WORDS, key_id=ALICE, query_id=QUERY)
    clock.advance(2)
    seal.renew(ALICE)
    assert other.seal(WORDS, key_id=ALICE, query_id=QUERY)[:29] == first[:29]
    clock.advance(MAX_AGE_S)
    assert other.seal(WORDS, key_id=ALICE, query_id=QUERY)[:29] != first[:29]


def test_a_key_that_has_sealed_nothing_gets_no_secret(
    aws: Aws, settings: Settings, clock: FakeClock, ids: FakeIds
) -> None:
    _keys(aws, settings, clock, ids).renew("key_new")
    assert aws.dynamodb.scan(TableName=settings.seals_table)["Items"] == []
    _keys(aws, settings, clock, ids).current("key_new")
    without = KmsDataKeys(
        aws=aws, table=settings.seals_table, kms_key_id=None, clock=clock, ids=ids, kept=timedelta(days=30)
    )
    without.renew("key_new")
    assert aws.dynamodb.scan(TableName=settings.seals_table)["Count"] == 1


def test_another_process_forgets_an_erased_secret_within_its_time(process: Process, clock: FakeClock) -> None:
    seal, other = process(), process()
    sealed = seal.seal(WORDS, key_id=ALICE, query_id=QUERY)
    assert other.open(sealed, key_id=ALICE, query_id=QUERY) == WORDS
    seal.shred(ALICE, made_before=EVER)
    clock.advance(MAX_AGE_S)
    with pytest.raises(Shredded):
        other.open(sealed, key_id=ALICE, query_id=QUERY)


def test_a_secret_seals_for_a_day_and_opens_for_longer(process: Process, clock: FakeClock) -> None:
    seal = process()
    first = seal.seal(WORDS, key_id=ALICE, query_id=QUERY)
    clock.advance(RENEWED.total_seconds() - 1)
    second = seal.seal(WORDS, key_id=ALICE, query_id=QUERY)
    clock.advance(1)
    third = seal.seal(WORDS, key_id=ALICE, query_id=QUERY)
    assert first[:29] == second[:29] != third[:29]
    assert all(process().open(each, key_id=ALICE, query_id=QUERY) == WORDS for each in (first, second, third))


@given(data=st.data())
@pytest.mark.holds("STRIDE-T")
def test_what_is_changed_or_cut_never_opens(data: st.DataObject) -> None:
    clock = FakeClock()
    seal = EnvelopeSeal(InMemoryDataKeys(clock, FakeIds(clock)), clock=clock)
    sealed = seal.seal(b"words", key_id=ALICE, query_id=QUERY)
    at = data.draw(st.integers(0, len(sealed) - 1))
    changed = bytearray(sealed)
    changed[at] ^= data.draw(st.integers(1, 255))
    for broken in (bytes(changed), sealed[:at]):
        with pytest.raises((NotSealedSo, Shredded)):
            seal.open(broken, key_id=ALICE, query_id=QUERY)


def test_a_secret_is_asked_for_once_in_its_time(kept: InMemoryDataKeys, clock: FakeClock) -> None:
    seal = EnvelopeSeal(kept, clock=clock)
    for _ in range(3):
        seal.open(seal.seal(WORDS, key_id=ALICE, query_id=QUERY), key_id=ALICE, query_id=QUERY)
    assert kept.asked == ["current"]
    clock.advance(MAX_AGE_S)
    seal.seal(WORDS, key_id=ALICE, query_id=QUERY)
    assert kept.asked == ["current", "current"]


def test_nor_does_one_seal_without_end(kept: InMemoryDataKeys, clock: FakeClock) -> None:
    seal = EnvelopeSeal(kept, clock=clock)
    names = Counter(seal.seal(b"", key_id=ALICE, query_id=QUERY)[3:29] for _ in range(MOST_SEALED + 1))
    assert sorted(names.values()) == [1, MOST_SEALED], "the key has another secret then"
    assert kept.asked == ["current", "renew", "current"]


def test_only_so_many_are_remembered(kept: InMemoryDataKeys, clock: FakeClock) -> None:
    seal = EnvelopeSeal(kept, clock=clock)
    for number in range(MOST_REMEMBERED):
        seal.seal(b"", key_id=f"key_{number}", query_id=QUERY)
    kept.asked.clear()
    seal.seal(b"", key_id="key_0", query_id=QUERY)
    seal.seal(b"", key_id=f"key_{MOST_REMEMBERED - 1}", query_id=QUERY)
    assert kept.asked == ["current"]


def test_without_its_secret_nothing_is_sealed(kept: InMemoryDataKeys, clock: FakeClock) -> None:
    kept.is_down = True
    with pytest.raises(DependencyUnavailable):
        EnvelopeSeal(kept, clock=clock).seal(WORDS, key_id=ALICE, query_id=QUERY)


def test_without_a_key_of_kms_nothing_is_sealed(aws: Aws, settings: Settings, clock: FakeClock, ids: FakeIds) -> None:
    keys = KmsDataKeys(
        aws=aws, table=settings.seals_table, kms_key_id=None, clock=clock, ids=ids, kept=timedelta(days=30)
    )
    with pytest.raises(DependencyUnavailable, match="names no key of KMS"):
        EnvelopeSeal(keys, clock=clock).seal(WORDS, key_id=ALICE, query_id=QUERY)


def test_a_secret_is_kept_wrapped_and_ends_after_what_it_sealed(
    aws: Aws, settings: Settings, clock: FakeClock, ids: FakeIds
) -> None:
    keys = _keys(aws, settings, clock, ids)
    secret = keys.current(ALICE).secret
    [item] = aws.dynamodb.scan(TableName=settings.seals_table)["Items"]
    assert secret not in item["wrapped"]["B"]
    days = (int(item["expires_at"]["N"]) - clock.now().timestamp()) / 86400
    assert 31 < days < 34
    assert "secret" not in repr(keys.current(ALICE)).lower().replace("datakey", "")


def test_one_that_is_wrapped_for_another_key_does_not_unwrap(
    aws: Aws, settings: Settings, clock: FakeClock, ids: FakeIds
) -> None:
    keys = _keys(aws, settings, clock, ids)
    keys.current(ALICE)
    [item] = aws.dynamodb.scan(TableName=settings.seals_table)["Items"]
    aws.dynamodb.put_item(TableName=settings.seals_table, Item={**item, "key_id": {"S": BOB}})
    with pytest.raises(DependencyUnavailable):
        keys.current(BOB)


def test_the_emulator_seals_too(tmp_path: Path, clock: FakeClock, ids: FakeIds) -> None:
    with running_ministack(tmp_path) as endpoint:
        aws = connect(endpoint)
        settings = deploy(aws, name="sealing")
        sealed = EnvelopeSeal(_keys(aws, settings, clock, ids), clock=clock).seal(WORDS, key_id=ALICE, query_id=QUERY)
        other = EnvelopeSeal(_keys(aws, settings, clock, ids), clock=clock)
        assert other.open(sealed, key_id=ALICE, query_id=QUERY) == WORDS
        other.shred(ALICE, made_before=EVER)
        with pytest.raises(Shredded):
            other.open(sealed, key_id=ALICE, query_id=QUERY)


def _keys(aws: Aws, settings: Settings, clock: FakeClock, ids: FakeIds) -> KmsDataKeys:
    return KmsDataKeys(
        aws=aws,
        table=settings.seals_table,
        kms_key_id=settings.kms_key_id,
        clock=clock,
        ids=ids,
        kept=timedelta(days=settings.retention_days),
    )
