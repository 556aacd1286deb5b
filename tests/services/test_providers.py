"""The providers' book: configurations and their credentials change together or not at all."""

from dataclasses import replace
from typing import Any

import pytest
from llm_gateway.domain.providers import (
    Api,
    CircuitPolicy,
    ModelConfig,
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


@pytest.mark.parametrize(
    "changes",
    [
        {"base_url": "https://other.example.com/v1"},
        {"base_url": "https://example.com:8443/v1"},
        {"base_url": "https://example.com.evil.example/v1"},
        {"base_url": "http://example.com/v1"},
        {"kind": ProviderKind.LLAMA_CPP},
        {"kind": ProviderKind.OPENAI, "base_url": None},
    ],
)
def test_a_stored_key_does_not_go_where_it_was_not_given_for(
    store: InMemoryProviderStore, credentials: _Credentials, clock: FakeClock, changes: dict[str, Any]
) -> None:
    service = ProviderService(store=store, credentials=credentials, clock=clock, private_addresses_allowed=True)
    made = service.create(DRAFT)
    with pytest.raises(ValidationFailed) as refused:
        service.update("local", replace(DRAFT, credentials=None, **changes), expected=None)
    (error,) = refused.value.errors
    assert error.field == "credentials.api_key"
    assert "another kind or address" in error.message
    assert (service.get("local"), credentials.get("local")) == (made, OLD)

    moved = service.update("local", replace(DRAFT, credentials=NEW, **changes), expected=None)
    assert (moved.revision, credentials.get("local")) == (2, NEW)


def test_a_key_is_stored_with_the_server_it_was_given_for(service: ProviderService, credentials: _Credentials) -> None:
    service.create(DRAFT)
    kept = credentials.get("local")
    assert kept is not None
    assert kept.given_for == service.get("local").server == "openai_compatible https://example.com:443"


@pytest.mark.parametrize("base_url", ["https://example.com/v2", "https://EXAMPLE.com:443/v1", "https://example.com./"])
def test_a_stored_key_stays_at_its_address(service: ProviderService, base_url: str) -> None:
    made = service.create(DRAFT)
    moved = service.update("local", replace(DRAFT, base_url=base_url, credentials=None), expected=None)
    assert moved.credentials == made.credentials


def test_the_vendors_own_address_may_be_left_out_or_written(service: ProviderService) -> None:
    written = "https://api.openai.com/v1"
    service.create(replace(DRAFT, kind=ProviderKind.OPENAI, base_url=None))
    for base_url in (written, None, written):
        draft = replace(DRAFT, kind=ProviderKind.OPENAI, base_url=base_url, credentials=None)
        assert service.update("local", draft, expected=None).base_url == base_url


def test_a_provider_without_credentials_may_move(service: ProviderService) -> None:
    service.create(replace(DRAFT, credentials=None))
    moved = replace(DRAFT, credentials=None, base_url="https://other.example.com/v1")
    assert service.update("local", moved, expected=None).base_url == moved.base_url


@pytest.mark.parametrize("api_key", ["sk-abc\n", "sk abc", "sk-…", "sk-\x00abc"])
def test_a_key_that_no_header_can_carry_is_refused_at_once(
    service: ProviderService, store: InMemoryProviderStore, api_key: str
) -> None:
    draft = replace(DRAFT, credentials=ProviderCredentials(api_key=api_key))
    with pytest.raises(ValidationFailed) as refused:
        service.create(draft)
    (error,) = refused.value.errors
    assert error.field == "credentials.api_key"
    assert api_key not in refused.value.detail
    assert store.all() == ()


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"api": Api.RESPONSES, "kind": ProviderKind.OPENAI}, "api"),
        ({"api": Api.CHAT_COMPLETIONS}, "api"),
        ({"base_url": "https://example.com/v1/chat/completions"}, "base_url"),
        ({"kind": ProviderKind.ANTHROPIC}, "base_url"),
        ({"base_url": "https://a..example.com"}, "base_url"),
        ({"models": (ModelConfig(name="a", aliases=("b",)), ModelConfig(name="b"))}, "models[0].aliases"),
        ({"models": (ModelConfig(name="a"), ModelConfig(name="b", aliases=("x", "a")))}, "models[1].aliases"),
        (
            {"models": (ModelConfig(name="a", aliases=("x",)), ModelConfig(name="b", aliases=("x",)))},
            "models[0].aliases",
        ),
    ],
)
def test_settings_that_cannot_work_are_refused_at_once(
    service: ProviderService, changes: dict[str, Any], field: str
) -> None:
    with pytest.raises(ValidationFailed) as refused:
        service.create(replace(DRAFT, **changes))
    assert refused.value.errors[0].field == field


@pytest.mark.parametrize("api", [Api.AUTO, Api.CHAT_COMPLETIONS])
def test_openai_is_asked_by_the_api_that_the_operator_says(service: ProviderService, api: Api) -> None:
    assert service.create(replace(DRAFT, kind=ProviderKind.OPENAI, api=api)).api is api


def test_delete_takes_the_credentials_with_it(service: ProviderService, credentials: _Credentials) -> None:
    service.create(DRAFT)
    with pytest.raises(RevisionConflict):
        service.delete("local", expected=7)
    assert credentials.get("local") == OLD
    service.delete("local", expected=1)
    assert credentials.get("local") is None
    with pytest.raises(ProviderNotFound):
        service.delete("local", expected=None)
