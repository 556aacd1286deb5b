"""Erasures in DynamoDB, each under its id, beside the runs of tests."""

import math
from functools import cache
from typing import TYPE_CHECKING, Any, Final

from llm_gateway.domain.erasures import Erasure
from llm_gateway.errors import ErasureNotFound
from llm_gateway.ports.system import Ids
from llm_gateway.stores.collection import DynamoCollection, Kind, OneHashKey
from llm_gateway.stores.connection import Aws
from llm_gateway.stores.raw_items import RawItems

if TYPE_CHECKING:
    from llm_gateway.stores.document_items import DocumentItem


def _attributes(erasure: Erasure) -> dict[str, Any]:
    return {"expires_at": math.ceil(erasure.expires_at.timestamp())}


_ERASURES: Final = Kind(
    type=Erasure, name="erasure", plural="erasures", not_found=ErasureNotFound, attributes=_attributes
)


class DynamoErasureStore(DynamoCollection[Erasure]):
    def __init__(self, *, aws: Aws, table: str, ids: Ids) -> None:
        @cache
        def models() -> "type[DocumentItem]":
            from llm_gateway.stores.document_items import ErasureItem
            from llm_gateway.stores.tables import bind

            return bind(ErasureItem, table=table, aws=aws)

        raw = RawItems(aws=aws, table=table)
        layout = OneHashKey(raw=raw, models=models, collection="erasures", id_name="place")
        super().__init__(_ERASURES, layout=layout, ids=ids)
