"""API keys in DynamoDB, read anew every time: a revoked key stops at once."""

from collections.abc import Callable, Mapping
from functools import cache
from math import ceil
from typing import TYPE_CHECKING, Any, Final

from llm_gateway.domain.admins import Admins
from llm_gateway.domain.keys import READABLE_AFTER_REVOCATION, ApiKey
from llm_gateway.errors import AlreadyExists, KeyNotFound, RevisionConflict
from llm_gateway.ports.system import Ids
from llm_gateway.stores.changes import PreparedChange
from llm_gateway.stores.codec import from_json, to_json
from llm_gateway.stores.collection import ById, DynamoCollection, Kind, document_in
from llm_gateway.stores.connection import Aws, reaching
from llm_gateway.stores.raw_items import RawItems

if TYPE_CHECKING:
    from llm_gateway.stores.document_items import DocumentItem

_ADMINS: Final = "admins"
_CANCELLED: Final = "TransactionCanceledException"
_REFUSED: Final = "ConditionalCheckFailed"


def _attributes(key: ApiKey) -> Mapping[str, Any]:
    """A revoked key goes when nobody needs its name any more."""
    if key.revoked_at is None:
        return {}
    return {"expires_at": ceil((key.revoked_at + READABLE_AFTER_REVOCATION).timestamp())}


_KEYS: Final = Kind(type=ApiKey, name="key", plural="API keys", not_found=KeyNotFound, attributes=_attributes)


class DynamoKeyStore(DynamoCollection[ApiKey]):
    def __init__(self, *, aws: Aws, table: str, ids: Ids) -> None:
        @cache
        def models() -> "type[DocumentItem]":
            from llm_gateway.stores.document_items import KeyItem
            from llm_gateway.stores.tables import bind

            return bind(KeyItem, table=table, aws=aws)

        self._raw = RawItems(aws=aws, table=table)
        layout = ById(raw=self._raw, models=models, collection="key", id_name="key_id")
        super().__init__(_KEYS, layout=layout, ids=ids)
        self._aws = aws
        self._table = table

    def find(self, document_id: str) -> ApiKey | None:
        return None if document_id == _ADMINS else super().find(document_id)

    def admins(self) -> Admins:
        with reaching(_KEYS.plural):
            found = self._raw.get(key_id=_ADMINS)
        return Admins() if found is None else from_json(Admins, document_in(found))

    def saving(
        self, key: ApiKey, *, expected_revision: int | None, admins: Admins | None = None
    ) -> tuple[PreparedChange, ...]:
        saving = self._saving_key(key, expected_revision)
        return (saving,) if admins is None else (saving, self._saving_admins(admins))

    def _saving_key(self, key: ApiKey, expected_revision: int | None) -> PreparedChange:
        item = self._layout.new(
            key.id, revision=key.revision, document=to_json(ApiKey, key).decode(), **_attributes(key)
        )

        def refused(met: Mapping[str, Any] | None) -> Exception:
            if met is None:
                return KeyNotFound(key.id)
            if expected_revision is None:
                return AlreadyExists(f"The key id {key.id!r} is taken.")
            return RevisionConflict(f"The key is at revision {met['revision']['N']} by now: read it again.")

        return _put(item, at=expected_revision, refused=refused)

    def _saving_admins(self, admins: Admins) -> PreparedChange:
        from llm_gateway.stores.document_items import AdminsItem
        from llm_gateway.stores.tables import bind

        model = bind(AdminsItem, table=self._table, aws=self._aws)
        item = model(_ADMINS, revision=admins.revision, document=to_json(Admins, admins).decode())
        return _put(item, at=admins.revision - 1 or None, refused=lambda _: _overtaken())


def _put(
    item: "DocumentItem", *, at: int | None, refused: Callable[[Mapping[str, Any] | None], Exception]
) -> PreparedChange:
    """In the place of the item at revision `at`, None where there is to be none."""
    revision = type(item).revision
    request = item.get_save_kwargs_from_instance(
        condition=revision.does_not_exist() if at is None else revision == at,
        return_values_on_condition_failure="ALL_OLD",
    )
    return PreparedChange(operation={"Put": request}, refused=refused)


def _overtaken() -> RevisionConflict:
    return RevisionConflict("Another admin's key has changed at the same time: read it again.")
