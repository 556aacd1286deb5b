"""API keys in DynamoDB, read anew every time: a revoked key stops at once."""

from pynamodb.attributes import UnicodeAttribute
from pynamodb.exceptions import DoesNotExist

from llm_gateway.domain.keys import ApiKey
from llm_gateway.errors import AlreadyExists
from llm_gateway.ports.system import Ids
from llm_gateway.stores.codec import from_json, to_json
from llm_gateway.stores.connection import Aws, ConditionFailed, reaching
from llm_gateway.stores.tables import Item, bind, is_key

_COLLECTION = "key"


class KeyItem(Item):
    """`collection` is the same for all keys: an index over it lists them by id.

    A key's own end is inside the document. Were it the table's TTL attribute, keys would vanish from their list.
    """

    key_id = UnicodeAttribute(hash_key=True)
    collection = UnicodeAttribute()
    document = UnicodeAttribute()


class DynamoKeyStore:
    def __init__(self, *, aws: Aws, table: str, ids: Ids) -> None:
        self._items = bind(KeyItem, table=table, aws=aws)
        self._ids = ids

    def add(self, key: ApiKey) -> None:
        write_id = self._ids.ulid()
        document = to_json(ApiKey, key).decode()
        item = self._items(key_id=key.id, collection=_COLLECTION, document=document, write_id=write_id)
        try:
            with reaching("API keys"):
                item.save(KeyItem.key_id.does_not_exist() | (KeyItem.write_id == write_id))
        except ConditionFailed:
            raise AlreadyExists(f"The key id {key.id!r} is taken.") from None

    def get(self, key_id: str) -> ApiKey | None:
        if not is_key(key_id):
            return None
        try:
            with reaching("API keys"):
                item = self._items.get(key_id, consistent_read=True)
        except DoesNotExist:
            return None
        return from_json(ApiKey, item.document)
