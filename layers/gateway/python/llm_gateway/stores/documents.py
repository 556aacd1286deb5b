"""Documents that an item points to: packed inside the item while they fit, in the body store beyond that."""

from contextlib import suppress
from dataclasses import dataclass
from typing import Final

from llm_gateway.errors import DependencyUnavailable
from llm_gateway.ports.queries import BodyStore
from llm_gateway.stores.codec import pack, unpack

MAX_INLINE_BYTES: Final = 150_000
"""Of one document. An item takes 400 KB: two of them, and what is left over is for all the rest."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Kept:
    """Where a document is: `packed` in the item, or at `key`; nowhere where there is none."""

    packed: bytes | None = None
    key: str | None = None


class Documents:
    def __init__(self, bodies: BodyStore) -> None:
        self._bodies = bodies

    def keep(self, document: bytes | None, *, key: str) -> Kept:
        """Stores a large document at once, ahead of the item that will point to it.

        Each writer uses a key of its own. If its condition then fails, it has not touched the document that the item points to.
        """
        if document is None:
            return Kept()
        packed = pack(document)
        if len(packed) <= MAX_INLINE_BYTES:
            return Kept(packed=packed)
        self._bodies.put(key, packed)
        return Kept(key=key)

    def read(self, kept: Kept) -> bytes | None:
        """The document; None where there is none, or where it was deleted since its item was read."""
        packed = kept.packed if kept.key is None else self._bodies.get(kept.key)
        return None if packed is None else unpack(packed)

    def delete(self, *keys: str | None) -> None:
        for key in keys:
            if key is not None:
                self._bodies.delete(key)

    def discard(self, *unused: Kept) -> None:
        """Deletes what no item points to; what cannot be deleted now goes with the bucket's lifecycle rule."""
        with suppress(DependencyUnavailable):
            self.delete(*(kept.key for kept in unused))
