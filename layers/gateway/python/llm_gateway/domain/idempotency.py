"""What is known of a request that carried an idempotency key, so that the same request again does not do the same work again."""

from typing import Generic, TypeVar

from llm_gateway.errors import IdempotencyConflict
from llm_gateway.values import dataclass

T = TypeVar("T")


@dataclass(frozen=True, slots=True, kw_only=True)
class Idempotency:
    """An idempotency key: `scope` is a hash of caller, route and key; `fingerprint` stands for the body it came with."""

    scope: str
    fingerprint: str


@dataclass(frozen=True, slots=True)
class Replayed(Generic[T]):
    """What an earlier request under the same idempotency key had made."""

    made: T


@dataclass(frozen=True, slots=True, kw_only=True)
class IdempotencyRecord:
    """The first request under a key. `fingerprint` stands for its body: another one is another request, and a conflict.

    `reference` is what that request made (a query's id, say). While it is not `completed`, it still runs; afterwards
    `response` is what it was answered with, where that was kept.
    """

    fingerprint: str
    reference: str
    completed: bool
    response: bytes | None = None

    def check(self, fingerprint: str) -> None:
        """Raises `IdempotencyConflict` where a request with `fingerprint` is not the first one again."""
        if fingerprint != self.fingerprint:
            raise IdempotencyConflict(
                "This Idempotency-Key was used with another body: send the same one, or another key."
            )
