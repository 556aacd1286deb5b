"""Prompts in DynamoDB, as their editors keep them: a change is one transaction, however many items it touches."""

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, Final

from pynamodb.exceptions import DoesNotExist
from pynamodb.expressions.condition import Condition

from llm_gateway.domain.prompts.labels import RoleName
from llm_gateway.domain.prompts.prompts import PastPrompt, PromptKind, PromptMetadata, PromptVersion, Suite, roles_named
from llm_gateway.errors import AlreadyExists, PromptNotFound, RevisionConflict, ValidationFailed
from llm_gateway.ports.prompts import PromptSave, PromptSearch, RoleUse
from llm_gateway.ports.system import Ids, Page
from llm_gateway.stores.changes import PreparedChange, RawItem
from llm_gateway.stores.codec import from_json, pack, to_json, unpack
from llm_gateway.stores.connection import Aws, reaching
from llm_gateway.stores.cursors import from_cursor, malformed, to_cursor
from llm_gateway.stores.prompt_items import (
    HOLDING,
    PAST,
    PROMPTS,
    ROLES,
    SUITES,
    USED,
    WATCHED,
    PromptItem,
    folded,
    live_place,
    metadata_in,
    number_in,
    packed_metadata,
    packed_version,
    place_of,
    version_in,
    versions_of,
)
from llm_gateway.stores.raw_items import is_key
from llm_gateway.stores.tables import bind

_LONGEST_ID: Final = 63
_MOST_BYTES: Final = 350_000
"""Of what is said of a prompt: an item of DynamoDB takes 400 KB."""
# What a filter leaves out is read all the same: larger pages find what is wanted in fewer round trips.
_FILTERED_PAGE: Final = 500


