"""Managing keys: what each change leaves behind, and that an admin is always left."""

import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from llm_gateway.domain.keys import ApiKey, BudgetState, KeySpec, KeyStatus, Role
from llm_gateway.domain.signatures import signing_secret
from llm_gateway.errors import (
    DependencyUnavailable,
    GatewayError,
    KeyNotFound,
    LastAdmin,
    RevisionConflict,
    ValidationFailed,
)
from llm_gateway.services.keys.administration import KeyService
from llm_gateway.wire.keys import as_auditors_see

from tests.adapters.audit_log import InMemoryAuditLog
from tests.adapters.authors import BY
from tests.adapters.clock import FakeClock
from tests.adapters.ids import FakeIds
from tests.adapters.key_accounts import FixedAccounts
from tests.adapters.key_store import InMemoryKeyStore
from tests.adapters.key_uses import InMemoryKeyUses
from tests.adapters.pepper import FixedPepper
from tests.adapters.watched import Watched

UNKNOWN = "key_01ARZ3NDEKTSV4RRFFQ69G5FAV"


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def store() -> InMemoryKeyStore:
    return InMemoryKeyStore()


@pytest.fixture
def uses() -> InMemoryKeyUses:
    return InMemoryKeyUses()


@pytest.fixture
def keys(clock: FakeClock, store: InMemoryKeyStore, uses: InMemoryKeyUses) -> KeyService:
    return KeyService(
        store=store,
        uses=uses,
        pepper=FixedPepper(),
        clock=clock,
        ids=FakeIds(clock),
        draw=lambda: 0.5,
        log=InMemoryAuditLog(clock),
        shown=as_auditors_see,
    )


def made(keys: KeyService, role: Role = Role.CALLER, **said: Any) -> ApiKey:
    return keys.create(KeySpec(name="A key", role=role, **said), by=BY).key


def revoke(keys: KeyService, key: ApiKey) -> None:
    keys.revoke(key.id, expected=None, by=BY)


def demote(keys: KeyService, key: ApiKey) -> None:
    keys.update(key.id, {"role": Role.CALLER}, expected=None, by=BY)


def end(keys: KeyService, key: ApiKey) -> None:
    keys.update(key.id, {"expires_at": keys.clock.now() + timedelta(hours=1)}, expected=None, by=BY)


TAKING_AWAY = pytest.mark.parametrize("take_away", [revoke, demote, end])


def test_a_new_key(keys: KeyService, store: InMemoryKeyStore, clock: FakeClock) -> None:
    issued = keys.create(KeySpec(name="A key", role=Role.CALLER, tags=("a",)), by=BY)
    key = issued.key
    assert store.get(key.id) == key
    assert (key.name, key.role, key.tags, key.revision) == ("A key", Role.CALLER, ("a",), 1)
    assert key.created_at == key.updated_at == clock.now()
    assert key.secrets[0].hint == f"…{issued.secret[-4:]}"
    assert issued.signing_secret == signing_secret(FixedPepper().value(), key_id=key.id, generation=1)
    assert issued.secret not in repr(issued)
    assert issued.signing_secret not in repr(issued)
    assert issued.view.status is KeyStatus.ACTIVE


@pytest.mark.parametrize("gone_s", [0, 1])
def test_an_end_in_the_past_is_refused(keys: KeyService, clock: FakeClock, gone_s: int) -> None:
    past = clock.now() - timedelta(seconds=gone_s)
    with pytest.raises(ValidationFailed, match="expires_at"):
        made(keys, expires_at=past)
    key = made(keys)
    with pytest.raises(ValidationFailed, match="expires_at"):
        keys.update(key.id, {"expires_at": past}, expected=None, by=BY)
    assert keys.get(key.id).key == key


def test_an_expired_key_can_be_changed_and_go_on(keys: KeyService, clock: FakeClock) -> None:
    key = made(keys, expires_at=clock.now() + timedelta(seconds=1))
    clock.advance(1)
    renamed = keys.update(key.id, {"name": "Another"}, expected=None, by=BY)
    assert (renamed.key.name, renamed.status) == ("Another", KeyStatus.EXPIRED)
    assert keys.update(key.id, {"expires_at": None}, expected=None, by=BY).status is KeyStatus.ACTIVE


def test_a_change_counts_revisions_and_expects_one(keys: KeyService, clock: FakeClock) -> None:
    key = made(keys)
    clock.advance(5)
    changed = keys.update(key.id, {"tags": ("b",)}, expected=1, by=BY).key
    assert (changed.revision, changed.tags, changed.created_at, changed.updated_at) == (
        2,
        ("b",),
        key.created_at,
        clock.now(),
    )
    for stale in (lambda: keys.update(key.id, {}, expected=1, by=BY), lambda: keys.revoke(key.id, expected=1, by=BY)):
        with pytest.raises(RevisionConflict, match="revision 2"):
            stale()
    assert keys.get(key.id).key == changed


