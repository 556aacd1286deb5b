"""Places that exactly one asker holds, and may fill: what cached answers and idempotency keys have in common.

A place is taken until a time: its holder's, and once it is filled, the document's. One attribute says so for both, so that one
conditional write tells a free place from all others.
"""

import math
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from pynamodb.attributes import BinaryAttribute, BooleanAttribute, NumberAttribute, UnicodeAttribute

from llm_gateway.access import CACHED_BODIES
from llm_gateway.errors import DependencyUnavailable
from llm_gateway.ports.queries import BodyStore
from llm_gateway.ports.system import Clock
from llm_gateway.stores.connection import Aws, reaching
from llm_gateway.stores.described_items import DescribedItem, DescribedItems, MillisecondsAttribute, Outcome
from llm_gateway.stores.documents import Documents, Kept, Owner, Sealing
from llm_gateway.stores.expressions import Changes, Where, absent, at_most, equal, unequal

TRIES: Final = 4
MARKED: Final = timedelta(minutes=15)
"""An emptied place refuses the erased document for so long. No document is on its way for longer."""

_NOTHING: Final[Changes] = {"filled": None, "document": None, "document_key": None, "owner": None}


class PlaceItem(DescribedItem):
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
        self._items = DescribedItems(PlaceItem, aws=aws, table=table, key_name="cache_key")
        self._documents = Documents(bodies, sealing)
        self._clock = clock
        self._prefix = prefix
        self._holding = holding

    def take(self, key: str, *, holder: str, until: datetime, fingerprint: str | None = None) -> Place | None:
        """The place as another holder has it; None where `holder` has it now, or had it already."""
        changes = _taking(holder, until=until, fingerprint=fingerprint)
        free = absent("cache_key") | at_most("taken_until", self._clock.now())
        for _ in range(TRIES):
            outcome = self._change(key, changes, where=free)
            item = outcome.item
            if outcome.done or item is None:
                return None
            if item.holder == holder and not item.filled:
                return None
            place = self._place(item)
            if place is not None:
                return place
            # Its document is gone, and nobody will bring it back.
            free = equal("holder", item.holder) & equal("taken_until", item.taken_until)
        raise DependencyUnavailable(f"The store of {self._holding} is too contended right now.", retry_after_s=1)

    def look(self, key: str) -> Place | None:
        with reaching(self._holding):
            item = self._items.find(self._prefix + key)
        # DynamoDB deletes what has expired within days, not at once.
        return self._place(item) if item is not None and item.taken_until > self._clock.now() else None

    def fill(
        self, key: str, document: bytes | None, *, holder: str, until: datetime, if_held: bool, owner: str | None = None
    ) -> bool:
        """Whether it was filled: if `holder` still has the place where that is asked for, else unless it was emptied for them.

        A document that has an `owner` may be sealed for that key, and for this place.
        """
        bound = self._bound(key, owner) if owner else None
        kept = self._documents.keep(document, key=self._document_key(key, holder), owner=bound)
        not_emptied = absent("erased") | unequal("erased", holder)
        where = equal("holder", holder) if if_held else not_emptied
        done = self._change(key, _filling(holder, kept, owner=owner, until=until), where=where).done
        if not done:
            self._documents.discard(kept)
        return done

    def release(self, key: str, *, holder: str) -> None:
        """Deletes the place, if it is `holder`'s and not filled."""
        held = equal("holder", holder) & absent("filled")
        with reaching(self._holding):
            self._items.erase(self._prefix + key, where=held)

    def delete(self, key: str, *, holder: str) -> None:
        """Deletes the place, if it is `holder`'s, and what `holder` once filled it with."""
        with reaching(self._holding):
            outcome = self._items.erase(self._prefix + key, where=equal("holder", holder))
        self._delete_documents(key, holder, outcome.item if outcome.done else None)

    def empty(self, key: str, *, holder: str) -> None:
        """Frees the place, whosever it is, and deletes what it was filled with, and what `holder` once did.

        What `holder` is about to fill it with comes too late.
        """
        with reaching(self._holding):
            outcome = self._items.swap(self._prefix + key, _emptying(holder, now=self._clock.now()))
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

    def _change(self, key: str, changes: Changes, *, where: Where) -> Outcome[PlaceItem]:
        with reaching(self._holding):
            return self._items.change(self._prefix + key, changes, where=where)

    def _document_key(self, key: str, holder: str) -> str:
        """Each holder's own: a late one cannot overwrite what another has filled the place with."""
        return f"{CACHED_BODIES}{self._prefix}{key}/{holder}"


def _taking(holder: str, *, until: datetime, fingerprint: str | None) -> Changes:
    return {**_NOTHING, "holder": holder, "fingerprint": fingerprint or None, **_until(until)}


def _filling(holder: str, kept: Kept, *, owner: str | None, until: datetime) -> Changes:
    return {
        "holder": holder,
        **_until(until),
        "filled": True,
        "document": kept.packed,
        "document_key": kept.key,
        "owner": owner,
    }


def _emptying(holder: str, *, now: datetime) -> Changes:
    until_s = math.ceil((now + MARKED).timestamp())
    return {**_NOTHING, "holder": holder, "erased": holder, "taken_until": now, "expires_at": until_s}


def _until(time: datetime) -> Changes:
    return {"taken_until": time, "expires_at": math.ceil(time.timestamp())}
