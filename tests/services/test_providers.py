"""The providers' book: configurations and their credentials change together or not at all."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from llm_gateway.domain.audit.entries import Actor, AuditEntry, Author
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
from llm_gateway.wire.providers import as_auditors_see

from tests.adapters.audit_log import InMemoryAuditLog
from tests.adapters.clock import FakeClock
from tests.adapters.credential_store import InMemoryCredentialStore
from tests.adapters.ids import FakeIds
from tests.adapters.provider_store import InMemoryProviderStore
from tests.adapters.watched import Watched

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


BY = Author(
    actor=Actor(key_id="key_1", role="operator", address="10.0.0.1"), action="provider.changed", request_id="req_1"
)


def kept(service: ProviderService, credentials: InMemoryCredentialStore) -> ProviderCredentials | None:
    """The credentials of the one provider."""
    return credentials.get(service.get("local").secret or "")


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
def log(clock: FakeClock) -> InMemoryAuditLog:
    return InMemoryAuditLog(clock)


@pytest.fixture
def service(
    store: InMemoryProviderStore, credentials: _Credentials, log: InMemoryAuditLog, clock: FakeClock
) -> ProviderService:
    return ProviderService(
        store=store,
        credentials=credentials,
        log=log,
        shown=as_auditors_see,
        clock=clock,
        ids=FakeIds(clock),
        private_addresses_allowed=False,
        bedrock_allowed=True,
    )


def test_a_new_provider_is_at_its_first_revision(service: ProviderService, clock: FakeClock) -> None:
    made = service.create(DRAFT, by=BY)
    assert (made.revision, made.created_at, made.updated_at) == (1, clock.now(), clock.now())
    assert made.credentials is not None
    assert made.credentials.hint == "…1111"
    assert service.get("local") == made
    assert "sk-the-old" not in repr(made)


def test_an_update_counts_and_keeps_when_it_was_made(service: ProviderService, clock: FakeClock) -> None:
    made = service.create(DRAFT, by=BY)
    clock.advance(60)
    changed = service.update("local", replace(DRAFT, name="Changed", credentials=None), expected=None, by=BY)
    assert (changed.revision, changed.name) == (2, "Changed")
    assert (changed.created_at, changed.updated_at) == (made.created_at, clock.now())
    assert changed.credentials == made.credentials


def test_new_credentials_have_a_new_note(service: ProviderService, credentials: _Credentials, clock: FakeClock) -> None:
    service.create(DRAFT, by=BY)
    clock.advance(60)
    changed = service.update("local", replace(DRAFT, credentials=NEW), expected=1, by=BY)
    assert changed.credentials is not None
    assert (changed.credentials.hint, changed.credentials.updated_at) == ("…2222", clock.now())
    assert kept(service, credentials) == NEW


def test_a_provider_whose_credentials_cannot_be_kept_is_not_made(
    service: ProviderService, store: InMemoryProviderStore, credentials: _Credentials
) -> None:
    credentials.away = True
    with pytest.raises(DependencyUnavailable):
        service.create(DRAFT, by=BY)
    assert store.all() == ()
    credentials.away = False
    assert service.create(DRAFT, by=BY).revision == 1


def test_an_update_whose_credentials_cannot_be_kept_changes_nothing(
    service: ProviderService, credentials: _Credentials
) -> None:
    made = service.create(DRAFT, by=BY)
    credentials.away = True
    with pytest.raises(DependencyUnavailable):
        service.update("local", replace(DRAFT, name="Changed", credentials=NEW), expected=None, by=BY)
    assert service.get("local") == made
    assert kept(service, credentials) == OLD


def test_who_loses_a_race_leaves_the_winners_secret_alone(
    service: ProviderService, store: InMemoryProviderStore, credentials: _Credentials
) -> None:
    service.create(DRAFT, by=BY)
    with pytest.raises(AlreadyExists):
        service.create(replace(DRAFT, credentials=NEW), by=BY)
    with pytest.raises(RevisionConflict):
        service.update("local", replace(DRAFT, credentials=NEW), expected=2, by=BY)
    assert kept(service, credentials) == OLD


@pytest.mark.parametrize(("expected", "in_draft"), [(2, None), (None, 2), (1, 2), (2, 1), (0, None)])
def test_a_revision_that_does_not_match_stops_an_update(
    service: ProviderService, expected: int | None, in_draft: int | None
) -> None:
    made = service.create(DRAFT, by=BY)
    with pytest.raises(RevisionConflict):
        service.update("local", replace(DRAFT, name="Changed", revision=in_draft), expected=expected, by=BY)
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
    made = service.create(replace(DRAFT, credentials=None), by=BY)
    with pytest.raises(ValidationFailed) as refused:
        service.update("local", replace(DRAFT, **changes), expected=None, by=BY)
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
    service: ProviderService, credentials: _Credentials, changes: dict[str, Any]
) -> None:
    service = replace(service, private_addresses_allowed=True)
    made = service.create(DRAFT, by=BY)
    with pytest.raises(ValidationFailed) as refused:
        service.update("local", replace(DRAFT, credentials=None, **changes), expected=None, by=BY)
    (error,) = refused.value.errors
    assert error.field == "credentials.api_key"
    assert "another kind or address" in error.message
    assert (service.get("local"), kept(service, credentials)) == (made, OLD)

    moved = service.update("local", replace(DRAFT, credentials=NEW, **changes), expected=None, by=BY)
    assert (moved.revision, kept(service, credentials)) == (2, NEW)


def test_a_key_is_stored_with_the_server_it_was_given_for(service: ProviderService, credentials: _Credentials) -> None:
    service.create(DRAFT, by=BY)
    stored = kept(service, credentials)
    assert stored is not None
    assert stored.given_for == service.get("local").server == "openai_compatible https://example.com:443"


@pytest.mark.parametrize("base_url", ["https://example.com/v2", "https://EXAMPLE.com:443/v1", "https://example.com./"])
def test_a_stored_key_stays_at_its_address(service: ProviderService, base_url: str) -> None:
    made = service.create(DRAFT, by=BY)
    moved = service.update("local", replace(DRAFT, base_url=base_url, credentials=None), expected=None, by=BY)
    assert moved.credentials == made.credentials


def test_the_vendors_own_address_may_be_left_out_or_written(service: ProviderService) -> None:
    written = "https://api.openai.com/v1"
    service.create(replace(DRAFT, kind=ProviderKind.OPENAI, base_url=None), by=BY)
    for base_url in (written, None, written):
        draft = replace(DRAFT, kind=ProviderKind.OPENAI, base_url=base_url, credentials=None)
        assert service.update("local", draft, expected=None, by=BY).base_url == base_url


def test_a_provider_without_credentials_may_move(service: ProviderService) -> None:
    service.create(replace(DRAFT, credentials=None), by=BY)
    moved = replace(DRAFT, credentials=None, base_url="https://other.example.com/v1")
    assert service.update("local", moved, expected=None, by=BY).base_url == moved.base_url


@pytest.mark.parametrize("api_key", ["sk-abc\n", "sk abc", "sk-…", "sk-\x00abc"])
def test_a_key_that_no_header_can_carry_is_refused_at_once(
    service: ProviderService, store: InMemoryProviderStore, api_key: str
) -> None:
    draft = replace(DRAFT, credentials=ProviderCredentials(api_key=api_key))
    with pytest.raises(ValidationFailed) as refused:
        service.create(draft, by=BY)
    (error,) = refused.value.errors
    assert error.field == "credentials.api_key"
    assert api_key not in refused.value.detail
    assert store.all() == ()


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"api": Api.RESPONSES}, "api"),
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
        service.create(replace(DRAFT, **changes), by=BY)
    assert refused.value.errors[0].field == field


@pytest.mark.parametrize("api", Api)
def test_openai_is_asked_by_the_api_that_the_operator_says(service: ProviderService, api: Api) -> None:
    assert service.create(replace(DRAFT, kind=ProviderKind.OPENAI, api=api), by=BY).api is api


def test_delete_takes_the_credentials_with_it(service: ProviderService, credentials: _Credentials) -> None:
    service.create(DRAFT, by=BY)
    with pytest.raises(RevisionConflict):
        service.delete("local", expected=7, by=BY)
    assert kept(service, credentials) == OLD
    service.delete("local", expected=1, by=BY)
    assert credentials.names() == []
    with pytest.raises(ProviderNotFound):
        service.delete("local", expected=None, by=BY)


def told(entry: AuditEntry) -> tuple[str | None, str | None, str | None]:
    """The target, and the names before and after."""
    before, after = entry.deed.before, entry.deed.after
    return entry.deed.target, before and before["name"], after and after["name"]


def test_every_change_is_in_the_log(service: ProviderService, log: InMemoryAuditLog) -> None:
    service.create(DRAFT, by=BY)
    service.update("local", replace(DRAFT, name="Changed"), expected=None, by=BY)
    service.delete("local", expected=None, by=BY)
    assert [told(entry) for entry in log.entries] == [
        ("local", None, "Local"),
        ("local", "Local", "Changed"),
        ("local", "Changed", None),
    ]
    assert {(entry.deed.actor, entry.deed.action, entry.deed.request_id) for entry in log.entries} == {
        (BY.actor, BY.action, BY.request_id)
    }
    for entry in log.entries:
        assert OLD.api_key not in entry.document
        assert "/" not in str((entry.deed.after or entry.deed.before or {})["credentials"])


CHANGES: dict[str, Callable[[ProviderService], object]] = {
    "create": lambda service: service.create(replace(DRAFT, id="other"), by=BY),
    "update": lambda service: service.update("local", replace(DRAFT, credentials=NEW), expected=None, by=BY),
    "delete": lambda service: service.delete("local", expected=None, by=BY),
}


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)
def test_without_the_log_nothing_changes(
    service: ProviderService,
    store: InMemoryProviderStore,
    credentials: _Credentials,
    log: InMemoryAuditLog,
    change: Callable[[ProviderService], object],
) -> None:
    service.create(DRAFT, by=BY)
    stored, secrets = store.all(), credentials.names()
    log.fault = DependencyUnavailable("The log is away.")
    with pytest.raises(DependencyUnavailable):
        change(service)
    assert (store.all(), credentials.names()) == (stored, secrets)


def test_a_refused_change_is_not_in_the_log(service: ProviderService, log: InMemoryAuditLog) -> None:
    service.create(DRAFT, by=BY)
    with pytest.raises(AlreadyExists):
        service.create(DRAFT, by=BY)
    assert len(log.entries) == 1


def test_new_credentials_are_a_new_secret_and_the_old_one_goes(
    service: ProviderService, credentials: _Credentials
) -> None:
    first = service.create(DRAFT, by=BY).secret
    second = service.update("local", replace(DRAFT, credentials=NEW), expected=None, by=BY).secret
    assert first != second
    assert credentials.names() == [second]


def test_a_secret_is_kept_whose_change_was_made_although_its_answer_was_lost(
    service: ProviderService, credentials: _Credentials, log: InMemoryAuditLog
) -> None:
    watched = Watched(log)
    watched.late["append"] = DependencyUnavailable("The answer was lost.")
    with pytest.raises(DependencyUnavailable):
        replace(service, log=watched).create(DRAFT, by=BY)
    assert kept(service, credentials) == OLD


def test_a_secret_that_cannot_be_deleted_stops_nothing(
    service: ProviderService, credentials: _Credentials, caplog: pytest.LogCaptureFixture
) -> None:
    service.create(DRAFT, by=BY)
    watched = Watched(credentials)
    watched.faults["delete"] = DependencyUnavailable("The secrets are away.")
    replace(service, credentials=watched).delete("local", expected=None, by=BY)
    with pytest.raises(ProviderNotFound):
        service.get("local")
    assert "could not be deleted" in caplog.text
    assert OLD.api_key not in caplog.text


BEDROCK = replace(
    DRAFT, kind=ProviderKind.BEDROCK, base_url=None, credentials=None, default_model="amazon.nova-lite-v1:0"
)


def faults(service: ProviderService, draft: ProviderDraft) -> dict[str | None, str]:
    with pytest.raises(ValidationFailed) as refused:
        service.create(draft, by=BY)
    return {error.field: error.message for error in refused.value.errors}


def test_bedrock_needs_neither_address_nor_key(service: ProviderService) -> None:
    made = service.create(replace(BEDROCK, region="eu-central-1"), by=BY)
    assert (made.region, made.base_url, made.credentials) == ("eu-central-1", None, None)


def test_where_the_deployment_does_not_allow_it_bedrock_is_refused_and_told_why(service: ProviderService) -> None:
    told = faults(replace(service, bedrock_allowed=False), BEDROCK)
    assert told.keys() == {"kind"}
    assert "bedrock=on" in told["kind"]
    with pytest.raises(ProviderNotFound):
        service.get("local")


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"base_url": "https://bedrock-runtime.eu-central-1.amazonaws.com"}, "base_url"),
        ({"credentials": OLD}, "credentials.api_key"),
    ],
)
def test_bedrock_takes_neither_address_nor_key(service: ProviderService, changes: dict[str, Any], field: str) -> None:
    assert faults(service, replace(BEDROCK, **changes)).keys() == {field}


def test_where_private_addresses_are_allowed_bedrock_may_be_anywhere(service: ProviderService) -> None:
    service = replace(service, private_addresses_allowed=True)
    assert service.create(replace(BEDROCK, base_url="http://127.0.0.1:9000"), by=BY).base_url == "http://127.0.0.1:9000"


def test_no_other_provider_has_a_region(service: ProviderService) -> None:
    assert faults(service, replace(DRAFT, region="eu-central-1")).keys() == {"region"}


def test_a_provider_that_becomes_bedrock_leaves_its_key_behind(
    service: ProviderService, credentials: _Credentials
) -> None:
    secret = service.create(DRAFT, by=BY).secret or ""
    moved = service.update("local", BEDROCK, expected=None, by=BY)
    assert (moved.credentials, credentials.get(secret)) == (None, None)
