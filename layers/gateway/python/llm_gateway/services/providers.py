"""Providers: registering, changing and removing them, with their credentials in a store of their own."""

import logging
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

from llm_gateway.domain.addresses import fault_in_base_url, is_at
from llm_gateway.domain.identifiers import is_slug, slug_from
from llm_gateway.domain.providers import (
    Api,
    CredentialsNote,
    ModelConfig,
    ProviderConfig,
    ProviderCredentials,
    ProviderDraft,
    ProviderKind,
    fault_in_api_key,
    fault_in_path,
    hint_of,
)
from llm_gateway.errors import FieldError, GatewayError, RevisionConflict, ValidationFailed
from llm_gateway.ports.providers import CredentialStore, ProviderStore
from llm_gateway.ports.system import Clock, Ids, Page

if TYPE_CHECKING:
    from llm_gateway.domain.audit.entries import Author
    from llm_gateway.domain.audit.exhibits import Document
    from llm_gateway.ports.audit import AuditLog

_log = logging.getLogger(__name__)

_API_KEY: Final = "credentials.api_key"
_BELONGS_ELSEWHERE: Final = (
    "the stored key was given for another kind or address, and is never sent elsewhere: send the key for this one"
)

_NO_BEDROCK: Final = (
    "this deployment may not ask Amazon Bedrock: deploy it with bedrock=on, and with bedrockModels for what it may ask"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class ProviderBook:
    """The providers, to be read. A change holds everywhere within 5 s."""

    store: ProviderStore

    def get(self, provider_id: str) -> ProviderConfig:
        """Raises `ProviderNotFound`."""
        return self.store.get(provider_id)

    def page(self, *, limit: int, cursor: str | None) -> Page[ProviderConfig]:
        """Raises `MalformedRequest` for a cursor of another list."""
        return self.store.page(limit=limit, cursor=cursor)


@dataclass(frozen=True, slots=True, kw_only=True)
class ProviderService(ProviderBook):
    """The providers, to be changed; credentials never come back out.

    A change and its entry in the audit log are made together, or not at all; `shown` is a provider as the log tells of it.
    """

    credentials: CredentialStore
    log: "AuditLog"
    shown: "Callable[[ProviderConfig], Document]"
    clock: Clock
    ids: Ids
    private_addresses_allowed: bool
    bedrock_allowed: bool
    own_model_url: str = ""

    def create(self, draft: ProviderDraft, *, by: "Author") -> ProviderConfig:
        """Raises `ValidationFailed` naming the field, or `AlreadyExists`."""
        provider_id = draft.id or slug_from(draft.name)
        if provider_id is None or not is_slug(provider_id):
            raise ValidationFailed.of("id", "no id can be made from the name: send one of a-z, 0-9 and hyphens")
        self._check(draft, stored=None)
        config = self._config(draft, provider_id, stored=None)
        with self._new_secret(config, draft.credentials):
            self.log.append(by.deed(config.id, after=self.shown(config)), self.store.adding(config))
        return config

    def update(self, provider_id: str, draft: ProviderDraft, *, expected: int | None, by: "Author") -> ProviderConfig:
        """Replaces all but the credentials that a draft leaves out.

        Raises `ProviderNotFound`, `RevisionConflict`, `ValidationFailed`.
        """
        stored = self.store.get(provider_id)
        if {expected, draft.revision} - {None, stored.revision}:
            raise RevisionConflict(f"The provider is at revision {stored.revision} by now: read it again.")
        if draft.id not in (None, provider_id):
            raise ValidationFailed.of("id", f"an id cannot change: leave it out or send {provider_id!r}")
        self._check(draft, stored=stored)
        config = self._config(draft, provider_id, stored=stored)
        deed = by.deed(config.id, before=self.shown(stored), after=self.shown(config))
        with self._new_secret(config, draft.credentials):
            self.log.append(deed, self.store.replacing(config, expected_revision=stored.revision))
        if stored.secret is not None and stored.secret != config.secret:
            self._forget(stored.secret)
        return config

    def delete(self, provider_id: str, *, expected: int | None, by: "Author") -> None:
        """Raises `ProviderNotFound`, `RevisionConflict`."""
        stored = self.store.get(provider_id)
        # The log tells what was deleted, so nothing else must be.
        revision = stored.revision if expected is None else expected
        deed = by.deed(provider_id, before=self.shown(stored))
        self.log.append(deed, self.store.deleting(provider_id, expected_revision=revision))
        if stored.secret is not None:
            self._forget(stored.secret)

    def _check(self, draft: ProviderDraft, *, stored: ProviderConfig | None) -> None:
        errors = (
            *self._faults_in_kind(draft),
            *self._faults_in_address(draft),
            *_faults_in_models(draft.models),
            *_faults_in_api(draft),
            *_faults_in_credentials(draft, stored),
        )
        if errors:
            raise ValidationFailed("; ".join(f"{error.field}: {error.message}" for error in errors), errors=errors)

    def _faults_in_kind(self, draft: ProviderDraft) -> Iterator[FieldError]:
        if draft.kind is ProviderKind.BEDROCK and not self.bedrock_allowed:
            yield FieldError("kind", _NO_BEDROCK)
        if draft.region is not None and not draft.kind.is_of_account:
            yield FieldError("region", f"a provider of kind {draft.kind} has none: leave it out")

    def _faults_in_address(self, draft: ProviderDraft) -> Iterator[FieldError]:
        url = draft.base_url
        if url is None:
            if draft.kind.needs_base_url:
                yield FieldError("base_url", f"a provider of kind {draft.kind} needs one, such as https://host/v1")
            return
        allowed = self.private_addresses_allowed
        if draft.kind.is_of_account and not allowed:
            yield FieldError("base_url", f"a provider of kind {draft.kind} is found by its region: leave it out")
            return
        allowed = allowed or is_at(url, self.own_model_url)
        fault = fault_in_base_url(url, private_allowed=allowed) or fault_in_path(draft.kind, url)
        if fault:
            yield FieldError("base_url", fault)

    def _config(self, draft: ProviderDraft, provider_id: str, *, stored: ProviderConfig | None) -> ProviderConfig:
        now = self.clock.now()
        note = stored.credentials if stored and not draft.kind.is_of_account else None
        if draft.credentials is not None:
            secret = f"{provider_id}/{self.ids.ulid()}"
            note = CredentialsNote(hint=hint_of(draft.credentials.api_key), updated_at=now, secret=secret)
        return ProviderConfig(
            **draft.said(),
            id=provider_id,
            credentials=note,
            revision=stored.revision + 1 if stored else 1,
            created_at=stored.created_at if stored else now,
            updated_at=now,
        )

    @contextmanager
    def _new_secret(self, config: ProviderConfig, credentials: ProviderCredentials | None) -> Iterator[None]:
        """Keeps them under a name of their own, which the change in the block makes the provider's."""
        if credentials is None or config.secret is None:
            yield
            return
        self.credentials.put(config.secret, replace(credentials, given_for=config.server))
        try:
            yield
        except GatewayError:
            self._take_back(config, config.secret)
            raise

    def _take_back(self, config: ProviderConfig, secret: str) -> None:
        # A change whose answer was lost may have been made.
        with suppress(GatewayError):
            stored = self.store.find(config.id)
            if stored is None or stored.secret != secret:
                self._forget(secret)

    def _forget(self, secret: str) -> None:
        """What cannot be deleted now costs some cents a month, and opens nothing here."""
        try:
            self.credentials.delete(secret)
        except GatewayError as error:
            _log.warning("The secret %s, which no provider names, could not be deleted: %s", secret, error.detail)


def _faults_in_api(draft: ProviderDraft) -> Iterator[FieldError]:
    if draft.api is not Api.AUTO and draft.kind is not ProviderKind.OPENAI:
        yield FieldError("api", f"a provider of kind {draft.kind} has no choice: leave it out or send auto")


def _faults_in_models(models: tuple[ModelConfig, ...]) -> Iterator[FieldError]:
    """An alias names one model of its provider."""
    times = Counter(name for model in models for name in {model.name, *model.aliases})
    for index, model in enumerate(models):
        for alias in model.aliases:
            if times[alias] > 1:
                message = f"{alias!r} names another model of this provider, too: give each its own"
                yield FieldError(f"models[{index}].aliases", message)


def _faults_in_credentials(draft: ProviderDraft, stored: ProviderConfig | None) -> Iterator[FieldError]:
    if draft.kind.is_of_account:
        if draft.credentials is not None:
            yield FieldError(
                _API_KEY, f"a provider of kind {draft.kind} takes none: the gateway asks it by its own role"
            )
    elif draft.credentials is not None:
        if fault := fault_in_api_key(draft.credentials.api_key):
            yield FieldError(_API_KEY, fault)
    elif stored is not None and stored.credentials is not None:
        if draft.server != stored.server:
            yield FieldError(_API_KEY, _BELONGS_ELSEWHERE)
    elif draft.kind.needs_credentials:
        yield FieldError(_API_KEY, f"a provider of kind {draft.kind} needs the vendor's API key")
