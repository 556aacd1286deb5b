"""The secrets that words are sealed with: made by KMS for each gateway key, and kept wrapped, in one table and nowhere else.

A key's items are the only copies there are. The table has no backup: an item that is deleted takes what it sealed with it.
"""

import math
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from llm_gateway.access import SEALING
from llm_gateway.domain.identifiers import first_at
from llm_gateway.errors import DependencyUnavailable
from llm_gateway.ports.system import Clock, Ids
from llm_gateway.stores.connection import Aws, reaching

RENEWED: Final = timedelta(days=1)
"""A key's secret seals for so long, then another does: one secret never seals too much."""

_HOLDING: Final = "secrets of sealed words"
_SPARE: Final = timedelta(days=2)
_ABOVE_ALL: Final = "~"

_Item = dict[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class DataKey:
    """`secret` is 256 bits, by the name `id`; it seals until `seals_until` and opens for as long as it is kept."""

    id: str
    secret: bytes
    seals_until: datetime

    def __repr__(self) -> str:
        return f"DataKey({self.id!r})"


class KmsDataKeys:
    """`kept` is how long at most anything that was sealed is kept. Each method is one call to DynamoDB and one to KMS."""

    def __init__(
        self, *, aws: Aws, table: str, kms_key_id: str | None, clock: Clock, ids: Ids, kept: timedelta
    ) -> None:
        self._aws = aws
        self._table = table
        self._kms_key_id = kms_key_id
        self._clock = clock
        self._ids = ids
        self._kept = kept

    def current(self, key_id: str) -> DataKey:
        """What the key seals with now: two that ask at once for the first time may make one each, and both open."""
        newest = self._newest(key_id)
        if newest is not None and self._clock.now() < _seals_until(newest):
            return self._unwrapped(newest, key_id)
        return self._made(key_id)

    def find(self, key_id: str, data_key_id: str) -> DataKey | None:
        """None: it is erased."""
        with reaching(_HOLDING):
            found = self._aws.dynamodb.get_item(
                TableName=self._table,
                Key={"key_id": {"S": key_id}, "data_key_id": {"S": data_key_id}},
                ConsistentRead=True,
            )
        return self._unwrapped(found["Item"], key_id) if "Item" in found else None

    def renew(self, key_id: str) -> None:
        """Without a key of KMS nothing is sealed, and nothing is to be renewed."""
        if self._kms_key_id is not None and self._newest(key_id) is not None:
            self._made(key_id)

    def shred(self, key_id: str, *, made_before: datetime) -> None:
        while (newest := self._newest(key_id, below=first_name(made_before))) is not None:
            with reaching(_HOLDING):
                self._aws.dynamodb.delete_item(
                    TableName=self._table, Key={"key_id": newest["key_id"], "data_key_id": newest["data_key_id"]}
                )

    def _newest(self, key_id: str, *, below: str = _ABOVE_ALL) -> _Item | None:
        with reaching(_HOLDING):
            page = self._aws.dynamodb.query(
                TableName=self._table,
                KeyConditionExpression="key_id = :key AND data_key_id < :below",
                ExpressionAttributeValues={":key": {"S": key_id}, ":below": {"S": below}},
                ScanIndexForward=False,
                ConsistentRead=True,
                Limit=1,
            )
        return page["Items"][0] if page["Items"] else None

    def _made(self, key_id: str) -> DataKey:
        if self._kms_key_id is None:
            raise DependencyUnavailable("Nothing can be sealed: this deployment names no key of KMS.", retry_after_s=60)
        now, data_key_id = self._clock.now(), self._ids.ulid()
        with reaching(_HOLDING):
            made = self._aws.kms.generate_data_key(
                KeyId=self._kms_key_id, KeySpec="AES_256", EncryptionContext=_context(key_id)
            )
            self._aws.dynamodb.put_item(
                TableName=self._table,
                Item={
                    "key_id": {"S": key_id},
                    "data_key_id": {"S": data_key_id},
                    "wrapped": {"B": made["CiphertextBlob"]},
                    "made_at": {"N": str(int(now.timestamp()))},
                    "expires_at": {"N": str(math.ceil((now + RENEWED + self._kept + _SPARE).timestamp()))},
                },
            )
        return DataKey(id=data_key_id, secret=made["Plaintext"], seals_until=now + RENEWED)

    def _unwrapped(self, item: _Item, key_id: str) -> DataKey:
        with reaching(_HOLDING):
            # Its own ciphertext names the key of KMS, so that one that was replaced still opens what it has sealed.
            opened = self._aws.kms.decrypt(CiphertextBlob=item["wrapped"]["B"], EncryptionContext=_context(key_id))
        return DataKey(id=item["data_key_id"]["S"], secret=opened["Plaintext"], seals_until=_seals_until(item))


def first_name(moment: datetime) -> str:
    """The lowest name of a secret that is made in the moment's millisecond or later: names are ULIDs, which know no less."""
    return first_at(moment.replace(microsecond=moment.microsecond // 1000 * 1000), prefix="")


def _context(key_id: str) -> dict[str, str]:
    """What a secret is wrapped for; the functions' roles may use KMS's key with the first of the two alone."""
    return {"purpose": SEALING, "key_id": key_id}


def _seals_until(item: _Item) -> datetime:
    return datetime.fromtimestamp(int(item["made_at"]["N"]), tz=UTC) + RENEWED
