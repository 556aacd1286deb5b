"""Documents' items as PynamoDB's models: what changes them, and lists keys. Imported when that is done first."""

from pynamodb.attributes import NumberAttribute, UnicodeAttribute
from pynamodb.indexes import GlobalSecondaryIndex, KeysOnlyProjection

from llm_gateway.stores.raw_items import BY_COLLECTION
from llm_gateway.stores.tables import Item


class DocumentItem(Item):
    """`revision` repeats the document's, for conditions. A subclass adds the keys, `collection` among its attributes."""

    revision = NumberAttribute()
    document = UnicodeAttribute()


class ProviderItem(DocumentItem):
    collection = UnicodeAttribute(hash_key=True)
    provider_id = UnicodeAttribute(range_key=True)


class ErasureItem(DocumentItem):
    collection = UnicodeAttribute(hash_key=True)
    place = UnicodeAttribute(range_key=True)
    expires_at = NumberAttribute()


class _ByCollection(GlobalSecondaryIndex["KeyItem"]):  # type: ignore[no-untyped-call]  # PynamoDB's own hook.
    class Meta:
        index_name = BY_COLLECTION
        projection = KeysOnlyProjection()

    collection = UnicodeAttribute(hash_key=True)
    key_id = UnicodeAttribute(range_key=True)


class KeyItem(DocumentItem):
    """Every request reads its key: under one hash key, all of them would meet on one partition.

    `expires_at` is for the table's TTL. A key's own end is inside the document: keys that expire stay in their list.
    """

    key_id = UnicodeAttribute(hash_key=True)
    collection = UnicodeAttribute()
    expires_at = NumberAttribute(null=True)
    by_collection = _ByCollection()


class AdminsItem(DocumentItem):
    """The one item of the keys' table that is no key. Without a collection it is in no list."""

    key_id = UnicodeAttribute(hash_key=True)