def test_changes_at_the_same_time_are_merged_into_each_other(
    keys: KeyService, store: InMemoryKeyStore, clock: FakeClock
) -> None:
    key, watched = made(keys), Watched(store)
    watched.first["saving"] = lambda: keys.update(key.id, {"name": "Another"}, expected=None, by=BY)
    changed = replace(keys, store=watched).update(key.id, {"tags": ("b",)}, expected=None, by=BY).key
    assert (changed.name, changed.tags, changed.revision) == ("Another", ("b",), 3)


def test_who_expects_a_revision_is_told_of_another_change(keys: KeyService, store: InMemoryKeyStore) -> None:
    key, watched = made(keys), Watched(store)
    watched.first["saving"] = lambda: keys.update(key.id, {"name": "Another"}, expected=None, by=BY)
    with pytest.raises(RevisionConflict):
        replace(keys, store=watched).update(key.id, {"tags": ("b",)}, expected=1, by=BY)
    assert keys.get(key.id).key.tags == ()


def test_a_rotation_gives_both_secrets_anew(keys: KeyService, clock: FakeClock) -> None:
    issued = keys.create(KeySpec(name="A key", role=Role.CALLER), by=BY)
    rotated = keys.rotate(issued.key.id, overlap=timedelta(hours=1), by=BY)
    assert rotated.secret != issued.secret
    assert rotated.signing_secret == signing_secret(FixedPepper().value(), key_id=issued.key.id, generation=2)
    old, new = issued.key.secrets[0], rotated.key.secrets[0]
    assert rotated.key.secrets == (new, replace(old, until=clock.now() + timedelta(hours=1)))
    assert new.hint == f"…{rotated.secret[-4:]}"
    assert keys.rotate(issued.key.id, overlap=timedelta(), by=BY).key.secrets[1:] == ()


def test_a_revoked_key_can_be_read_and_nothing_else(keys: KeyService, clock: FakeClock) -> None:
    key = made(keys)
    revoke(keys, key)
    assert keys.get(key.id).status is KeyStatus.REVOKED
    assert [view.status for view in keys.page(limit=10, cursor=None).items] == [KeyStatus.REVOKED]
    for further in (
        lambda: revoke(keys, key),
        lambda: demote(keys, key),
        lambda: keys.rotate(key.id, overlap=timedelta(), by=BY),
    ):
        with pytest.raises(KeyNotFound):
            further()
    clock.advance(timedelta(days=90).total_seconds())
    with pytest.raises(KeyNotFound):
        keys.get(key.id)
    assert keys.page(limit=10, cursor=None).items == ()


@pytest.mark.parametrize("key_id", [UNKNOWN, "", "admins", "nobody", "k" * 3000, "key_\x00", "\ud800"])
def test_an_unknown_key_is_not_there(keys: KeyService, key_id: str) -> None:
    for use in (
        lambda: keys.get(key_id),
        lambda: keys.update(key_id, {}, expected=None, by=BY),
        lambda: keys.rotate(key_id, overlap=timedelta(), by=BY),
        lambda: keys.revoke(key_id, expected=None, by=BY),
    ):
        with pytest.raises(KeyNotFound):
            use()


def test_when_a_key_was_used_last_is_told_wherever_it_is_shown(
    keys: KeyService, uses: InMemoryKeyUses, clock: FakeClock
) -> None:
    used, unused = made(keys), made(keys)
    uses.note(used.id, at=clock.now())
    assert [view.last_used_at for view in keys.page(limit=10, cursor=None).items] == [clock.now(), None]
    assert keys.get(used.id).last_used_at == clock.now()
    assert keys.get(unused.id).last_used_at is None
    assert keys.update(used.id, {}, expected=None, by=BY).last_used_at == clock.now()
    assert keys.rotate(used.id, overlap=timedelta(), by=BY).view.last_used_at == clock.now()


def test_nothing_is_changed_where_the_answer_could_not_be_made(keys: KeyService, uses: InMemoryKeyUses) -> None:
    key = made(keys)
    uses.fault = DependencyUnavailable("away")
    for use in (
        lambda: keys.update(key.id, {"name": "x"}, expected=None, by=BY),
        lambda: keys.rotate(key.id, overlap=timedelta(), by=BY),
    ):
        with pytest.raises(DependencyUnavailable):
            use()
    uses.fault = None
    assert keys.get(key.id).key == key


def test_a_key_can_be_revoked_while_nobody_knows_when_it_was_used(keys: KeyService, uses: InMemoryKeyUses) -> None:
    key = made(keys)
    uses.fault = DependencyUnavailable("away")
    revoke(keys, key)
    uses.fault = None
    assert keys.get(key.id).status is KeyStatus.REVOKED


