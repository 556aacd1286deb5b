"""API keys: what is stored of one, and whom a secret lets in."""

import hashlib
import hmac
from dataclasses import replace
from datetime import timedelta

import pytest
from llm_gateway.domain.keys import Caller, Role
from llm_gateway.errors import DependencyUnavailable, Unauthenticated
from llm_gateway.services.keys.authentication import Keys

from tests.adapters.clock import FakeClock
from tests.adapters.ids import FakeIds
from tests.adapters.key_store import InMemoryKeyStore
from tests.adapters.pepper import FixedPepper


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def store() -> InMemoryKeyStore:
    return InMemoryKeyStore()


@pytest.fixture
def keys(clock: FakeClock, store: InMemoryKeyStore) -> Keys:
    return Keys(store=store, pepper=FixedPepper(), clock=clock, ids=FakeIds(clock))


@pytest.mark.parametrize("role", Role)
def test_a_secret_lets_its_holder_in(keys: Keys, role: Role) -> None:
    key, secret = keys.create(name="A key", role=role)
    assert keys.authenticate(secret) == Caller(key_id=key.id, role=role)


def test_what_is_stored_does_not_open_the_door(keys: Keys, store: InMemoryKeyStore) -> None:
    key, secret = keys.create(name="A key", role=Role.ADMIN)
    stored = store.get(key.id)
    assert stored == key
    assert key.id.startswith("key_")
    assert secret not in repr(stored)
    assert secret.rpartition("_")[2] not in repr(stored)
    assert key.secret_hash == hmac.new(FixedPepper().value(), secret.encode(), hashlib.sha256).hexdigest()
    with pytest.raises(Unauthenticated):
        keys.authenticate(f"llmgw_{key.id.removeprefix('key_')}_{key.secret_hash}")


def test_another_pepper_opens_nothing(keys: Keys, clock: FakeClock, store: InMemoryKeyStore) -> None:
    _, secret = keys.create(name="A key", role=Role.ADMIN)
    with pytest.raises(Unauthenticated):
        replace(keys, pepper=FixedPepper(b"another")).authenticate(secret)


def test_one_keys_secret_opens_no_other(keys: Keys) -> None:
    _, one = keys.create(name="One", role=Role.CALLER)
    _, other = keys.create(name="Other", role=Role.ADMIN)
    prefix, ulid, _ = other.split("_", 2)
    with pytest.raises(Unauthenticated):
        keys.authenticate(f"{prefix}_{ulid}_{one.split('_', 2)[2]}")


@pytest.mark.parametrize(
    "secret",
    ["", "x", "llmgw_", "llmgw_a_b", "key_a", "llmgw_\N{SNOWMAN}_x", "\x00", "llmgw_01ARZ3NDEKTSV4RRFFQ69G5FAV_x"],
)
def test_what_is_no_secret_opens_nothing(keys: Keys, secret: str) -> None:
    keys.create(name="A key", role=Role.ADMIN)
    with pytest.raises(Unauthenticated):
        keys.authenticate(secret)


def test_a_key_ends_at_its_very_moment(keys: Keys, clock: FakeClock) -> None:
    _, secret = keys.create(name="A key", role=Role.CALLER, expires_at=clock.now() + timedelta(seconds=10))
    clock.advance(9.999)
    keys.authenticate(secret)
    clock.advance(0.001)
    with pytest.raises(Unauthenticated):
        keys.authenticate(secret)


def test_a_revoked_key_opens_nothing(keys: Keys, store: InMemoryKeyStore) -> None:
    key, secret = keys.create(name="A key", role=Role.CALLER)
    store.put(replace(key, revoked=True))
    with pytest.raises(Unauthenticated):
        keys.authenticate(secret)


def test_every_refusal_says_the_same(keys: Keys, store: InMemoryKeyStore, clock: FakeClock) -> None:
    revoked, its_secret = keys.create(name="Revoked", role=Role.CALLER)
    store.put(replace(revoked, revoked=True))
    _, expired = keys.create(name="Expired", role=Role.CALLER, expires_at=clock.now())
    told = set()
    for secret in (its_secret, expired, its_secret + "x", "llmgw_nobody_x", "nonsense"):
        with pytest.raises(Unauthenticated) as refused:
            keys.authenticate(secret)
        told.add(refused.value.detail)
    assert len(told) == 1


def test_a_store_that_is_away_lets_nobody_in(keys: Keys, store: InMemoryKeyStore) -> None:
    _, secret = keys.create(name="A key", role=Role.ADMIN)
    store.fault = DependencyUnavailable("away")
    with pytest.raises(DependencyUnavailable):
        keys.authenticate(secret)
