"""Places that exactly one asker holds, and may fill: what cached answers and idempotency keys have in common.

A place is taken until a time: its holder's, and once it is filled, the document's. One attribute says so for both, so that one
conditional write tells a free place from all others.
"""

import math
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from pynamodb.attributes import BinaryAttribute, BooleanAttribute, NumberAttribute, UnicodeAttribute
from pynamodb.exceptions import DoesNotExist
from pynamodb.expressions.condition import Condition
from pynamodb.expressions.update import Action

from llm_gateway.access import CACHED_BODIES
from llm_gateway.errors import DependencyUnavailable
from llm_gateway.ports.queries import BodyStore
from llm_gateway.ports.system import Clock
from llm_gateway.stores.connection import Aws, reaching
from llm_gateway.stores.documents import Documents, Kept, Owner, Sealing
from llm_gateway.stores.tables import Item, MillisecondsAttribute, Outcome, bind

TRIES: Final = 4
MARKED: Final = timedelta(minutes=15)
"""An emptied place refuses the erased document for so long. No document is on its way for longer."""


class PlaceItem(Item):
    """`holder` took the place, or has filled it since. A free place may be deleted: `expires_at` is for the TTL.

    `erased` is the holder whose document was erased last. The place refuses a document of that holder that arrives later.
    `owner` is the key whose document it is, where it is sealed.
    """

    cache_key = UnicodeAttribute(hash_key=True)
    holder = UnicodeAttribute()
    fingerprint = UnicodeAttribute(null=True)
    taken_until = MillisecondsAttribute()
    expires_at = NumberAttribute()
    filled = BooleanAttribute(null=True)
    erased = UnicodeAttribute(null=True)
    document = BinaryAttribute(legacy_encoding=False, null=True)
    document_key = UnicodeAttribute(null=True)
    owner = UnicodeAttribute(null=True)


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """One that is taken. `document` may be None although it is filled: with nothing but the fact."""

    holder: str
    until: datetime
    filled: bool
    fingerprint: str | None
    document: bytes | None


