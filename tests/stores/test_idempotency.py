"""What a store of idempotency keys promises: one request under each, until its time is over."""

from datetime import datetime, timedelta

import pytest
from llm_gateway.domain.idempotency import IdempotencyRecord
from llm_gateway.ports.replay import IdempotencyStore

from tests.adapters.clock import FakeClock
from tests.stores.conftest import Stores, stores_on_aws

SCOPE = "a0" * 32
LEASE_S = 30
DAY_S = 86_400
LARGE = bytes(range(256)) * 2500


@pytest.fixture
def keys(stores: Stores) -> IdempotencyStore:
    return stores.idempotency


def after(clock: FakeClock, duration_s: float) -> datetime:
    return clock.now() + timedelta(seconds=duration_s)


def claim(keys: IdempotencyStore, clock: FakeClock, reference: str) -> IdempotencyRecord | None:
    return keys.claim(SCOPE, fingerprint=f"print of {reference}", reference=reference, until=after(clock, LEASE_S))


def record(reference: str, *, completed: bool = False, response: bytes | None = None) -> IdempotencyRecord:
    return IdempotencyRecord(
        fingerprint=f"print of {reference}", reference=reference, completed=completed, response=response
    )


def test_the_first_request_has_the_key_and_the_next_is_told(keys: IdempotencyStore, clock: FakeClock) -> None:
    assert claim(keys, clock, "qry_1") is None
    assert claim(keys, clock, "qry_2") == record("qry_1")
    assert keys.claim("another", fingerprint="f", reference="qry_2", until=after(clock, LEASE_S)) is None


def test_what_is_found_is_what_the_next_claim_is_told_and_takes_nothing(
    keys: IdempotencyStore, clock: FakeClock
) -> None:
    assert keys.find(SCOPE) is None
    claim(keys, clock, "qry_1")
    assert keys.find(SCOPE) == record("qry_1")
    keys.complete(SCOPE, reference="qry_1", expires_at=after(clock, DAY_S), response=b"{}")
    assert keys.find(SCOPE) == record("qry_1", completed=True, response=b"{}")
    clock.advance(DAY_S)
    assert keys.find(SCOPE) is None
    assert claim(keys, clock, "qry_2") is None


def test_who_claims_again_still_has_the_key(keys: IdempotencyStore, clock: FakeClock) -> None:
    assert claim(keys, clock, "qry_1") is None
    assert claim(keys, clock, "qry_1") is None


@pytest.mark.parametrize(
    "response",
    [None, b"", b"{}", b"x", b"x\x9c no zlib", LARGE],
    ids=["none", "empty", "JSON", "one byte", "like zlib", "640 KB"],
)
def test_what_it_came_to_is_kept_as_it_was(keys: IdempotencyStore, clock: FakeClock, response: bytes | None) -> None:
    claim(keys, clock, "qry_1")
    assert keys.complete(SCOPE, reference="qry_1", expires_at=after(clock, DAY_S), response=response)
    clock.advance(DAY_S - 0.001)
    expected = record("qry_1", completed=True, response=response)
    assert claim(keys, clock, "qry_2") == expected
    assert claim(keys, clock, "qry_1") == expected


def test_a_key_whose_day_is_over_is_new(keys: IdempotencyStore, clock: FakeClock) -> None:
    claim(keys, clock, "qry_1")
    keys.complete(SCOPE, reference="qry_1", expires_at=after(clock, DAY_S), response=LARGE)
    clock.advance(DAY_S)
    assert claim(keys, clock, "qry_2") is None
    assert claim(keys, clock, "qry_3") == record("qry_2")


def test_a_request_that_was_killed_gives_the_key_up_when_its_time_is_over(
    keys: IdempotencyStore, clock: FakeClock
) -> None:
    claim(keys, clock, "qry_1")
    clock.advance(LEASE_S - 0.001)
    assert claim(keys, clock, "qry_2") == record("qry_1")
    clock.advance(0.001)
    assert claim(keys, clock, "qry_2") is None
    assert not keys.complete(SCOPE, reference="qry_1", expires_at=after(clock, DAY_S), response=LARGE)
    assert claim(keys, clock, "qry_3") == record("qry_2")


