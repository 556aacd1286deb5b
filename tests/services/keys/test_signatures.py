"""Signed requests: whose they are, once each, and what a refused one leaves behind."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import timedelta

import pytest
from llm_gateway.domain.keys import KeySpec, Role
from llm_gateway.domain.signatures import WINDOW_S, SignedRequest
from llm_gateway.errors import DependencyUnavailable, SignatureExpired, SignatureInvalid, SignatureReplayed
from llm_gateway.services.keys.administration import Issued, KeyService
from llm_gateway.services.keys.signatures import KEPT_S, Signatures
from llm_gateway.wire.keys import as_auditors_see

from tests.adapters.audit_log import InMemoryAuditLog
from tests.adapters.authors import BY
from tests.adapters.clock import FakeClock
from tests.adapters.ids import FakeIds
from tests.adapters.key_store import InMemoryKeyStore
from tests.adapters.key_uses import InMemoryKeyUses
from tests.adapters.nonce_store import InMemoryNonceStore
from tests.adapters.pepper import FixedPepper
from tests.adapters.signing import KEY_ID, NOW_S, SECRET, params, signed

NEW_SECRET = b"the secret after a rotation"


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def nonces() -> InMemoryNonceStore:
    return InMemoryNonceStore()


@pytest.fixture
def signatures(clock: FakeClock, nonces: InMemoryNonceStore) -> Signatures:
    return Signatures(store=InMemoryKeyStore(), pepper=FixedPepper(), nonces=nonces, clock=clock)


def let_in(signatures: Signatures, request: SignedRequest, *secrets: bytes) -> None:
    signatures.verify(signatures.claim(request), secrets or (SECRET,))


def test_a_signed_request_is_let_in_once(signatures: Signatures) -> None:
    request = signed()
    let_in(signatures, request)
    for _ in range(3):
        with pytest.raises(SignatureReplayed) as refusal:
            let_in(signatures, request)
    assert (refusal.value.status, refusal.value.code) == (401, "signature_replayed")
    let_in(signatures, signed(parameters=params(nonce="another")))


def test_a_nonce_is_spent_whatever_else_is_signed_with_it(signatures: Signatures) -> None:
    let_in(signatures, signed())
    with pytest.raises(SignatureReplayed):
        let_in(signatures, signed(method="GET", body=b"", parameters=params(created=NOW_S + 1)))


def test_two_keys_may_use_one_nonce(signatures: Signatures) -> None:
    let_in(signatures, signed())
    let_in(signatures, signed(parameters=params(key_id=KEY_ID[:-1] + "B")))


def test_of_twenty_replays_at_once_one_is_let_in(signatures: Signatures) -> None:
    request = signed()

    def ask(_: int) -> bool:
        try:
            let_in(signatures, request)
        except SignatureReplayed:
            return False
        return True

    with ThreadPoolExecutor(20) as crowd:
        assert sum(crowd.map(ask, range(20))) == 1


@pytest.mark.parametrize("secret", [SECRET, NEW_SECRET])
def test_both_secrets_of_a_rotation_sign_while_they_overlap(signatures: Signatures, secret: bytes) -> None:
    let_in(signatures, signed(secret=secret), NEW_SECRET, SECRET)


def test_after_the_overlap_the_old_secret_signs_nothing(signatures: Signatures) -> None:
    with pytest.raises(SignatureInvalid):
        let_in(signatures, signed(), NEW_SECRET)


def test_a_key_without_secrets_signs_nothing(signatures: Signatures, nonces: InMemoryNonceStore) -> None:
    claim = signatures.claim(signed())
    with pytest.raises(SignatureInvalid):
        signatures.verify(claim, ())
    for secret in (b"", b"\0" * 32, KEY_ID.encode()):
        with pytest.raises(SignatureInvalid):
            signatures.verify(signatures.claim(signed(secret=secret)), ())
    assert nonces.taken == {}


def test_a_refused_signature_burns_no_nonce(signatures: Signatures, nonces: InMemoryNonceStore) -> None:
    request = signed()
    for changed in (replace(request, method="PUT"), replace(request, body=b"{}"), replace(request, headers=())):
        with pytest.raises(SignatureInvalid):
            let_in(signatures, changed)
    with pytest.raises(SignatureInvalid):
        let_in(signatures, request, b"another secret")
    for off_s in (-301, 301):
        with pytest.raises(SignatureExpired):
            let_in(signatures, signed(parameters=params(created=NOW_S + off_s)))
    assert nonces.taken == {}
    let_in(signatures, request)


@pytest.mark.parametrize("off_s", [-300, -299, 299, 300])
def test_a_clock_may_be_five_minutes_off(signatures: Signatures, off_s: int) -> None:
    let_in(signatures, signed(parameters=params(created=NOW_S + off_s)))


@pytest.mark.parametrize("off_s", [-300, 0, 300])
def test_a_nonce_outlives_every_signature_that_carries_it(
    signatures: Signatures, clock: FakeClock, nonces: InMemoryNonceStore, off_s: int
) -> None:
    request = signed(parameters=params(created=NOW_S + off_s))
    let_in(signatures, request)
    (until,) = nonces.taken.values()
    assert until == clock.now() + timedelta(seconds=KEPT_S)
    assert KEPT_S > 2 * WINDOW_S + 1
    clock.advance((until - clock.now()).total_seconds())
    nonces.taken.clear()
    with pytest.raises(SignatureExpired):
        let_in(signatures, request)


def test_nobody_is_let_in_while_nonces_cannot_be_kept(signatures: Signatures, nonces: InMemoryNonceStore) -> None:
    nonces.fault = DependencyUnavailable("The store of limits cannot be reached right now.", retry_after_s=2)
    with pytest.raises(DependencyUnavailable) as refusal:
        let_in(signatures, signed())
    assert refusal.value.status == 503
    with pytest.raises(SignatureInvalid):
        let_in(signatures, signed(), b"another secret")


# By the key that a signature names


@pytest.fixture
def keys(signatures: Signatures, clock: FakeClock) -> KeyService:
    return KeyService(
        store=signatures.store,
        uses=InMemoryKeyUses(),
        pepper=signatures.pepper,
        clock=clock,
        ids=FakeIds(clock),
        draw=lambda: 0.5,
        log=InMemoryAuditLog(clock),
        shown=as_auditors_see,
    )


def by(issued: Issued, nonce: str) -> SignedRequest:
    created = int(issued.key.created_at.timestamp())
    parameters = params(key_id=issued.key.id, nonce=nonce, created=created)
    return signed(parameters=parameters, secret=issued.signing_secret.encode())


def new(keys: KeyService, **said: object) -> Issued:
    return keys.create(KeySpec(**{"name": "A key", "role": Role.CALLER, **said}), by=BY)  # type: ignore[arg-type]


def test_a_signature_is_its_keys(signatures: Signatures, keys: KeyService) -> None:
    issued = new(keys, require_signature=True)
    assert signatures.authenticate(by(issued, "one")) == issued.key
    with pytest.raises(SignatureReplayed):
        signatures.authenticate(by(issued, "one"))


def test_both_generations_sign_until_the_overlap_ends(
    signatures: Signatures, keys: KeyService, clock: FakeClock
) -> None:
    old = new(keys)
    rotated = keys.rotate(old.key.id, overlap=timedelta(seconds=100), by=BY)
    for issued, nonce in ((old, "one"), (rotated, "two")):
        assert signatures.authenticate(by(issued, nonce)) == rotated.key
    clock.advance(100)
    with pytest.raises(SignatureInvalid):
        signatures.authenticate(by(old, "three"))
    assert signatures.authenticate(by(rotated, "four")) == rotated.key


def test_no_signature_of_a_key_that_is_revoked_expired_or_unknown(
    signatures: Signatures, keys: KeyService, clock: FakeClock
) -> None:
    revoked, expired = new(keys), new(keys, expires_at=clock.now() + timedelta(seconds=1))
    keys.revoke(revoked.key.id, expected=None, by=BY)
    clock.advance(1)
    for request in (by(revoked, "one"), by(expired, "one"), signed()):
        with pytest.raises(SignatureInvalid):
            signatures.authenticate(request)


def test_a_bare_secret_signs_nothing(signatures: Signatures, keys: KeyService) -> None:
    issued = new(keys)
    with pytest.raises(SignatureInvalid):
        signatures.authenticate(by(replace(issued, signing_secret=issued.secret), "one"))
