"""Prompts, to be read: what is said of them, their versions, and what changed between two."""

from collections.abc import Callable, Mapping, Set
from dataclasses import dataclass
from functools import partial
from typing import Final

from llm_gateway.domain.cursors import from_cursor, to_cursor
from llm_gateway.domain.prompts.prompts import OpenPrompt, PromptKind, PromptMetadata, PromptVersion, Suite
from llm_gateway.domain.prompts.versions import VersionDiff, difference
from llm_gateway.errors import PromptNotFound, PromptVersionNotFound
from llm_gateway.ports.prompts import PromptSearch, PromptStore
from llm_gateway.ports.system import Page
from llm_gateway.services.together import Beside

_ID: Final = "prompt_id"


@dataclass(frozen=True, slots=True, kw_only=True)
class PromptView:
    """A prompt as it is told of: with its newest version, and its tests. `warnings` are what its editor should look at."""

    metadata: PromptMetadata
    version: PromptVersion
    tests: Suite = ()
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class VersionView:
    """A version, with the labels that name it now and the prompt's tests."""

    version: PromptVersion
    labels: tuple[str, ...]
    tests: Suite = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class PromptBook:
    """`shipped` are the roles that come with the gateway, by id: a stored one takes the place of its namesake.

    `shipped_suite` are the tests of one of them.
    """

    store: PromptStore
    shipped: Callable[[], Mapping[str, OpenPrompt]]
    shipped_suite: Callable[[str], Suite] = lambda _: ()

    def get(self, prompt_id: str) -> PromptView:
        """Raises `PromptNotFound`."""
        metadata = self.store.find(prompt_id)
        if metadata is None:
            return self._shipped(prompt_id)
        with Beside() as beside:
            version = beside.start(lambda: self._version(prompt_id, metadata.version))
            tests = beside.start(lambda: self.store.suite(prompt_id))
        return PromptView(metadata=metadata, version=version.result, tests=tests.result)

    def kind_of(self, prompt_id: str) -> PromptKind:
        """Raises `PromptNotFound`."""
        stored = self.store.find(prompt_id)
        return stored.kind if stored else self._shipped(prompt_id).metadata.kind

    def page(self, search: PromptSearch, *, limit: int, cursor: str | None) -> Page[PromptMetadata]:
        """Prompts by id, shipped roles among them. Raises `MalformedRequest` for a cursor of another list."""
        page = self.store.page(search, limit=limit, cursor=cursor)
        after = from_cursor(cursor, _ID)[_ID] if cursor is not None else ""
        last = page.items[-1].id if page.next_cursor and page.items else None
        shipped = self._shipped_ones(search, after=after, last=last, stored={each.id for each in page.items})
        found = sorted((*page.items, *shipped), key=lambda each: each.id)
        shown, more = found[:limit], page.next_cursor is not None or len(found) > limit
        return Page(items=tuple(shown), next_cursor=to_cursor({_ID: shown[-1].id}) if more and shown else None)

    def versions(self, prompt_id: str, *, limit: int, cursor: str | None) -> Page[VersionView]:
        """Newest first. Raises `PromptNotFound` where there never was such a prompt."""
        metadata = self.store.find(prompt_id)
        page = self.store.versions(prompt_id, limit=limit, cursor=cursor)
        if metadata is None and not page.items:
            view = self._shipped(prompt_id)
            return Page(items=(VersionView(version=view.version, labels=_labels(view.metadata, 0)),))
        items = tuple(
            VersionView(version=each, labels=_labels(metadata, each.number) if metadata else ()) for each in page.items
        )
        return Page(items=items, next_cursor=page.next_cursor)

    def version(self, prompt_id: str, number: int) -> VersionView:
        """Those of deleted prompts stay: a query tells which one it was made from.

        Raises `PromptNotFound`, `PromptVersionNotFound`.
        """
        with Beside() as beside:
            metadata = beside.start(lambda: self.store.find(prompt_id))
            version = beside.start(lambda: self.store.version(prompt_id, number))
            tests = beside.start(lambda: self.store.suite(prompt_id))
        if version.result is not None:
            labels = _labels(metadata.result, number) if metadata.result else ()
            return VersionView(version=version.result, labels=labels, tests=tests.result)
        if metadata.result is None:
            return self._shipped_version(prompt_id, number)
        raise PromptVersionNotFound(prompt_id, number)

    def diff(self, prompt_id: str, before: int, after: int) -> VersionDiff:
        """What leads from one version to the other. Raises `PromptNotFound`, `PromptVersionNotFound`."""
        return difference(self.version(prompt_id, before).version, self.version(prompt_id, after).version)

    def _version(self, prompt_id: str, number: int) -> PromptVersion:
        found = self.store.version(prompt_id, number)
        if found is None:
            raise PromptVersionNotFound(prompt_id, number)
        return found

    def _shipped(self, prompt_id: str) -> PromptView:
        found = self.shipped().get(prompt_id)
        if found is None:
            raise PromptNotFound(prompt_id)
        version = found.versions[found.metadata.version]
        return PromptView(metadata=found.metadata, version=version, tests=self.shipped_suite(prompt_id))

    def _shipped_version(self, prompt_id: str, number: int) -> VersionView:
        if prompt_id not in self.shipped() and self.store.past(prompt_id) is not None:
            raise PromptVersionNotFound(prompt_id, number)
        view = self._shipped(prompt_id)
        if number != view.version.number:
            raise PromptVersionNotFound(prompt_id, number)
        return VersionView(version=view.version, labels=_labels(view.metadata, number), tests=view.tests)

    def _shipped_ones(
        self, search: PromptSearch, *, after: str, last: str | None, stored: Set[str]
    ) -> list[PromptMetadata]:
        """Those that belong on the page from `after` to `last`, but for those whose place is taken."""
        if search.kind is PromptKind.PROMPT:
            return []
        matching = [found.metadata for found in self.shipped().values() if search.matches(found.metadata)]
        on_page = [each for each in matching if after < each.id and (last is None or each.id < last)]
        with Beside() as beside:
            # One that takes a shipped one's place may not match.
            taken = {
                each.id: beside.start(partial(self.store.find, each.id)) for each in on_page if each.id not in stored
            }
        return [each for each in on_page if each.id in taken and taken[each.id].result is None]


def _labels(metadata: PromptMetadata, number: int) -> tuple[str, ...]:
    named = (name for name, label in metadata.labels.items() if number in label.versions)
    newest = ("latest",) if number == metadata.version else ()
    return (*sorted(named), *newest)
