"""Which caller a secret lets in, and what is read for one that lets nobody in."""

import hashlib
import hmac
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from llm_gateway.domain.key_secrets import secret_of
from llm_gateway.domain.keys import ApiKey, KeySpec, Role
from llm_gateway.errors import DependencyUnavailable, Unauthenticated
from llm_gateway.services.keys.administration import KeyService
from llm_gateway.services.keys.authentication import Authentication
from llm_gateway.wire.keys import as_auditors_see

from tests.adapters.audit_log import InMemoryAuditLog
from tests.adapters.authors import BY
from tests.adapters.clock import FakeClock
from tests.adapters.ids import FakeIds
from tests.adapters.key_store import InMemoryKeyStore
from tests.adapters.key_uses import InMemoryKeyUses
from tests.adapters.pepper import FixedPepper
from tests.adapters.watched import Watched

NOBODYS = secret_of("01ARZ3NDEKTSV4RRFFQ69G5FAV", "x" * 43)


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def store() -> InMemoryKeyStore:
    return InMemoryKeyStore()


@pytest.fixture
def service(clock: FakeClock, store: InMemoryKeyStore) -> KeyService:
    return KeyService(
        store=store,
        uses=InMemoryKeyUses(),
        pepper=FixedPepper(),
        clock=clock,
        ids=FakeIds(clock),
        draw=lambda: 0.5,
        log=InMemoryAuditLog(clock),
        shown=as_auditors_see,
    )


@pytest.fixture
def watched(store: InMemoryKeyStore) -> Watched:
    return Watched(store)


@pytest.fixture
def keys(clock: FakeClock, watched: Any) -> Authentication:
    return Authentication(store=watched, pepper=FixedPepper(), clock=clock)


def made(service: KeyService, role: Role = Role.CALLER, **said: Any) -> tuple[ApiKey, str]:
    issued = service.create(KeySpec(name="A key", role=role, **said), by=BY)
    return issued.key, issued.secret


def refused(keys: Authentication, secret: str) -> str:
    with pytest.raises(Unauthenticated) as refusal:
        keys.authenticate(secret)
    return refusal.value.detail


@pytest.mark.parametrize("role", Role)
def test_a_secret_lets_its_holder_in(keys: Authentication, service: KeyService, watched: Watched, role: Role) -> None:
    key, secret = made(service, role)
    assert keys.authenticate(secret) == key
    assert watched.asked == ["find"]


def test_what_is_stored_does_not_open_the_door(
    keys: Authentication, service: KeyService, store: InMemoryKeyStore
) -> None:
    key, secret = made(service)
    (stored,) = store.get(key.id).secrets
    assert stored.hash == hmac.new(FixedPepper().value(), secret.encode(), hashlib.sha256).hexdigest()
    assert secret not in str(store.get(key.id))
    refused(keys, secret_of(key.id.removeprefix("key_"), stored.hash))


def test_another_pepper_opens_nothing(keys: Authentication, service: KeyService) -> None:
    _, secret = made(service)
    refused(replace(keys, pepper=FixedPepper(b"another")), secret)


def test_one_keys_secret_opens_no_other(keys: Authentication, service: KeyService) -> None:
    (_, one), (other, _) = made(service), made(service, Role.ADMIN)
    refused(keys, secret_of(other.id.removeprefix("key_"), one.split("_", 2)[2][:-6]))


@pytest.mark.parametrize(
    "secret",
    ["", "x", "llmgw_", "key_a", "llmgw_\N{SNOWMAN}_x", "\x00", "llmgw_sign_x", "Bearer", NOBODYS + "x", NOBODYS[:-1]],
)
def test_for_what_is_no_secret_nothing_is_read(keys: Authentication, watched: Watched, secret: str) -> None:
    refused(keys, secret)
    assert watched.asked == []


def test_a_typo_is_told_from_a_wrong_secret(keys: Authentication, service: KeyService) -> None:
    _, secret = made(service)
    typo = refused(keys, secret[:-8] + ("x" if secret[-8] != "x" else "y") + secret[-7:])
    assert "mistyped: its checksum is wrong" in typo
    assert "mistyped" not in refused(keys, NOBODYS)


def test_a_wrong_secret_is_read_for_once(keys: Authentication, service: KeyService, watched: Watched) -> None:
    key, secret = made(service)
    wrong = secret_of(key.id.removeprefix("key_"), "w" * 43)
    for each in (NOBODYS, wrong) * 3:
        refused(keys, each)
    assert watched.asked == ["find", "find"]
    assert keys.authenticate(secret) == key


def test_a_key_ends_at_its_very_moment_and_goes_on_where_its_end_is_moved(
    keys: Authentication, service: KeyService, clock: FakeClock
) -> None:
    key, secret = made(service, expires_at=clock.now() + timedelta(seconds=10))
    clock.advance(9.999)
    keys.authenticate(secret)
    clock.advance(0.001)
    refused(keys, secret)
    service.update(key.id, {"expires_at": None}, expected=None, by=BY)
    keys.authenticate(secret)


def test_a_revoked_key_opens_nothing(keys: Authentication, service: KeyService) -> None:
    key, secret = made(service)
    keys.authenticate(secret)
    service.revoke(key.id, expected=None, by=BY)
    refused(keys, secret)


def test_both_secrets_of_a_rotation_open_while_they_overlap(
    keys: Authentication, service: KeyService, clock: FakeClock
) -> None:
    key, old = made(service)
    new = service.rotate(key.id, overlap=timedelta(hours=1), by=BY).secret
    for secret in (old, new):
        assert keys.authenticate(secret).id == key.id
    clock.advance(3600)
    refused(keys, old)
    keys.authenticate(new)


def test_a_key_whose_requests_must_be_signed_opens_nothing_by_its_bare_secret(
    keys: Authentication, service: KeyService
) -> None:
    key, secret = made(service, require_signature=True)
    assert "must be signed" in refused(keys, secret)
    service.update(key.id, {"require_signature": False}, expected=None, by=BY)
    keys.authenticate(secret)


def test_every_refusal_of_a_well_formed_secret_says_the_same(
    keys: Authentication, service: KeyService, clock: FakeClock
) -> None:
    (revoked, its_secret), (_, expired) = made(service), made(service, expires_at=clock.now() + timedelta(seconds=1))
    service.revoke(revoked.id, expected=None, by=BY)
    clock.advance(1)
    wrong = secret_of(revoked.id.removeprefix("key_"), "w" * 43)
    assert len({refused(keys, secret) for secret in (its_secret, expired, wrong, NOBODYS, "nonsense")}) == 1


def test_a_store_that_is_away_lets_nobody_in(
    keys: Authentication, service: KeyService, store: InMemoryKeyStore
) -> None:
    _, secret = made(service, Role.ADMIN)
    store.fault = DependencyUnavailable("away")
    with pytest.raises(DependencyUnavailable):
        keys.authenticate(secret)
    store.fault = None
    keys.authenticate(secret)
