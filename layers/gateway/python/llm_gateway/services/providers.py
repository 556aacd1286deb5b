"""Providers: registering, changing and removing them, with their credentials in a store of their own."""

from collections.abc import Callable
from dataclasses import dataclass, replace

from llm_gateway.domain.addresses import fault_in_base_url
from llm_gateway.domain.identifiers import is_slug, slug_from
from llm_gateway.domain.providers import CredentialsNote, ProviderConfig, ProviderCredentials, ProviderDraft, hint_of
from llm_gateway.errors import GatewayError, RevisionConflict, ValidationFailed
from llm_gateway.ports.providers import CredentialStore, ProviderStore
from llm_gateway.ports.system import Clock, Page


@dataclass(frozen=True, slots=True, kw_only=True)
class ProviderService:
    """The providers' book. A change holds everywhere within 5 s; credentials never come back out."""

    store: ProviderStore
    credentials: CredentialStore
    clock: Clock
    private_addresses_allowed: bool

    def create(self, draft: ProviderDraft) -> ProviderConfig:
        """Raises `ValidationFailed` naming the field, or `AlreadyExists`."""
        provider_id = draft.id or slug_from(draft.name)
        if provider_id is None or not is_slug(provider_id):
            raise ValidationFailed.of("id", "no id can be made from the name: send one of a-z, 0-9 and hyphens")
        self._check(draft, stored=None)
        config = self._config(draft, provider_id, stored=None)
        self.store.add(config)
        if draft.credentials is not None:
            self._keep(config, draft.credentials, undo=lambda: self.store.delete(provider_id, expected_revision=1))
        return config

    def get(self, provider_id: str) -> ProviderConfig:
        """Raises `ProviderNotFound`."""
        return self.store.get(provider_id)

    def page(self, *, limit: int, cursor: str | None) -> Page[ProviderConfig]:
        """Raises `MalformedRequest` for a cursor of another list."""
        return self.store.page(limit=limit, cursor=cursor)

    def update(self, provider_id: str, draft: ProviderDraft, *, expected: int | None) -> ProviderConfig:
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
        self.store.replace(config, expected_revision=stored.revision)
        if draft.credentials is not None:
            self._keep(config, draft.credentials, undo=lambda: self._put_back(stored, config))
        return config

    def delete(self, provider_id: str, *, expected: int | None) -> None:
        """Raises `ProviderNotFound`, `RevisionConflict`."""
        self.store.delete(provider_id, expected_revision=expected)
        self.credentials.delete(provider_id)

    def _check(self, draft: ProviderDraft, *, stored: ProviderConfig | None) -> None:
        if draft.base_url is None and draft.kind.needs_base_url:
            raise ValidationFailed.of("base_url", f"a provider of kind {draft.kind} needs one, such as https://host/v1")
        if draft.base_url is not None:
            fault = fault_in_base_url(draft.base_url, private_allowed=self.private_addresses_allowed)
            if fault:
                raise ValidationFailed.of("base_url", fault)
        has_credentials = draft.credentials is not None or (stored is not None and stored.credentials is not None)
        if draft.kind.needs_credentials and not has_credentials:
            raise ValidationFailed.of(
                "credentials.api_key", f"a provider of kind {draft.kind} needs the vendor's API key"
            )

    def _config(self, draft: ProviderDraft, provider_id: str, *, stored: ProviderConfig | None) -> ProviderConfig:
        now = self.clock.now()
        note = stored.credentials if stored else None
        if draft.credentials is not None:
            note = CredentialsNote(hint=hint_of(draft.credentials.api_key), updated_at=now)
        return ProviderConfig(
            **draft.said(),
            id=provider_id,
            credentials=note,
            revision=stored.revision + 1 if stored else 1,
            created_at=stored.created_at if stored else now,
            updated_at=now,
        )

    def _keep(self, config: ProviderConfig, credentials: ProviderCredentials, *, undo: Callable[[], None]) -> None:
        # The item goes first because only it is conditional: a lost race must not touch the winner's secret.
        try:
            self.credentials.put(config.id, credentials)
        except GatewayError:
            undo()
            raise

    def _put_back(self, stored: ProviderConfig, config: ProviderConfig) -> None:
        self.store.replace(replace(stored, revision=config.revision + 1), expected_revision=config.revision)
