"""Prompts in memory: as their editors keep them, and as queries read them."""

from collections.abc import Sequence
from functools import partial
from threading import RLock

from llm_gateway.domain.prompts.labels import RoleName
from llm_gateway.domain.prompts.prompts import (
    OpenPrompt,
    PastPrompt,
    PromptKind,
    PromptMetadata,
    PromptVersion,
    Suite,
)
from llm_gateway.errors import AlreadyExists, PromptNotFound, RevisionConflict, ValidationFailed
from llm_gateway.ports.prompts import Opening, PromptReader, PromptSave, PromptSearch, PromptStore, RoleUse
from llm_gateway.ports.system import Page
from llm_gateway.stores.cursors import from_cursor, malformed, to_cursor

from tests.adapters.audit_log import InMemoryChange


class InMemoryPrompts(PromptStore, PromptReader):
    """`fault`, where it is set, is raised by everything that reads or writes. A reader sees every change at once."""

    def __init__(self) -> None:
        self.fault: Exception | None = None
        self._prompts: dict[str, PromptMetadata] = {}
        self._versions: dict[str, dict[int, PromptVersion]] = {}
        self._suites: dict[str, Suite] = {}
        self._past: dict[str, PastPrompt] = {}
        self._stamps: dict[str, int] = {}
        self._writing = RLock()

    def put(self, metadata: PromptMetadata, *versions: PromptVersion) -> None:
        """In the place of what is there, whatever that is."""
        self._prompts[metadata.id] = metadata
        self._versions.setdefault(metadata.id, {}).update({version.number: version for version in versions})

    def keep_suite(self, prompt_id: str, suite: Suite) -> None:
        self._suites[prompt_id] = suite

    def find(self, prompt_id: str) -> PromptMetadata | None:
        self._reach()
        return self._prompts.get(prompt_id)

    def get(self, prompt_id: str) -> PromptMetadata:
        found = self.find(prompt_id)
        if found is None:
            raise PromptNotFound(prompt_id)
        return found

    def past(self, prompt_id: str) -> PastPrompt | None:
        self._reach()
        return self._past.get(prompt_id)

    def page(self, search: PromptSearch, *, limit: int, cursor: str | None) -> Page[PromptMetadata]:
        self._reach()
        after = from_cursor(cursor, "prompt_id")["prompt_id"] if cursor is not None else ""
        rest = [self._prompts[each] for each in sorted(self._prompts) if each > after]
        found = [prompt for prompt in rest if search.matches(prompt)]
        more = to_cursor({"prompt_id": found[limit - 1].id}) if len(found) > limit else None
        return Page(items=tuple(found[:limit]), next_cursor=more)

    def watched(self) -> Sequence[PromptMetadata]:
        self._reach()
        return tuple(prompt for _, prompt in sorted(self._prompts.items()) if prompt.is_watched)

    def version(self, prompt_id: str, number: int) -> PromptVersion | None:
        self._reach()
        return self._versions.get(prompt_id, {}).get(number)

    def versions(self, prompt_id: str, *, limit: int, cursor: str | None) -> Page[PromptVersion]:
        self._reach()
        below = from_cursor(cursor, "version")["version"] if cursor is not None else None
        if below is not None and not below.isdecimal():
            raise malformed()
        numbers = sorted(self._versions.get(prompt_id, {}), reverse=True)
        found = [number for number in numbers if below is None or number < int(below)]
        more = to_cursor({"version": str(found[limit - 1])}) if len(found) > limit else None
        items = tuple(self._versions[prompt_id][number] for number in found[:limit])
        return Page(items=items, next_cursor=more)

    def suite(self, prompt_id: str) -> Suite:
        self._reach()
        return self._suites.get(prompt_id, ())

    def use(self, role_id: str) -> RoleUse:
        self._reach()
        users = tuple(each for each in sorted(self._prompts) if role_id in _roles(self._prompts[each]))
        stamp = self._stamps.get(role_id)
        names = {name for each in users for version in self._prompts[each].roles.values() for name in version}
        return RoleUse(
            prompts=users,
            names=frozenset(name for name in names if RoleName.of(name).id == role_id),
            stamp=None if stamp is None else str(stamp),
        )

    def saving(self, save: PromptSave) -> Sequence[InMemoryChange]:
        return (InMemoryChange(check=partial(self._check, save), write=partial(self._save, save)),)

    def deleting(self, prompt: PromptMetadata, *, unused_since: str | None) -> Sequence[InMemoryChange]:
        def check() -> None:
            self._expect(prompt)
            if self.use(prompt.id).stamp != unused_since:
                raise RevisionConflict("A prompt names the role by now.")

        def write() -> None:
            with self._writing:
                del self._prompts[prompt.id]
                self._suites.pop(prompt.id, None)
                self._past[prompt.id] = PastPrompt(kind=prompt.kind, version=prompt.version, changes=prompt.changes)

        return (InMemoryChange(check=check, write=write),)

    def open(self, prompt_id: str | None, *, version: int | None = None, roles: bool) -> Opening:
        self._reach()
        found = self._prompts.get(prompt_id) if prompt_id is not None else None
        opened = self._opened(found, version) if found else None
        wanted = roles or (opened is not None and any(each.template.roles for each in opened.versions.values()))
        stored = [prompt for prompt in self._prompts.values() if prompt.kind is PromptKind.ROLE] if wanted else []
        return Opening(
            prompt=opened,
            roles={role.id: self._opened(role, None) for role in stored},
        )

    def forget(self, prompt_id: str) -> None:
        """There is nothing that it remembers."""

    def _opened(self, metadata: PromptMetadata, version: int | None) -> OpenPrompt:
        wanted = metadata.live | {version}
        held = self._versions[metadata.id].items()
        return OpenPrompt(metadata=metadata, versions={number: each for number, each in held if number in wanted})

    def _check(self, save: PromptSave) -> None:
        self._reach()
        prompt_id = save.metadata.id
        if save.before is not None:
            self._expect(save.before)
        elif prompt_id in self._prompts:
            raise AlreadyExists(f"The prompt id {prompt_id!r} is taken.")
        if save.version is not None and save.version.number in self._versions.get(prompt_id, {}):
            raise RevisionConflict("The prompt has changed meanwhile: read it again.")
        for role_id in sorted(save.needs):
            if role_id not in self._prompts:
                raise ValidationFailed.of("template.system.roles", f"there is no role {role_id!r}")

    def _save(self, save: PromptSave) -> None:
        with self._writing:
            versions = (save.version,) if save.version else ()
            self.put(save.metadata, *versions)
            if save.suite is not None:
                self._suites[save.metadata.id] = save.suite
            for role_id in _roles(save.metadata):
                self._stamps[role_id] = self._stamps.get(role_id, 0) + 1

    def _expect(self, before: PromptMetadata) -> None:
        stored = self._prompts.get(before.id)
        if stored is None or stored.changes != before.changes:
            raise RevisionConflict("The prompt has changed meanwhile: read it again.")

    def _reach(self) -> None:
        if self.fault is not None:
            raise self.fault


def _roles(prompt: PromptMetadata) -> set[str]:
    return {name.partition("@")[0] for names in prompt.roles.values() for name in names}
