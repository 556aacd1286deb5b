"""Doing once what a client may ask for twice: a request under an idempotency key is carried out once, and then replayed."""

import logging
from collections.abc import Callable
from contextlib import suppress
from datetime import timedelta
from typing import Final

from llm_gateway.domain.idempotency import Idempotency, IdempotencyRecord
from llm_gateway.errors import DependencyUnavailable, QueryInProgress
from llm_gateway.ports.replay import IdempotencyStore
from llm_gateway.ports.system import Clock, Ids
from llm_gateway.values import dataclass

_log = logging.getLogger(__name__)

_REMEMBERED: Final = timedelta(hours=24)
_LONGEST: Final = timedelta(seconds=60)


@dataclass(frozen=True, slots=True, kw_only=True)
class Claims:
    """Idempotency keys: taken by the first request under them, and completed or given back at its end.

    What was done was done: a key that cannot be completed or given back is no reason to refuse an answer.
    """

    store: IdempotencyStore
    clock: Clock

    def take(self, key: Idempotency, *, reference: str, lasts: timedelta) -> IdempotencyRecord | None:
        """The request before, or None: this is the first one, and now the key is `reference`'s for as long as it `lasts`.

        Raises `IdempotencyConflict`, and `DependencyUnavailable` where nobody can tell whether this is the first time.
        """
        until = self.clock.now() + lasts
        return _checked(self.store.claim(key.scope, fingerprint=key.fingerprint, reference=reference, until=until), key)

    def known(self, key: Idempotency) -> IdempotencyRecord | None:
        """The request before, or None where there was none; nothing is taken. Raises as `take` does."""
        return _checked(self.store.find(key.scope), key)

    def complete(self, key: Idempotency, *, reference: str, response: bytes | None = None) -> None:
        """Keeps for a day what the request came to."""
        expires_at = self.clock.now() + _REMEMBERED
        try:
            self.store.complete(key.scope, reference=reference, expires_at=expires_at, response=response)
        except DependencyUnavailable:
            return
        except Exception as error:
            # The type alone: a message may quote what was answered. The same request is then carried out anew.
            _log.error("An idempotency key cannot be completed: %s.", type(error).__qualname__)
            self.forget(key, reference=reference)

    def give_back(self, key: Idempotency, *, reference: str) -> None:
        """Frees the key of a request that came to nothing."""
        with suppress(DependencyUnavailable):
            self.store.release(key.scope, reference=reference)

    def forget(self, key: Idempotency, *, reference: str) -> None:
        """Frees the key of a request whose outcome was lost."""
        with suppress(DependencyUnavailable):
            self.store.delete(key.scope, reference=reference)

    def erase(self, scope: str, *, reference: str) -> None:
        """Deletes all that is kept of a request. Raises `DependencyUnavailable`: then it can be asked for again."""
        self.store.delete(scope, reference=reference)


@dataclass(frozen=True, slots=True, kw_only=True)
class Replay:
    """Carries a request out, or gives again what it was answered with."""

    claims: Claims
    ids: Ids

    def do(
        self,
        key: Idempotency,
        create: Callable[[], bytes],
        *,
        reference: str | None = None,
        lasts: timedelta = _LONGEST,
    ) -> tuple[bytes, bool]:
        """What `create` answers, now or the first time, and whether it is a replay. The answer can be erased by `reference`.

        `create` is done, or its process dead, after it `lasts` so long: the next request under the key is then the first again.
        Raises what `create` raises, which does not use the key up; what `Claims.take` raises; and `QueryInProgress`.
        """
        reference = reference or self.ids.ulid()
        known = self.claims.take(key, reference=reference, lasts=lasts)
        if known is None:
            return self._create(key, reference, create), False
        if not known.completed or known.response is None:
            raise still_runs()
        return known.response, True

    def _create(self, key: Idempotency, reference: str, create: Callable[[], bytes]) -> bytes:
        try:
            response = create()
        except Exception:
            self.claims.give_back(key, reference=reference)
            raise
        self.claims.complete(key, reference=reference, response=response)
        return response


def _checked(known: IdempotencyRecord | None, key: Idempotency) -> IdempotencyRecord | None:
    """Raises `IdempotencyConflict` where `known` is of another body."""
    if known is not None:
        known.check(key.fingerprint)
    return known


def still_runs() -> QueryInProgress:
    return QueryInProgress("The first request with this Idempotency-Key still runs.", retry_after_s=1)
