"""Idempotency keys in DynamoDB, and what the first request under each was answered with."""

from datetime import datetime

from llm_gateway.domain.idempotency import IdempotencyRecord
from llm_gateway.ports.queries import BodyStore
from llm_gateway.ports.system import Clock
from llm_gateway.stores.connection import Aws
from llm_gateway.stores.places import Place, Places


class DynamoIdempotencyStore:
    """One call to DynamoDB each, and one to S3 for a large response."""

    def __init__(self, *, aws: Aws, table: str, bodies: BodyStore, clock: Clock) -> None:
        self._places = Places(
            aws=aws, table=table, bodies=bodies, clock=clock, prefix="idempotency#", holding="idempotency keys"
        )

    def claim(self, scope: str, *, fingerprint: str, reference: str, until: datetime) -> IdempotencyRecord | None:
        return _record(self._places.take(scope, holder=reference, until=until, fingerprint=fingerprint))

    def find(self, scope: str) -> IdempotencyRecord | None:
        return _record(self._places.look(scope))

    def complete(self, scope: str, *, reference: str, expires_at: datetime, response: bytes | None = None) -> bool:
        return self._places.fill(scope, response, holder=reference, until=expires_at, if_held=True)

    def release(self, scope: str, *, reference: str) -> None:
        self._places.release(scope, holder=reference)

    def delete(self, scope: str, *, reference: str) -> None:
        self._places.delete(scope, holder=reference)


def _record(place: Place | None) -> IdempotencyRecord | None:
    if place is None:
        return None
    return IdempotencyRecord(
        fingerprint=place.fingerprint or "",
        reference=place.holder,
        completed=place.filled,
        response=place.document,
    )
