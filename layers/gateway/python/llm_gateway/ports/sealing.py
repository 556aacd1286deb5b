"""Words that only their key can read: sealed before they are stored, and unreadable for ever once the key's words are erased."""

# A port holds types alone: what imports one for its name does not wait for the import of every value that it speaks of.
from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from datetime import datetime


class Seal(Protocol):
    """Seals with a secret of the gateway key's own. What is sealed for one key or query opens for no other.

    Every method raises `DependencyUnavailable` where the key's secret cannot be reached: nothing is then stored in clear.
    """

    def seal(self, plain: bytes, *, key_id: str, query_id: str) -> bytes:
        """`plain`, sealed: some 60 bytes longer. It begins as `domain.sealing.is_sealed` tells, as no JSON does."""
        ...

    def open(self, sealed: bytes, *, key_id: str, query_id: str) -> bytes:
        """What was sealed for this key and query.

        Raises `domain.sealing.Shredded` where the key's secret was erased since, and `domain.sealing.NotSealedSo` for anything
        that was not sealed for this key and query, or was changed.
        """
        ...


class Shredder(Seal, Protocol):
    def renew(self, key_id: str) -> None:
        """What is sealed for the key from now on has a new secret: in this process at once, in another minutes later.

        Nothing is made for a key that has sealed nothing. Raises `DependencyUnavailable`.
        """
        ...

    def shred(self, key_id: str, *, made_before: datetime) -> None:
        """Erases the secrets of a key that were made before then, to the millisecond: what they sealed opens nowhere any more,
        minutes later at the latest.

        What its later secrets have sealed still opens. Raises `DependencyUnavailable`.
        """
        ...
