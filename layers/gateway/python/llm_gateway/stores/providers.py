"""Provider configurations in DynamoDB, all under one hash key: a query reads the lot, in order, in one round trip."""

from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Final

from llm_gateway.domain.providers import ProviderConfig
from llm_gateway.errors import ProviderNotFound
from llm_gateway.ports.system import Clock, Ids
from llm_gateway.stores.collection import DynamoCollection, Kind, OneHashKey
from llm_gateway.stores.connection import Aws
from llm_gateway.stores.raw_items import RawItems

if TYPE_CHECKING:
    from llm_gateway.stores.document_items import DocumentItem

MAX_AGE_S: Final = 5

_PROVIDERS: Final = Kind(type=ProviderConfig, name="provider", plural="providers", not_found=ProviderNotFound)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Snapshot:
    configs: tuple[ProviderConfig, ...]
    asked_at_s: float


class DynamoProviderStore(DynamoCollection[ProviderConfig]):
    def __init__(self, *, aws: Aws, table: str, clock: Clock, ids: Ids) -> None:
        @cache
        def models() -> "type[DocumentItem]":
            from llm_gateway.stores.document_items import ProviderItem
            from llm_gateway.stores.tables import bind

            return bind(ProviderItem, table=table, aws=aws)

        raw = RawItems(aws=aws, table=table)
        layout = OneHashKey(raw=raw, models=models, collection="provider", id_name="provider_id")
        super().__init__(_PROVIDERS, layout=layout, ids=ids)
        self._clock = clock
        self._snapshot: _Snapshot | None = None

    def all(self, *, fresh: bool = False) -> tuple[ProviderConfig, ...]:
        now_s = self._clock.monotonic_s()
        snapshot = self._snapshot
        if fresh or snapshot is None or now_s - snapshot.asked_at_s >= MAX_AGE_S:
            snapshot = self._snapshot = _Snapshot(configs=super().all(), asked_at_s=now_s)
        return snapshot.configs

    def forget(self) -> None:
        self._snapshot = None
