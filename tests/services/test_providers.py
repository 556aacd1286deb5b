"""The providers' book: configurations and their credentials change together or not at all."""

from dataclasses import replace
from typing import Any

import pytest
from llm_gateway.domain.providers import (
    CircuitPolicy,
    ProviderCredentials,
    ProviderDraft,
    ProviderKind,
    ProviderLimits,
    RetryPolicy,
    Timeouts,
)
from llm_gateway.errors import (
    AlreadyExists,
    DependencyUnavailable,
    ProviderNotFound,
    RevisionConflict,
    ValidationFailed,
)
from llm_gateway.services.providers import ProviderService

from tests.adapters.clock import FakeClock
from tests.adapters.credential_store import InMemoryCredentialStore
from tests.adapters.provider_store import InMemoryProviderStore

OLD, NEW = ProviderCredentials(api_key="sk-the-old-key-1111"), ProviderCredentials(api_key="sk-the-new-key-2222")
DRAFT = ProviderDraft(
    id="local",
    name="Local",
    kind=ProviderKind.OPENAI_COMPATIBLE,
    base_url="https://example.com/v1",
    default_model="small",
    models=(),
    enabled=True,
    priority=10,
    weight=1,
    limits=ProviderLimits(),
    timeouts=Timeouts(),
    retry=RetryPolicy(),
    circuit=CircuitPolicy(),
    credentials=OLD,
)


class _Credentials(InMemoryCredentialStore):
    """Cannot be written to while it is `away`."""

    away = False

    def put(self, provider_id: str, credentials: ProviderCredentials, **how: Any) -> None:
        if self.away:
            raise DependencyUnavailable("The store of credentials cannot be reached right now.")
        super().put(provider_id, credentials, **how)


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def store() -> InMemoryProviderStore:
    return InMemoryProviderStore()


@pytest.fixture
def credentials() -> _Credentials:
    return _Credentials()


@pytest.fixture
def service(store: InMemoryProviderStore, credentials: _Credentials, clock: FakeClock) -> ProviderService:
    return ProviderService(store=store, credentials=credentials, clock=clock, private_addresses_allowed=False)


def test_a_new_provider_is_at_its_first_revision(service: ProviderService, clock: FakeClock) -> None:
    made = service.create(DRAFT)
    assert (made.revision, made.created_at, made.updated_at) == (1, clock.now(), clock.now())
    assert made.credentials is not None
    assert made.credentials.hint == "…1111"
    assert service.get("local") == made
    assert "sk-the-old" not in repr(made)


def test_an_update_counts_and_keeps_when_it_was_made(service: ProviderService, clock: FakeClock) -> None:
    made = service.create(DRAFT)
    clock.advance(60)
    changed = service.update("local", replace(DRAFT, name="Changed", credentials=None), expected=None)
    assert (changed.revision, changed.name) == (2, "Changed")
    assert (changed.created_at, changed.updated_at) == (made.created_at, clock.now())
    assert changed.credentials == made.credentials


def test_new_credentials_have_a_new_note(service: ProviderService, credentials: _Credentials, clock: FakeClock) -> None:
    service.create(DRAFT)
    clock.advance(60)
    changed = service.update("local", replace(DRAFT, credentials=NEW), expected=1)
    assert changed.credentials is not None
    assert (changed.credentials.hint, changed.credentials.updated_at) == ("…2222", clock.now())
    assert credentials.get("local") == NEW


def test_a_provider_whose_credentials_cannot_be_kept_is_not_made(
    service: ProviderService, store: InMemoryProviderStore, credentials: _Credentials
) -> None:
    credentials.away = True
    with pytest.raises(DependencyUnavailable):
        service.create(DRAFT)
    assert store.all() == ()
    credentials.away = False
    assert service.create(DRAFT).revision == 1


def test_an_update_whose_credentials_cannot_be_kept_changes_nothing(
    service: ProviderService, credentials: _Credentials
) -> None:
    made = service.create(DRAFT)
    credentials.away = True
    with pytest.raises(DependencyUnavailable):
        service.update("local", replace(DRAFT, name="Changed", credentials=NEW), expected=None)
    after = service.get("local")
    assert replace(after, revision=made.revision) == made
    assert after.revision > made.revision
    assert credentials.get("local") == OLD


def test_who_loses_a_race_leaves_the_winners_secret_alone(
    service: ProviderService, store: InMemoryProviderStore, credentials: _Credentials
) -> None:
    service.create(DRAFT)
    with pytest.raises(AlreadyExists):
        service.create(replace(DRAFT, credentials=NEW))
    with pytest.raises(RevisionConflict):
        service.update("local", replace(DRAFT, credentials=NEW), expected=2)
    assert credentials.get("local") == OLD


@pytest.mark.parametrize(("expected", "in_draft"), [(2, None), (None, 2), (1, 2), (2, 1), (0, None)])
def test_a_revision_that_does_not_match_stops_an_update(
    service: ProviderService, expected: int | None, in_draft: int | None
) -> None:
    made = service.create(DRAFT)
    with pytest.raises(RevisionConflict):
        service.update("local", replace(DRAFT, name="Changed", revision=in_draft), expected=expected)
    assert service.get("local") == made


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"base_url": None}, "base_url"),
        ({"base_url": "http://example.com"}, "base_url"),
        ({"base_url": "https://169.254.169.254"}, "base_url"),
        ({"kind": ProviderKind.OPENAI, "credentials": None}, "credentials.api_key"),
        ({"id": "other"}, "id"),
    ],
)
def test_what_is_wrong_with_an_update_is_named(service: ProviderService, changes: dict[str, Any], field: str) -> None:
    made = service.create(replace(DRAFT, credentials=None))
    with pytest.raises(ValidationFailed) as refused:
        service.update("local", replace(DRAFT, **changes), expected=None)
    assert refused.value.errors[0].field == field
    assert service.get("local") == made


def test_delete_takes_the_credentials_with_it(service: ProviderService, credentials: _Credentials) -> None:
    service.create(DRAFT)
    with pytest.raises(RevisionConflict):
        service.delete("local", expected=7)
    assert credentials.get("local") == OLD
    service.delete("local", expected=1)
    assert credentials.get("local") is None
    with pytest.raises(ProviderNotFound):
        service.delete("local", expected=None)
