"""Prompts in DynamoDB, as queries read them: side by side, and not again while what is remembered will do."""

from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass
from threading import Lock
from typing import Final

from pynamodb.exceptions import DoesNotExist

from llm_gateway.domain.prompts.prompts import OpenPrompt, PromptMetadata, PromptVersion
from llm_gateway.ports.prompts import Opening
from llm_gateway.ports.system import Clock
from llm_gateway.services.together import Beside
from llm_gateway.stores.codec import from_json, unpack
from llm_gateway.stores.connection import Aws, reaching
from llm_gateway.stores.prompt_items import (
    HOLDING,
    PROMPTS,
    ROLES,
    PromptItem,
    is_version,
    live_of,
    metadata_in,
    number_in,
    place_of,
    versions_of,
)
from llm_gateway.stores.raw_items import is_key
from llm_gateway.stores.tables import bind

MAX_AGE_S: Final = 5
MOST_REMEMBERED_BYTES: Final = 16 * 1024 * 1024
_MOST_PROMPTS: Final = 1000
_LONGEST_ID: Final = 63


@dataclass(frozen=True, slots=True, kw_only=True)
class _Sight:
    """What was said of a prompt at a time; `complete` where its live versions have been read."""

    metadata: PromptMetadata
    asked_at_s: float
    complete: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class _Roles:
    roles: Mapping[str, OpenPrompt]
    asked_at_s: float


class DynamoPromptReader:
    """It remembers versions of at most `most_bytes` as JSON."""

    def __init__(self, *, aws: Aws, table: str, clock: Clock, most_bytes: int = MOST_REMEMBERED_BYTES) -> None:
        self._items = bind(PromptItem, table=table, aws=aws)
        self._clock = clock
        self._sights = OrderedDict[str, _Sight]()
        self._roles: _Roles | None = None
        self._versions = _Versions(most_bytes=most_bytes)
        self._lock = Lock()

    def open(self, prompt_id: str | None, *, version: int | None = None, roles: bool) -> Opening:
        if prompt_id is None or not _may_be_id(prompt_id):
            return Opening(roles=self._all_roles() if roles else {})
        sight = self._look(prompt_id, version=version, roles=roles)
        if sight is None:
            return Opening(roles=self._all_roles() if roles else {})
        opened = self._opened(sight.metadata, version)
        wanted = roles or any(each.template.roles for each in opened.versions.values())
        return Opening(prompt=opened, roles=self._all_roles() if wanted else {})

    def _look(self, prompt_id: str, *, version: int | None, roles: bool) -> _Sight | None:
        """Reads what is not at hand, side by side. None where there is no such prompt."""
        now_s = self._clock.monotonic_s()
        sight = self._sights.get(prompt_id)
        is_fresh = sight is not None and now_s - sight.asked_at_s < MAX_AGE_S
        complete = sight is not None and sight.complete
        asked = None if version is None else self._versions.find(prompt_id, version)
        with Beside() as beside:
            head = None if is_fresh else beside.start(lambda: self._metadata(prompt_id))
            if version is None and not complete:
                beside.start(lambda: self._read_live(prompt_id))
                complete = True
            if version is not None and asked is None:
                beside.start(lambda: self.version(prompt_id, version))
            # Of what is not known yet nobody can say whether it names a role.
            if roles or sight is None or sight.metadata.roles or (version is not None and _may_name_roles(asked)):
                beside.start(self._all_roles)
        metadata = sight.metadata if sight and head is None else head.result if head else None
        if metadata is None:
            self.forget(prompt_id)
            return None
        asked_at_s = sight.asked_at_s if sight and head is None else now_s
        return self._noted(_Sight(metadata=metadata, asked_at_s=asked_at_s, complete=complete))

    def version(self, prompt_id: str, number: int) -> PromptVersion | None:
        held = self._versions.find(prompt_id, number)
        if held is not None or not _may_be_id(prompt_id):
            return held
        try:
            with reaching(HOLDING):
                item = self._items.get(versions_of(prompt_id), place_of(number), consistent_read=True)
        except DoesNotExist:
            return None
        return self._versions.read(prompt_id, number, item)

    def forget(self, prompt_id: str) -> None:
        """What is said of it, not its versions."""
        with self._lock:
            self._sights.pop(prompt_id, None)
            self._roles = None

    def _noted(self, sight: _Sight) -> _Sight:
        with self._lock:
            self._sights[sight.metadata.id] = sight
            self._sights.move_to_end(sight.metadata.id)
            if len(self._sights) > _MOST_PROMPTS:
                self._sights.popitem(last=False)
        return sight

    def _opened(self, metadata: PromptMetadata, version: int | None) -> OpenPrompt:
        wanted = metadata.live | ({version} - {None})
        held = {number: self._versions.find(metadata.id, number) for number in wanted if number is not None}
        return OpenPrompt(metadata=metadata, versions={number: each for number, each in held.items() if each})

    def _metadata(self, prompt_id: str) -> PromptMetadata | None:
        try:
            with reaching(HOLDING):
                return metadata_in(self._items.get(PROMPTS, prompt_id, consistent_read=True))
        except DoesNotExist:
            return None

    def _read_live(self, prompt_id: str) -> None:
        with reaching(HOLDING):
            for item in self._items.query(live_of(prompt_id), consistent_read=True):
                self._versions.read(prompt_id, number_in(item.place), item)

    def _all_roles(self) -> Mapping[str, OpenPrompt]:
        now_s = self._clock.monotonic_s()
        seen = self._roles
        if seen is None or now_s - seen.asked_at_s >= MAX_AGE_S:
            seen = self._roles = _Roles(roles=self._read_roles(), asked_at_s=now_s)
        return seen.roles

    def _read_roles(self) -> Mapping[str, OpenPrompt]:
        with reaching(HOLDING):
            items = list(self._items.query(ROLES, consistent_read=True))
        versions: dict[str, dict[int, PromptVersion]] = {}
        for item in filter(is_version, items):
            role_id, number = item.place.partition("#")[0], number_in(item.place)
            versions.setdefault(role_id, {})[number] = self._versions.read(role_id, number, item)
        heads = [metadata_in(item) for item in items if not is_version(item)]
        return {role.id: OpenPrompt(metadata=role, versions=versions.get(role.id, {})) for role in heads}


class _Versions:
    """Versions never change: each is read once, until others take its room. Those used last stay."""

    def __init__(self, *, most_bytes: int) -> None:
        self._most_bytes = most_bytes
        self._bytes = 0
        self._held = OrderedDict[tuple[str, int], tuple[PromptVersion, int]]()
        self._lock = Lock()

    def find(self, prompt_id: str, number: int) -> PromptVersion | None:
        with self._lock:
            held = self._held.get((prompt_id, number))
            if held is None:
                return None
            self._held.move_to_end((prompt_id, number))
            return held[0]

    def read(self, prompt_id: str, number: int, item: PromptItem) -> PromptVersion:
        held = self.find(prompt_id, number)
        if held is not None:
            return held
        document = unpack(item.packed)
        version = from_json(PromptVersion, document)
        with self._lock:
            if (prompt_id, number) not in self._held:
                self._bytes += len(document)
            self._held[prompt_id, number] = (version, len(document))
            while self._bytes > self._most_bytes and len(self._held) > 1:
                _, (_, size) = self._held.popitem(last=False)
                self._bytes -= size
        return version


def _may_name_roles(version: PromptVersion | None) -> bool:
    """Whether a version (None: one that has yet to be read) may name a role."""
    return version is None or bool(version.template.roles)


def _may_be_id(text: str) -> bool:
    return is_key(text) and len(text) <= _LONGEST_ID
