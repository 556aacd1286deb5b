"""API keys in DynamoDB, read anew every time: a revoked key stops at once."""

from typing import Final

from pynamodb.attributes import UnicodeAttribute
from pynamodb.indexes import GlobalSecondaryIndex, KeysOnlyProjection

from llm_gateway.domain.keys import ApiKey
from llm_gateway.errors import KeyNotFound
from llm_gateway.ports.system import Ids
from llm_gateway.stores.collection import ById, DocumentItem, DynamoCollection, Kind
from llm_gateway.stores.connection import Aws
from llm_gateway.stores.tables import bind

_INDEX: Final = "by_collection"
_KEYS: Final = Kind(type=ApiKey, name="key", plural="API keys", not_found=KeyNotFound)


class _ByCollection(GlobalSecondaryIndex["KeyItem"]):  # type: ignore[no-untyped-call]  # PynamoDB's own hook.
    class Meta:
        index_name = _INDEX
        projection = KeysOnlyProjection()

    collection = UnicodeAttribute(hash_key=True)
    key_id = UnicodeAttribute(range_key=True)


class KeyItem(DocumentItem):
    """Every request reads its key: under one hash key, all of them would meet on one partition.

    A key's own end is inside the document. Were it the table's TTL attribute, keys would vanish from their list.
    """

    key_id = UnicodeAttribute(hash_key=True)
    collection = UnicodeAttribute()
    by_collection = _ByCollection()


class DynamoKeyStore(DynamoCollection[ApiKey]):
    def __init__(self, *, aws: Aws, table: str, ids: Ids) -> None:
        items = bind(KeyItem, table=table, aws=aws)
        super().__init__(
            _KEYS, layout=ById(items=items, collection="key", id_name="key_id", index_name=_INDEX), ids=ids
        )
