"""Cached answers in DynamoDB, large ones in S3; complete, for their owner alone; sealed where bodies are."""

from datetime import datetime

from llm_gateway.domain.caching import CachedAnswer, Pending
from llm_gateway.ports.queries import BodyStore
from llm_gateway.ports.system import Clock
from llm_gateway.stores.codec import from_json, to_json
from llm_gateway.stores.connection import Aws
from llm_gateway.stores.documents import Sealing
from llm_gateway.stores.places import Place, Places


class DynamoAnswerCache:
    """One call to DynamoDB each, and one to S3 for a large answer."""

    def __init__(
        self, *, aws: Aws, table: str, bodies: BodyStore, clock: Clock, sealing: Sealing | None = None
    ) -> None:
        self._places = Places(
            aws=aws,
            table=table,
            bodies=bodies,
            clock=clock,
            prefix="answer#",
            holding="cached answers",
            sealing=sealing,
        )

    def look_up(self, key: str, *, holder: str, until: datetime) -> CachedAnswer | Pending | None:
        return _found(self._places.take(key, holder=holder, until=until))

    def peek(self, key: str) -> CachedAnswer | Pending | None:
        return _found(self._places.look(key))

    def put(self, key: str, answer: CachedAnswer, *, owner: str) -> None:
        document = to_json(CachedAnswer, answer)
        self._places.fill(key, document, holder=answer.query_id, until=answer.expires_at, if_held=False, owner=owner)

    def release(self, key: str, *, holder: str) -> None:
        self._places.release(key, holder=holder)

    def delete(self, key: str, *, query_id: str) -> None:
        self._places.empty(key, holder=query_id)


def _found(place: Place | None) -> CachedAnswer | Pending | None:
    if place is None:
        return None
    if place.document is None:
        return Pending(holder=place.holder, until=place.until)
    return from_json(CachedAnswer, place.document)
