"""Documents that an item points to: packed inside the item while they fit, in the body store beyond that; sealed on demand."""

from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from llm_gateway.errors import DependencyUnavailable
from llm_gateway.ports.queries import BodyStore
from llm_gateway.stores.codec import pack, unpack

if TYPE_CHECKING:
    from llm_gateway.ports.sealing import Seal

MAX_INLINE_BYTES: Final = 150_000
"""Of one document. An item takes 400 KB: two of them, and what is left over is for all the rest."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Kept:
    """Where a document is: `packed` in the item, or at `key`; nowhere where there is none."""

    packed: bytes | None = None
    key: str | None = None

    @property
    def is_there(self) -> bool:
        return self.packed is not None or self.key is not None


@dataclass(frozen=True, slots=True, kw_only=True)
class Sealing:
    """How documents are sealed: `seal` is made when there is something to seal or to open. Not `is_on`: new ones are not sealed.

    What was sealed while it was on still opens.
    """

    seal: Callable[[], "Seal"]
    is_on: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Owner:
    """Whose a document is, and of which query: what it is sealed for."""

    key_id: str
    query_id: str


class Documents:
    def __init__(self, bodies: BodyStore, sealing: Sealing | None = None) -> None:
        self._bodies = bodies
        self._sealing = sealing

    def keep(
        self, document: bytes | None, *, key: str, owner: Owner | None = None, must_be_sealed: bool = False
    ) -> Kept:
        """Stores a large document at once, ahead of the item that will point to it. One that has an owner may be sealed.

        Each writer uses a key of its own. If its condition then fails, it has not touched the document that the item points to.
        One that `must_be_sealed` is, whatever the deployment wants of others.
        """
        if document is None:
            return Kept()
        packed = pack(document)
        if must_be_sealed and (owner is None or self._sealing is None):
            raise ValueError("there is nothing to seal it with")
        if owner is not None and self._sealing is not None and (self._sealing.is_on or must_be_sealed):
            packed = self._sealing.seal().seal(packed, key_id=owner.key_id, query_id=owner.query_id)
        if len(packed) <= MAX_INLINE_BYTES:
            return Kept(packed=packed)
        self._bodies.put(key, packed)
        return Kept(key=key)

    def read(self, kept: Kept, *, owner: Owner | None = None) -> bytes | None:
        """The document; None where there is none, where it was deleted since its item was read, or where its secret is erased.

        Raises `domain.sealing.NotSealedSo` for one that is another owner's, or nobody's who could open it.
        """
        packed = kept.packed if kept.key is None else self._bodies.get(kept.key)
        if packed is not None:
            from llm_gateway.domain.sealing import is_sealed

            packed = self._opened(packed, owner) if is_sealed(packed) else packed
        return None if packed is None else unpack(packed)

    def _opened(self, sealed: bytes, owner: Owner | None) -> bytes | None:
        from llm_gateway.domain.sealing import NotSealedSo, Shredded

        if self._sealing is None or owner is None:
            raise NotSealedSo("There is nothing to open them with: whose they are, or the seal, is not known.")
        try:
            return self._sealing.seal().open(sealed, key_id=owner.key_id, query_id=owner.query_id)
        except Shredded:
            return None

    def delete(self, *keys: str | None) -> None:
        for key in keys:
            if key is not None:
                self._bodies.delete(key)

    def discard(self, *unused: Kept) -> None:
        """Deletes what no item points to; what cannot be deleted now goes with the bucket's lifecycle rule."""
        with suppress(DependencyUnavailable):
            self.delete(*(kept.key for kept in unused))
