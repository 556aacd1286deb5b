"""Failed authentication, limited by address: the right key is never refused for what else came from there.

A failure is found first, and then counted. An address that has failed too often is told to wait, and not that its next guess
was wrong. A right key is let in. While an address waits, this process counts no more of its failures.
"""

import logging
from dataclasses import dataclass, field
from typing import Final

from llm_gateway.domain.failed_attempts import origin_of
from llm_gateway.errors import DependencyUnavailable, GatewayError, RateLimited, Unauthenticated
from llm_gateway.ports.keys import FailedAttempts
from llm_gateway.ports.system import Clock
from llm_gateway.services.keys.memory import Recent

_ADDRESSES: Final = 1024

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Failures:
    attempts: FailedAttempts
    clock: Clock
    _waiting: Recent = field(default_factory=lambda: Recent(_ADDRESSES))

    def answer(self, refusal: Unauthenticated, *, address: str | None) -> GatewayError:
        """What a request from `address` is told that met `refusal`: that, or `RateLimited`. Counts it."""
        origin = origin_of(address)
        wait_s = self._wait_s(origin) if origin is not None else None
        if wait_s is None:
            return refusal
        return RateLimited(
            "Too many requests from this address had no valid credentials. Mend the key before the next one: requests with a"
            " valid key are let in all the while.",
            retry_after_s=wait_s,
        )

    def _wait_s(self, origin: str) -> float | None:
        now_s = self.clock.monotonic_s()
        until_s = self._waiting.get(origin)
        if until_s is not None and now_s < until_s:
            return until_s - now_s
        try:
            wait_s = self.attempts.count(origin, now=self.clock.now())
        except DependencyUnavailable as fault:
            # A refusal it is in any case.
            _log.warning("A failed authentication was not counted: %s", fault.detail)
            return None
        if wait_s is not None:
            self._waiting.add(origin, now_s + wait_s)
        return wait_s
