"""What requests under an idempotency key came to."""

from datetime import datetime
from typing import Protocol

from llm_gateway.domain.idempotency import IdempotencyRecord


class IdempotencyStore(Protocol):
    """What requests under an idempotency key came to. A `scope` is the hash of caller, route and key.

    Every method raises `DependencyUnavailable` where the store cannot be reached: the request is then refused, because
    carrying it out twice is what its caller wanted to rule out.
    """

    def claim(self, scope: str, *, fingerprint: str, reference: str, until: datetime) -> IdempotencyRecord | None:
        """What is known of the scope. None: nothing was (any more), and now it is `reference`'s, to be completed before `until`.

        One conditional write. A claim that is not completed by its `until` is taken for dead. A `reference` that claims again
        still has its scope.
        """
        ...

    def find(self, scope: str) -> IdempotencyRecord | None:
        """What is known of the scope now; nothing is claimed."""
        ...

    def complete(self, scope: str, *, reference: str, expires_at: datetime, response: bytes | None = None) -> bool:
        """Keeps what the request came to until `expires_at`; False (and nothing is kept) where the scope is not `reference`'s."""
        ...

    def release(self, scope: str, *, reference: str) -> None:
        """Forgets a request that came to nothing, if the scope is still `reference`'s and not completed."""
        ...

    def delete(self, scope: str, *, reference: str) -> None:
        """Forgets the request and its response, if the scope is still `reference`'s."""
        ...
