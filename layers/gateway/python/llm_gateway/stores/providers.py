"""Provider configurations in DynamoDB, all under one hash key: a query reads the lot, in order, in one round trip."""

from dataclasses import dataclass
from typing import Final

from pynamodb.attributes import UnicodeAttribute

from llm_gateway.domain.providers import ProviderConfig
from llm_gateway.errors import ProviderNotFound
from llm_gateway.ports.system import Clock, Ids
from llm_gateway.stores.collection import DocumentItem, DynamoCollection, Kind, OneHashKey
from llm_gateway.stores.connection import Aws
from llm_gateway.stores.tables import bind

MAX_AGE_S: Final = 5

_PROVIDERS: Final = Kind(type=ProviderConfig, name="provider", plural="providers", not_found=ProviderNotFound)


class ProviderItem(DocumentItem):
    collection = UnicodeAttribute(hash_key=True)
    provider_id = UnicodeAttribute(range_key=True)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Snapshot:
    configs: tuple[ProviderConfig, ...]
    asked_at_s: float


class DynamoProviderStore(DynamoCollection[ProviderConfig]):
    def __init__(self, *, aws: Aws, table: str, clock: Clock, ids: Ids) -> None:
        items = bind(ProviderItem, table=table, aws=aws)
        super().__init__(
            _PROVIDERS, layout=OneHashKey(items=items, collection="provider", id_name="provider_id"), ids=ids
        )
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