def test_a_late_request_completes_if_nobody_came_meanwhile(keys: IdempotencyStore, clock: FakeClock) -> None:
    claim(keys, clock, "qry_1")
    clock.advance(LEASE_S + 1)
    assert keys.complete(SCOPE, reference="qry_1", expires_at=after(clock, DAY_S))
    assert claim(keys, clock, "qry_2") == record("qry_1", completed=True)


def test_what_was_never_claimed_is_not_completed(keys: IdempotencyStore, clock: FakeClock) -> None:
    assert not keys.complete(SCOPE, reference="qry_1", expires_at=after(clock, DAY_S))
    assert claim(keys, clock, "qry_2") is None


def test_a_request_that_came_to_nothing_frees_the_key(keys: IdempotencyStore, clock: FakeClock) -> None:
    keys.release(SCOPE, reference="qry_1")
    claim(keys, clock, "qry_1")
    keys.release(SCOPE, reference="qry_2")
    assert claim(keys, clock, "qry_2") == record("qry_1")
    keys.release(SCOPE, reference="qry_1")
    assert claim(keys, clock, "qry_2") is None


def test_releasing_what_is_complete_changes_nothing(keys: IdempotencyStore, clock: FakeClock) -> None:
    claim(keys, clock, "qry_1")
    keys.complete(SCOPE, reference="qry_1", expires_at=after(clock, DAY_S))
    keys.release(SCOPE, reference="qry_1")
    assert claim(keys, clock, "qry_2") == record("qry_1", completed=True)


def test_deleting_forgets_ones_own_request_alone(keys: IdempotencyStore, clock: FakeClock) -> None:
    claim(keys, clock, "qry_1")
    keys.complete(SCOPE, reference="qry_1", expires_at=after(clock, DAY_S), response=b"{}")
    keys.delete(SCOPE, reference="qry_2")
    assert claim(keys, clock, "qry_2") == record("qry_1", completed=True, response=b"{}")
    keys.delete(SCOPE, reference="qry_1")
    assert claim(keys, clock, "qry_2") is None


def test_deleting_leaves_no_response_behind_even_where_the_key_is_anothers_by_now(
    aws, settings, clock: FakeClock, ids
) -> None:
    keys = stores_on_aws(aws, settings, clock, ids).idempotency
    claim(keys, clock, "qry_1")
    keys.complete(SCOPE, reference="qry_1", expires_at=after(clock, DAY_S), response=LARGE)
    clock.advance(DAY_S)
    claim(keys, clock, "qry_2")
    keys.complete(SCOPE, reference="qry_2", expires_at=after(clock, DAY_S), response=LARGE)
    keys.delete(SCOPE, reference="qry_1")
    assert claim(keys, clock, "qry_3") == record("qry_2", completed=True, response=LARGE)
    (left,) = aws.s3.list_objects_v2(Bucket=settings.bodies_bucket)["Contents"]
    assert left["Key"].endswith("/qry_2")


def test_who_was_too_late_to_complete_leaves_no_response_behind(aws, settings, clock: FakeClock, ids) -> None:
    keys = stores_on_aws(aws, settings, clock, ids).idempotency
    claim(keys, clock, "qry_1")
    clock.advance(LEASE_S)
    claim(keys, clock, "qry_2")
    assert not keys.complete(SCOPE, reference="qry_1", expires_at=after(clock, DAY_S), response=LARGE)
    assert aws.s3.list_objects_v2(Bucket=settings.bodies_bucket)["KeyCount"] == 0


def test_answers_and_keys_share_a_table_and_nothing_else(stores: Stores, clock: FakeClock) -> None:
    assert claim(stores.idempotency, clock, "qry_1") is None
    assert stores.cache.look_up(SCOPE, holder="qry_2", until=after(clock, LEASE_S)) is None
