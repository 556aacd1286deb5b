"""Doing once what a client may ask for twice: creation under an idempotency key."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import Final

from llm_gateway.domain.idempotency import Idempotency
from llm_gateway.errors import DependencyUnavailable, QueryInProgress
from llm_gateway.ports.replay import IdempotencyStore
from llm_gateway.ports.system import Clock, Ids

REMEMBERED: Final = timedelta(hours=24)
_LONGEST: Final = timedelta(seconds=60)


@dataclass(frozen=True, slots=True, kw_only=True)
class Once:
    """Carries a request out, or gives again what it was answered with."""

    store: IdempotencyStore
    clock: Clock
    ids: Ids

    def do(self, idempotency: Idempotency, create: Callable[[], bytes]) -> tuple[bytes, bool]:
        """What `create` answers, now or the first time, and whether it did so before.

        Raises what `create` raises, which does not use the key up; `IdempotencyConflict`; `QueryInProgress`; and
        `DependencyUnavailable` where nobody can tell whether this is the first time.
        """
        reference = self.ids.ulid()
        known = self.store.claim(
            idempotency.scope,
            fingerprint=idempotency.fingerprint,
            reference=reference,
            until=self.clock.now() + _LONGEST,
        )
        if known is None:
            return self._create(idempotency.scope, reference, create), False
        known.check(idempotency.fingerprint)
        if not known.completed or known.response is None:
            raise still_runs()
        return known.response, True

    def _create(self, scope: str, reference: str, create: Callable[[], bytes]) -> bytes:
        try:
            response = create()
        except Exception:
            self._quietly(lambda: self.store.release(scope, reference=reference))
            raise
        expires_at = self.clock.now() + REMEMBERED
        self._quietly(lambda: self.store.complete(scope, reference=reference, expires_at=expires_at, response=response))
        return response

    def _quietly(self, note: Callable[[], object]) -> None:
        # What was created was created: an answer that cannot be remembered is given all the same.
        try:
            note()
        except DependencyUnavailable:
            return


def still_runs() -> QueryInProgress:
    return QueryInProgress("The first request with this Idempotency-Key still runs.", retry_after_s=1)
