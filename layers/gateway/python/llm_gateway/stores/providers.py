"""Provider configurations in DynamoDB, all under one hash key: a query reads the lot, in order, in one round trip."""

from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Final

from pynamodb.attributes import NumberAttribute, UnicodeAttribute
from pynamodb.exceptions import DoesNotExist

from llm_gateway.domain.providers import ProviderConfig
from llm_gateway.errors import AlreadyExists, ProviderNotFound, RevisionConflict
from llm_gateway.ports.system import Clock, Ids, Page
from llm_gateway.stores.codec import from_json, to_json
from llm_gateway.stores.connection import Aws, ConditionFailed, reaching
from llm_gateway.stores.cursors import from_cursor, to_cursor
from llm_gateway.stores.tables import Item, bind, is_key

MAX_AGE_S: Final = 5

_COLLECTION: Final = "provider"


class ProviderItem(Item):
    """`revision` repeats the document's, for conditions."""

    collection = UnicodeAttribute(hash_key=True)
    provider_id = UnicodeAttribute(range_key=True)
    revision = NumberAttribute()
    document = UnicodeAttribute()


@dataclass(frozen=True, slots=True, kw_only=True)
class _Snapshot:
    configs: tuple[ProviderConfig, ...]
    asked_at_s: float


class DynamoProviderStore:
    def __init__(self, *, aws: Aws, table: str, clock: Clock, ids: Ids) -> None:
        self._items = bind(ProviderItem, table=table, aws=aws)
        self._clock = clock
        self._ids = ids
        self._snapshot: _Snapshot | None = None

    def add(self, config: ProviderConfig) -> None:
        item = self._item(config)
        try:
            with _reaching_providers():
                item.save(ProviderItem.provider_id.does_not_exist() | (ProviderItem.write_id == item.write_id))
        except ConditionFailed:
            raise AlreadyExists(f"The provider id {config.id!r} is taken.") from None
        self._snapshot = None

    def get(self, provider_id: str) -> ProviderConfig:
        config = self._stored(provider_id)
        if config is None:
            raise ProviderNotFound(provider_id)
        return config

    def all(self, *, fresh: bool = False) -> tuple[ProviderConfig, ...]:
        now_s = self._clock.monotonic_s()
        snapshot = self._snapshot
        if fresh or snapshot is None or now_s - snapshot.asked_at_s >= MAX_AGE_S:
            with _reaching_providers():
                items = tuple(self._items.query(_COLLECTION, consistent_read=True))
            snapshot = self._snapshot = _Snapshot(configs=tuple(map(_config, items)), asked_at_s=now_s)
        return snapshot.configs

    def page(self, *, limit: int, cursor: str | None) -> Page[ProviderConfig]:
        after = from_cursor(cursor, "provider_id")["provider_id"] if cursor is not None else None
        condition = ProviderItem.provider_id > after if after else None
        with _reaching_providers():
            # One more than asked for tells whether a next page has anything on it.
            items = tuple(self._items.query(_COLLECTION, condition, consistent_read=True, limit=limit + 1))
        configs = tuple(map(_config, items[:limit]))
        more = len(items) > limit
        return Page(items=configs, next_cursor=to_cursor({"provider_id": configs[-1].id}) if more else None)

    def replace(self, config: ProviderConfig, *, expected_revision: int) -> None:
        item = self._item(config)
        unchanged = ProviderItem.revision == expected_revision
        try:
            with _reaching_providers():
                item.save(unchanged | (ProviderItem.write_id == item.write_id))
        except ConditionFailed:
            raise self._conflict(config.id) from None
        self._snapshot = None

    def delete(self, provider_id: str, *, expected_revision: int | None) -> None:
        if not is_key(provider_id):
            raise ProviderNotFound(provider_id)
        condition = ProviderItem.provider_id.exists()
        if expected_revision is not None:
            condition &= ProviderItem.revision == expected_revision
        try:
            with _reaching_providers():
                self._items(_COLLECTION, provider_id).delete(condition)
        except ConditionFailed:
            raise self._conflict(provider_id) from None
        self._snapshot = None

    def _item(self, config: ProviderConfig) -> ProviderItem:
        return self._items(
            _COLLECTION,
            config.id,
            revision=config.revision,
            document=to_json(ProviderConfig, config).decode(),
            write_id=self._ids.ulid(),
        )

    def _stored(self, provider_id: str) -> ProviderConfig | None:
        if not is_key(provider_id):
            return None
        try:
            with _reaching_providers():
                return _config(self._items.get(_COLLECTION, provider_id, consistent_read=True))
        except DoesNotExist:
            return None

    def _conflict(self, provider_id: str) -> ProviderNotFound | RevisionConflict:
        """Why a conditional write failed."""
        stored = self._stored(provider_id)
        if stored is None:
            return ProviderNotFound(provider_id)
        return RevisionConflict(f"The provider is at revision {stored.revision} by now: read it again.")


def _reaching_providers() -> AbstractContextManager[None]:
    return reaching("providers")


def _config(item: ProviderItem) -> ProviderConfig:
    return from_json(ProviderConfig, item.document)