class Places:
    """Keys get a prefix of their own in the table: several kinds of places share it."""

    def __init__(
        self,
        *,
        aws: Aws,
        table: str,
        bodies: BodyStore,
        clock: Clock,
        prefix: str,
        holding: str,
        sealing: Sealing | None = None,
    ) -> None:
        self._items = bind(PlaceItem, table=table, aws=aws)
        self._documents = Documents(bodies, sealing)
        self._clock = clock
        self._prefix = prefix
        self._holding = holding

    def take(self, key: str, *, holder: str, until: datetime, fingerprint: str | None = None) -> Place | None:
        """The place as another holder has it; None where `holder` has it now, or had it already."""
        changes = _taking(holder, until=until, fingerprint=fingerprint)
        free = PlaceItem.cache_key.does_not_exist() | (PlaceItem.taken_until <= self._clock.now())
        for _ in range(TRIES):
            outcome = self._change(key, changes, condition=free)
            item = outcome.item
            if outcome.done or item is None:
                return None
            if item.holder == holder and not item.filled:
                return None
            place = self._place(item)
            if place is not None:
                return place
            # Its document is gone, and nobody will bring it back.
            free = (PlaceItem.holder == item.holder) & (PlaceItem.taken_until == item.taken_until)
        raise DependencyUnavailable(f"The store of {self._holding} is too contended right now.", retry_after_s=1)

    def look(self, key: str) -> Place | None:
        try:
            with reaching(self._holding):
                item = self._items.get(self._prefix + key, consistent_read=True)
        except DoesNotExist:
            return None
        # DynamoDB deletes what has expired within days, not at once.
        return self._place(item) if item.taken_until > self._clock.now() else None

    def fill(
        self, key: str, document: bytes | None, *, holder: str, until: datetime, if_held: bool, owner: str | None = None
    ) -> bool:
        """Whether it was filled: if `holder` still has the place where that is asked for, else unless it was emptied for them.

        A document that has an `owner` may be sealed for that key, and for this place.
        """
        bound = self._bound(key, owner) if owner else None
        kept = self._documents.keep(document, key=self._document_key(key, holder), owner=bound)
        not_emptied = PlaceItem.erased.does_not_exist() | (PlaceItem.erased != holder)
        condition = PlaceItem.holder == holder if if_held else not_emptied
        done = self._change(key, _filling(holder, kept, owner=owner, until=until), condition=condition).done
        if not done:
            self._documents.discard(kept)
        return done

    def release(self, key: str, *, holder: str) -> None:
        """Deletes the place, if it is `holder`'s and not filled."""
        held = (PlaceItem.holder == holder) & PlaceItem.filled.does_not_exist()
        with reaching(self._holding):
            self._items.erase(self._prefix + key, condition=held)

    def delete(self, key: str, *, holder: str) -> None:
        """Deletes the place, if it is `holder`'s, and what `holder` once filled it with."""
        with reaching(self._holding):
            outcome = self._items.erase(self._prefix + key, condition=PlaceItem.holder == holder)
        self._delete_documents(key, holder, outcome.item if outcome.done else None)

    def empty(self, key: str, *, holder: str) -> None:
        """Frees the place, whosever it is, and deletes what it was filled with, and what `holder` once did.

        What `holder` is about to fill it with comes too late.
        """
        with reaching(self._holding):
            outcome = self._items.swap(self._prefix + key, *_emptying(holder, now=self._clock.now()))
        self._delete_documents(key, holder, outcome.item)

    def _delete_documents(self, key: str, holder: str, deleted: PlaceItem | None) -> None:
        # Even where the place is another's by now: this one's document may have outlived it.
        self._documents.delete(*{self._document_key(key, holder), deleted.document_key if deleted else None})

    def _place(self, item: PlaceItem) -> Place | None:
        """None where it is filled with a document that has been deleted, or whose secret is erased."""
        key = item.cache_key.removeprefix(self._prefix)
        bound = self._bound(key, item.owner) if item.owner else None
        kept = Kept(packed=item.document, key=item.document_key)
        document = self._documents.read(kept, owner=bound)
        if document is None and kept.is_there:
            return None
        return Place(
            holder=item.holder,
            until=item.taken_until,
            filled=bool(item.filled),
            fingerprint=item.fingerprint,
            document=document,
        )

    def _bound(self, key: str, owner: str) -> Owner:
        """Sealed for the place itself: a document that is moved to another place does not open there."""
        return Owner(key_id=owner, query_id=self._prefix + key)

    def _change(self, key: str, actions: list[Action], *, condition: Condition | None) -> Outcome[PlaceItem]:
        with reaching(self._holding):
            return self._items.change(self._prefix + key, *actions, condition=condition)

    def _document_key(self, key: str, holder: str) -> str:
        """Each holder's own: a late one cannot overwrite what another has filled the place with."""
        return f"{CACHED_BODIES}{self._prefix}{key}/{holder}"


def _taking(holder: str, *, until: datetime, fingerprint: str | None) -> list[Action]:
    return [
        PlaceItem.holder.set(holder),
        PlaceItem.fingerprint.set(fingerprint) if fingerprint else PlaceItem.fingerprint.remove(),
        *_until(until),
        *_nothing(),
    ]


def _filling(holder: str, kept: Kept, *, owner: str | None, until: datetime) -> list[Action]:
    return [
        PlaceItem.holder.set(holder),
        *_until(until),
        PlaceItem.filled.set(True),
        PlaceItem.document.set(kept.packed) if kept.packed is not None else PlaceItem.document.remove(),
        PlaceItem.document_key.set(kept.key) if kept.key is not None else PlaceItem.document_key.remove(),
        PlaceItem.owner.set(owner) if owner is not None else PlaceItem.owner.remove(),
    ]


def _emptying(holder: str, *, now: datetime) -> list[Action]:
    return [
        PlaceItem.holder.set(holder),
        PlaceItem.erased.set(holder),
        PlaceItem.taken_until.set(now),
        PlaceItem.expires_at.set(math.ceil((now + MARKED).timestamp())),
        *_nothing(),
    ]


def _nothing() -> list[Action]:
    return [
        PlaceItem.filled.remove(),
        PlaceItem.document.remove(),
        PlaceItem.document_key.remove(),
        PlaceItem.owner.remove(),
    ]


def _until(time: datetime) -> list[Action]:
    return [PlaceItem.taken_until.set(time), PlaceItem.expires_at.set(math.ceil(time.timestamp()))]
