"""Erasures in DynamoDB, each under its id, beside the runs of tests."""

import math
from typing import Any, Final

from pynamodb.attributes import NumberAttribute, UnicodeAttribute

from llm_gateway.domain.erasures import Erasure
from llm_gateway.errors import ErasureNotFound
from llm_gateway.ports.system import Ids
from llm_gateway.stores.collection import DocumentItem, DynamoCollection, Kind, OneHashKey
from llm_gateway.stores.connection import Aws
from llm_gateway.stores.tables import bind


class ErasureItem(DocumentItem):
    collection = UnicodeAttribute(hash_key=True)
    place = UnicodeAttribute(range_key=True)
    expires_at = NumberAttribute()


def _attributes(erasure: Erasure) -> dict[str, Any]:
    return {"expires_at": math.ceil(erasure.expires_at.timestamp())}


_ERASURES: Final = Kind(
    type=Erasure, name="erasure", plural="erasures", not_found=ErasureNotFound, attributes=_attributes
)


class DynamoErasureStore(DynamoCollection[Erasure]):
    def __init__(self, *, aws: Aws, table: str, ids: Ids) -> None:
        items = bind(ErasureItem, table=table, aws=aws)
        super().__init__(_ERASURES, layout=OneHashKey(items=items, collection="erasures", id_name="place"), ids=ids)
