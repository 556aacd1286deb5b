"""Managing API keys: making, changing, rotating and revoking them."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Final

from llm_gateway.domain.admins import is_about_admins
from llm_gateway.domain.identifiers import KEY_PREFIX, made_at_s
from llm_gateway.domain.key_patches import Patch, patched
from llm_gateway.domain.key_secrets import hint_of, secret_of
from llm_gateway.domain.keys import ApiKey, BudgetState, Caller, KeySecret, KeySpec, KeyStatus
from llm_gateway.errors import DependencyUnavailable, KeyNotFound, RevisionConflict, ValidationFailed
from llm_gateway.ports.keys import KeyAccounts, KeyStore, KeyUses, Pepper
from llm_gateway.ports.system import Clock, Ids, Page
from llm_gateway.services.keys.authentication import hash_of
from llm_gateway.services.together import Beside

if TYPE_CHECKING:
    from llm_gateway.domain.audit.entries import Author
    from llm_gateway.domain.audit.exhibits import Document
    from llm_gateway.ports.audit import AuditLog

_TRIES: Final = 24
_PAUSE_S: Final = 0.02
_LONGEST_PAUSE: Final = 16
_FIRST_GENERATION: Final = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyView:
    """A key as it is told of: its status now, when it was last used (None: never), and its budget where that is known."""

    key: ApiKey
    status: KeyStatus
    last_used_at: datetime | None = None
    budget: BudgetState | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Issued:
    """A key with the two secrets that are shown this once."""

    view: KeyView
    secret: str = field(repr=False)
    signing_secret: str = field(repr=False)

    @property
    def key(self) -> ApiKey:
        return self.view.key


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyBook:
    """The keys, to be read."""

    store: KeyStore
    uses: KeyUses
    clock: Clock
    accounts: KeyAccounts | None = None

    def get(self, key_id: str) -> KeyView:
        """Raises `KeyNotFound`."""
        _check_id(key_id)
        with Beside() as beside:
            key, last_use = beside.start(lambda: self.store.get(key_id)), beside.start(lambda: self._last_use(key_id))
        if not key.result.readable(self.clock.now()):
            raise KeyNotFound(key_id)
        return self._view(key.result, last_used_at=last_use.result)

    def own(self, caller: Caller) -> KeyView:
        """The caller's own key, with its budget."""
        view = self.get(caller.key_id)
        return replace(view, budget=self.accounts.state(view.key)) if self.accounts else view

    def page(self, *, limit: int, cursor: str | None) -> Page[KeyView]:
        """Keys by their age. Raises `MalformedRequest` for a cursor of another list."""
        page = self.store.page(limit=limit, cursor=cursor)
        now = self.clock.now()
        shown = [key for key in page.items if key.readable(now)]
        used = self.uses.last([key.id for key in shown])
        items = tuple(self._view(key, last_used_at=used.get(key.id)) for key in shown)
        return Page(items=items, next_cursor=page.next_cursor)

    def _view(self, key: ApiKey, *, last_used_at: datetime | None) -> KeyView:
        return KeyView(key=key, status=key.status(self.clock.now()), last_used_at=last_used_at)

    def _last_use(self, key_id: str) -> datetime | None:
        return self.uses.last([key_id]).get(key_id)


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyService(KeyBook):
    """The keys, to be changed. A change holds from the key's next request on, and is in the audit log, or is not made.

    Whatever changes a key raises `KeyNotFound` for one that does not exist or was revoked, and `RevisionConflict` where another
    revision than the stored one is expected; whatever may take an admin away raises `LastAdmin`. `shown` is a key as the log
    tells of it.
    """

    pepper: Pepper
    log: "AuditLog"
    shown: "Callable[[KeyView], Document]"
    ids: Ids
    draw: Callable[[], float]

    def create(self, spec: KeySpec, *, by: "Author") -> Issued:
        """Raises `ValidationFailed` for an end that has passed."""
        now, ulid = self.clock.now(), self.ids.ulid()
        _check_end(spec, now)
        secret, stored = self._secret(ulid, generation=_FIRST_GENERATION)
        key = ApiKey(**spec.said(), id=f"{KEY_PREFIX}{ulid}", secrets=(stored,), created_at=now, updated_at=now)
        for _ in self._tries():
            try:
                self._save(key, before=None, by=by)
            except RevisionConflict:
                continue
            return self._issued(key, secret, last_used_at=None)
        raise _too_contended()

    def update(self, key_id: str, patch: Patch, *, expected: int | None, by: "Author") -> KeyView:
        """Merges `patch` into the key. Raises `ValidationFailed`."""

        def change(key: ApiKey, now: datetime) -> ApiKey:
            spec = patched(key, patch)
            if "expires_at" in patch:
                _check_end(spec, now)
            return key.changed(now, **spec.said())

        _check_id(key_id)
        last_used_at = self._last_use(key_id)
        return self._view(self._change(key_id, change, expected=expected, by=by), last_used_at=last_used_at)

    def rotate(self, key_id: str, *, overlap: timedelta, by: "Author") -> Issued:
        """New secrets. Those of now stay valid for `overlap`, older ones end."""
        _check_id(key_id)
        last_used_at, made = self._last_use(key_id), [""]

        def change(key: ApiKey, now: datetime) -> ApiKey:
            made[0], stored = self._secret(key_id.removeprefix(KEY_PREFIX), generation=key.generation + 1)
            return key.rotated(stored, overlap=overlap, now=now)

        key = self._change(key_id, change, expected=None, by=by)
        return self._issued(key, made[0], last_used_at=last_used_at)

    def revoke(self, key_id: str, *, expected: int | None, by: "Author") -> None:
        """Its secrets open nothing any more. It can be read for 90 days."""
        _check_id(key_id)
        self._change(key_id, lambda key, now: key.changed(now, revoked_at=now), expected=expected, by=by)

    def _change(
        self, key_id: str, change: Callable[[ApiKey, datetime], ApiKey], *, expected: int | None, by: "Author"
    ) -> ApiKey:
        """What `change` makes of the key, stored. Where another change comes in between it is made of that one's outcome."""
        for _ in self._tries():
            key, now = self.store.get(key_id), self.clock.now()
            if key.revoked_at is not None:
                raise KeyNotFound(key_id)
            if expected not in (None, key.revision):
                raise RevisionConflict(f"The key is at revision {key.revision} by now: read it again.")
            changed = change(key, now)
            try:
                self._save(changed, before=key, by=by)
            except RevisionConflict:
                continue
            return changed
        raise _too_contended()

    def _save(self, key: ApiKey, *, before: ApiKey | None, by: "Author") -> None:
        admins = None
        if is_about_admins(before, key):
            admins = self.store.admins().after(key, now=self.clock.now())
        changes = self.store.saving(key, expected_revision=before.revision if before else None, admins=admins)
        deed = by.deed(key.id, before=self._told(before) if before else None, after=self._told(key))
        self.log.append(deed, *changes)

    def _told(self, key: ApiKey) -> "Document":
        return self.shown(self._view(key, last_used_at=None))

    def _tries(self) -> Iterator[None]:
        """One after the other, with pauses by chance: several that were made at once do not meet again."""
        for number in range(_TRIES):
            if number:
                self.clock.sleep(min(number, _LONGEST_PAUSE) * _PAUSE_S * self.draw())
            yield

    def _secret(self, ulid: str, *, generation: int) -> tuple[str, KeySecret]:
        secret = secret_of(ulid, self.ids.secret())
        return secret, KeySecret(hash=hash_of(secret, self.pepper), hint=hint_of(secret), generation=generation)

    def _issued(self, key: ApiKey, secret: str, *, last_used_at: datetime | None) -> Issued:
        # Imported here, because only making or rotating a key needs it.
        from llm_gateway.domain.signatures import signing_secret

        signing = signing_secret(self.pepper.value(), key_id=key.id, generation=key.generation)
        return Issued(view=self._view(key, last_used_at=last_used_at), secret=secret, signing_secret=signing)


def _check_id(key_id: str) -> None:
    """What cannot be a key's id is not looked for."""
    if made_at_s(key_id, prefix=KEY_PREFIX) is None:
        raise KeyNotFound(key_id)


def _check_end(spec: KeySpec, now: datetime) -> None:
    if spec.expires_at is not None and spec.expires_at <= now:
        raise ValidationFailed.of("expires_at", "must be in the future, or null for a key that does not expire")


def _too_contended() -> DependencyUnavailable:
    return DependencyUnavailable("Too many changes of keys are being made at the same time.", retry_after_s=2)