class DynamoPromptStore:
    """`changed` is called after every change, with the prompt's id: what this process remembers is no longer true."""

    def __init__(self, *, aws: Aws, table: str, ids: Ids, changed: Callable[[str], None]) -> None:
        self._items = bind(PromptItem, table=table, aws=aws)
        self._ids = ids
        self._changed = changed

    def find(self, prompt_id: str) -> PromptMetadata | None:
        item = self._get(PROMPTS, prompt_id)
        return metadata_in(item) if item else None

    def get(self, prompt_id: str) -> PromptMetadata:
        found = self.find(prompt_id)
        if found is None:
            raise PromptNotFound(prompt_id)
        return found

    def past(self, prompt_id: str) -> PastPrompt | None:
        item = self._get(PAST, prompt_id)
        return from_json(PastPrompt, unpack(item.packed)) if item else None

    def page(self, search: PromptSearch, *, limit: int, cursor: str | None) -> Page[PromptMetadata]:
        after = from_cursor(cursor, "prompt_id")["prompt_id"] if cursor is not None else None
        matching = self._matching(search)
        with reaching(HOLDING):
            found = list(
                self._items.query(
                    PROMPTS,
                    self._items.place > after if after else None,
                    matching,
                    consistent_read=True,
                    limit=limit + 1,
                    page_size=limit + 1 if matching is None else _FILTERED_PAGE,
                )
            )
        more = to_cursor({"prompt_id": found[limit - 1].place}) if len(found) > limit else None
        return Page(items=tuple(map(metadata_in, found[:limit])), next_cursor=more)

    def watched(self) -> Sequence[PromptMetadata]:
        with reaching(HOLDING):
            ids = [item.place for item in self._items.query(WATCHED, consistent_read=True)]
        found = (self.find(prompt_id) for prompt_id in ids)
        return tuple(prompt for prompt in found if prompt is not None and prompt.is_watched)

    def version(self, prompt_id: str, number: int) -> PromptVersion | None:
        item = self._get(versions_of(prompt_id), place_of(number)) if _may_be_id(prompt_id) else None
        return version_in(item) if item else None

    def versions(self, prompt_id: str, *, limit: int, cursor: str | None) -> Page[PromptVersion]:
        below = from_cursor(cursor, "version")["version"] if cursor is not None else None
        if below is not None and not (below.isascii() and below.isdecimal()):
            raise malformed()
        if not _may_be_id(prompt_id):
            return Page(items=())
        with reaching(HOLDING):
            found = list(
                self._items.query(
                    versions_of(prompt_id),
                    self._items.place < place_of(int(below)) if below else None,
                    consistent_read=True,
                    scan_index_forward=False,
                    limit=limit + 1,
                )
            )
        more = to_cursor({"version": str(number_in(found[limit - 1].place))}) if len(found) > limit else None
        return Page(items=tuple(map(version_in, found[:limit])), next_cursor=more)

    def suite(self, prompt_id: str) -> Suite:
        item = self._get(SUITES, prompt_id)
        return tuple(json.loads(unpack(item.packed))) if item else ()

    def use(self, role_id: str) -> RoleUse:
        # Its stamp first: one that begins to name the role after this has another.
        item = self._get(USED, role_id)
        with reaching(HOLDING):
            found = self._items.query(
                PROMPTS,
                filter_condition=self._items.roles.contains(role_id),
                consistent_read=True,
                page_size=_FILTERED_PAGE,
            )
            users = [metadata_in(user) for user in found]
        names = {name for user in users for each in user.roles.values() for name in each}
        return RoleUse(
            prompts=tuple(user.id for user in users),
            names=frozenset(name for name in names if RoleName.of(name).id == role_id),
            stamp=item.stamp if item else None,
        )

    def saving(self, save: PromptSave) -> Sequence[PreparedChange]:
        return tuple(self._saving(save))

    def deleting(self, prompt: PromptMetadata, *, unused_since: str | None) -> Sequence[PreparedChange]:
        return tuple(self._deleting(prompt, unused_since))

    def _saving(self, save: PromptSave) -> Iterator[PreparedChange]:
        prompt, before = save.metadata, save.before
        changes = self._items.changes
        yield self._put(
            self._head(PROMPTS, prompt),
            changes.does_not_exist() if before is None else changes == before.changes,
            refused=_conflict if before else _taken(prompt.id),
            after=lambda: self._changed(prompt.id),
        )
        if prompt.kind is PromptKind.ROLE:
            yield self._put(self._head(ROLES, prompt))
        opened = dict(save.opened)
        if save.version is not None:
            opened[save.version.number] = save.version
            item = self._items(
                versions_of(prompt.id), place_of(save.version.number), packed=packed_version(save.version)
            )
            yield self._put(item, self._items.packed.does_not_exist(), refused=_conflict)
        was_live = before.live if before else frozenset[int]()
        yield from (self._put(self._copy(prompt.kind, opened[number])) for number in sorted(prompt.live - was_live))
        yield from (
            self._delete(*live_place(prompt.kind, prompt.id, number)) for number in sorted(was_live - prompt.live)
        )
        if save.suite is not None:
            yield self._put(self._items(SUITES, prompt.id, packed=pack(json.dumps(save.suite).encode())))
        if prompt.is_watched is not (before is not None and before.is_watched):
            yield self._put(self._items(WATCHED, prompt.id)) if prompt.is_watched else self._delete(WATCHED, prompt.id)
        yield from self._naming(save)

    def _naming(self, save: PromptSave) -> Iterator[PreparedChange]:
        """The roles that it names are there, and each is told of a new user."""
        for role_id in sorted(save.needs):
            yield self._check(PROMPTS, role_id, self._items.changes.exists(), refused=_no_role(role_id))
        named_before = roles_named(save.before) if save.before else frozenset[str]()
        for role_id in sorted(roles_named(save.metadata) - named_before):
            yield self._put(self._items(USED, role_id, stamp=self._ids.ulid()))

    def _deleting(self, prompt: PromptMetadata, unused_since: str | None) -> Iterator[PreparedChange]:
        past = PastPrompt(kind=prompt.kind, version=prompt.version, changes=prompt.changes)
        yield self._delete(
            PROMPTS,
            prompt.id,
            self._items.changes == prompt.changes,
            refused=_conflict,
            after=lambda: self._changed(prompt.id),
        )
        yield self._put(self._items(PAST, prompt.id, packed=pack(to_json(PastPrompt, past))))
        yield self._delete(SUITES, prompt.id)
        if prompt.is_watched:
            yield self._delete(WATCHED, prompt.id)
        yield from (self._delete(*live_place(prompt.kind, prompt.id, number)) for number in sorted(prompt.live))
        if prompt.kind is PromptKind.ROLE:
            yield self._delete(ROLES, prompt.id)
            stamp = self._items.stamp
            unused = stamp.does_not_exist() if unused_since is None else stamp == unused_since
            yield self._check(USED, prompt.id, unused, refused=_conflict)

    def _head(self, collection: str, prompt: PromptMetadata) -> PromptItem:
        packed = packed_metadata(prompt)
        if len(packed) > _MOST_BYTES:
            raise ValidationFailed.of(
                "labels", "their history and what they name is too much for one prompt: delete some"
            )
        return self._items(
            collection,
            prompt.id,
            packed=packed,
            changes=prompt.changes,
            kind=prompt.kind.value,
            category=prompt.category,
            tags=set(prompt.tags) or None,
            folded_name=folded(prompt.name),
            roles=set(roles_named(prompt)) or None,
        )

    def _copy(self, kind: PromptKind, version: PromptVersion) -> PromptItem:
        return self._items(*live_place(kind, version.prompt_id, version.number), packed=packed_version(version))

    def _matching(self, search: PromptSearch) -> Condition | None:
        conditions = [
            None if search.kind is None else self._items.kind == search.kind.value,
            None if search.category is None else self._items.category == search.category,
            None if search.tag is None else self._items.tags.contains(search.tag),
            None if search.name is None else self._items.folded_name.startswith(folded(search.name)),
        ]
        matching: Condition | None = None
        for condition in conditions:
            if condition is not None:
                matching = condition if matching is None else matching & condition
        return matching

    def _get(self, collection: str, place: str) -> PromptItem | None:
        if not is_key(place):
            return None
        try:
            with reaching(HOLDING):
                return self._items.get(collection, place, consistent_read=True)
        except DoesNotExist:
            return None

    def _put(
        self,
        item: PromptItem,
        condition: Condition | None = None,
        *,
        refused: "_Refused | None" = None,
        after: Callable[[], None] | None = None,
    ) -> PreparedChange:
        request = item.get_save_kwargs_from_instance(
            condition=condition, return_values_on_condition_failure="ALL_OLD" if condition is not None else None
        )
        return _prepared({"Put": request}, refused, after)

    def _delete(
        self,
        collection: str,
        place: str,
        condition: Condition | None = None,
        *,
        refused: "_Refused | None" = None,
        after: Callable[[], None] | None = None,
    ) -> PreparedChange:
        return _prepared({"Delete": self._at(collection, place, condition)}, refused, after)

    def _check(self, collection: str, place: str, condition: Condition, *, refused: "_Refused") -> PreparedChange:
        return _prepared({"ConditionCheck": self._at(collection, place, condition)}, refused, None)

    def _at(self, collection: str, place: str, condition: Condition | None) -> dict[str, Any]:
        return self._items(collection, place).get_delete_kwargs_from_instance(condition=condition)


_Refused = Callable[[RawItem | None], Exception]


def _prepared(
    operation: Mapping[str, Any], refused: _Refused | None, after: Callable[[], None] | None
) -> PreparedChange:
    change = PreparedChange(operation=operation, refused=refused or _conflict)
    return change if after is None else PreparedChange(operation=operation, refused=refused or _conflict, after=after)


def _conflict(_: object) -> RevisionConflict:
    return RevisionConflict("The prompt has changed meanwhile: read it again.")


def _taken(prompt_id: str) -> _Refused:
    return lambda _: AlreadyExists(f"The prompt id {prompt_id!r} is taken.")


def _no_role(role_id: str) -> _Refused:
    return lambda _: ValidationFailed.of("template.system.roles", f"there is no role {role_id!r}")


def _may_be_id(text: str) -> bool:
    return is_key(text) and len(text) <= _LONGEST_ID