def test_the_own_key_shows_its_budget_where_there_are_accounts(keys: KeyService, clock: FakeClock) -> None:
    key = made(keys)
    state = BudgetState(
        spent_usd=Decimal("1.5"), reserved_usd=Decimal("0.5"), remaining_usd=Decimal(23), resets_at=clock.now()
    )
    assert keys.own(key.caller()).budget is None
    accounts = FixedAccounts(**{key.id: state})
    assert replace(keys, accounts=accounts).own(key.caller()).budget == state
    assert replace(keys, accounts=accounts).own(made(keys).caller()).budget is None


# The last admin


@TAKING_AWAY
def test_the_last_admin_stays(keys: KeyService, take_away: Any, clock: FakeClock) -> None:
    admin = made(keys, Role.ADMIN)
    ended = made(keys, Role.ADMIN, expires_at=clock.now() + timedelta(minutes=1))
    revoked = made(keys, Role.ADMIN)
    revoke(keys, revoked)
    clock.advance(60)
    with pytest.raises(LastAdmin):
        take_away(keys, admin)
    assert keys.get(admin.id).key == admin
    assert keys.get(ended.id).status is KeyStatus.EXPIRED
    made(keys, Role.ADMIN)
    take_away(keys, admin)


def test_the_last_admin_may_be_renamed_rotated_and_extended(keys: KeyService, clock: FakeClock) -> None:
    admin = made(keys, Role.ADMIN, expires_at=clock.now() + timedelta(hours=1))
    keys.update(admin.id, {"name": "Another"}, expected=None, by=BY)
    keys.rotate(admin.id, overlap=timedelta(), by=BY)
    keys.update(admin.id, {"expires_at": None}, expected=None, by=BY)
    with pytest.raises(LastAdmin):
        end(keys, admin)


def test_an_expired_admin_that_goes_on_counts_again(keys: KeyService, clock: FakeClock) -> None:
    one = made(keys, Role.ADMIN, expires_at=clock.now() + timedelta(hours=1))
    other = made(keys, Role.ADMIN)
    clock.advance(3600)
    with pytest.raises(LastAdmin):
        revoke(keys, other)
    keys.update(one.id, {"expires_at": None}, expected=None, by=BY)
    revoke(keys, other)
    with pytest.raises(LastAdmin):
        revoke(keys, one)


def test_a_caller_that_becomes_admin_counts(keys: KeyService) -> None:
    admin, caller = made(keys, Role.ADMIN), made(keys)
    keys.update(caller.id, {"role": Role.ADMIN}, expected=None, by=BY)
    revoke(keys, admin)
    with pytest.raises(LastAdmin):
        demote(keys, caller)


@TAKING_AWAY
@pytest.mark.parametrize("together", range(3))
def test_of_two_admins_at_the_same_instant_one_stays(keys: KeyService, take_away: Any, together: int) -> None:
    """Both have seen two admins before either changes anything."""
    admins = [made(keys, Role.ADMIN) for _ in range(2)]
    barrier, seen = threading.Barrier(2), threading.local()

    class AtOnce(Watched):
        def admins(self) -> Any:
            found = self.port.admins()
            if not hasattr(seen, "them"):
                seen.them = True
                barrier.wait(10)
            return found

    service = replace(keys, store=AtOnce(keys.store))

    def take(admin: ApiKey) -> str | None:
        try:
            take_away(service, admin)
        except GatewayError as refusal:
            return refusal.code
        return None

    with ThreadPoolExecutor(2) as crowd:
        assert sorted(crowd.map(take, admins), key=str) == [None, "last_admin"]
    active = [keys.get(admin.id) for admin in admins]
    assert (
        sum(view.key.role is Role.ADMIN and view.key.revoked_at is None and not view.key.expires_at for view in active)
        == 1
    )


def test_of_many_admins_that_all_go_one_stays(keys: KeyService) -> None:
    admins = [made(keys, Role.ADMIN) for _ in range(12)]

    def take(admin: ApiKey) -> bool:
        try:
            revoke(keys, admin)
        except LastAdmin:
            return False
        return True

    with ThreadPoolExecutor(12) as crowd:
        assert sum(crowd.map(take, admins)) == 11
    assert sum(keys.get(admin.id).status is KeyStatus.ACTIVE for admin in admins) == 1


def test_a_list_that_always_changes_is_a_dependency_that_is_too_busy(keys: KeyService, store: InMemoryKeyStore) -> None:
    key, watched = made(keys), Watched(store)
    watched.faults["saving"] = RevisionConflict("overtaken")
    busy = replace(keys, store=watched)
    for use in (lambda: made(busy), lambda: revoke(busy, key)):
        with pytest.raises(DependencyUnavailable) as refused:
            use()
        assert refused.value.retry_after_s == 2


def test_a_page_goes_on_where_the_one_before_ended(keys: KeyService) -> None:
    three = [made(keys) for _ in range(3)]
    first = keys.page(limit=2, cursor=None)
    rest = keys.page(limit=2, cursor=first.next_cursor)
    assert [view.key for page in (first, rest) for view in page.items] == three
    assert rest.next_cursor is None
