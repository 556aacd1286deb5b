"""Prompts: as their editors keep them, and as queries read them."""

# A port holds types alone: what imports one for its name does not wait for the import of every value that it speaks of.
from __future__ import annotations

from dataclasses import field
from typing import TYPE_CHECKING, Protocol

from llm_gateway.values import dataclass

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from llm_gateway.domain.prompts.prompts import (
        OpenPrompt,
        PastPrompt,
        PromptKind,
        PromptMetadata,
        PromptVersion,
        Suite,
    )
    from llm_gateway.ports.audit import Change
    from llm_gateway.ports.system import Page


@dataclass(frozen=True, slots=True, kw_only=True)
class PromptSearch:
    """Which prompts: None leaves a filter out. `name` is what names begin with, in whatever case."""

    kind: PromptKind | None = None
    category: str | None = None
    tag: str | None = None
    name: str | None = None

    def matches(self, prompt: PromptMetadata) -> bool:
        return (
            self.kind in (None, prompt.kind)
            and self.category in (None, prompt.category)
            and (self.tag is None or self.tag in prompt.tags)
            and (self.name is None or prompt.name.casefold().startswith(self.name.casefold()))
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class PromptSave:
    """What is to be written: the prompt as it is to be, in the place of `before` (None: a new one), all at once or not at all.

    `version` is its next version, where it gets one; `suite` its tests, None where they stay. `opened` has each of its live
    versions that was not live before. `needs` are the stored roles that must still be there.
    """

    metadata: PromptMetadata
    before: PromptMetadata | None
    version: PromptVersion | None = None
    suite: Suite | None = None
    opened: Mapping[int, PromptVersion] = field(default_factory=dict)
    needs: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True, kw_only=True)
class RoleUse:
    """The prompts whose newest or labelled versions name a role, and the names by which they do.

    `stamp` changes whenever another prompt begins to.
    """

    prompts: tuple[str, ...]
    names: frozenset[str]
    stamp: str | None


class PromptStore(Protocol):
    """Prompts, to be edited. Every read is consistent: a process that has written something reads it back at once.

    Every method raises `DependencyUnavailable` where the store cannot be reached.
    """

    def find(self, prompt_id: str) -> PromptMetadata | None: ...

    def get(self, prompt_id: str) -> PromptMetadata:
        """Raises `PromptNotFound`."""
        ...

    def past(self, prompt_id: str) -> PastPrompt | None:
        """What is remembered of the one that was deleted last; None where none ever was."""
        ...

    def page(self, search: PromptSearch, *, limit: int, cursor: str | None) -> Page[PromptMetadata]:
        """Prompts by id. Raises `MalformedRequest` for a cursor that is not one of this list's."""
        ...

    def watched(self) -> Sequence[PromptMetadata]:
        """Those with a label whose versions may lose their weights by themselves. One small read where there are none."""
        ...

    def version(self, prompt_id: str, number: int) -> PromptVersion | None:
        """Deleted prompts' versions stay."""
        ...

    def versions(self, prompt_id: str, *, limit: int, cursor: str | None) -> Page[PromptVersion]:
        """Newest first. Raises `MalformedRequest` for a cursor that is not one of this list's."""
        ...

    def suite(self, prompt_id: str) -> Suite: ...

    def use(self, role_id: str) -> RoleUse: ...

    def saving(self, save: PromptSave) -> Sequence[Change]:
        """Prepared, for the audit log to carry out.

        It raises `AlreadyExists` for a new prompt whose id is taken; `RevisionConflict` where the prompt is no longer as
        `before`, or is gone; `ValidationFailed` where a role that it needs is gone.
        """
        ...

    def deleting(self, prompt: PromptMetadata, *, unused_since: str | None) -> Sequence[Change]:
        """Prepared, as `saving`; its versions stay. `unused_since` is the stamp at which nobody used it: another one now is a
        `RevisionConflict`, and so is a prompt that has changed or is gone."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Opening:
    """The prompt that was asked for (None: there is none), and every stored role by its id."""

    prompt: OpenPrompt | None = None
    roles: Mapping[str, OpenPrompt] = field(default_factory=dict)


class PromptReader(Protocol):
    """Prompts, as queries read them: what is said of one is at most 5 s old, a version is remembered.

    Both reads raise `DependencyUnavailable` where the store cannot be reached.
    """

    def open(self, prompt_id: str | None, *, version: int | None = None, roles: bool) -> Opening:
        """The prompt with its live versions, and with `version` where it has it; one round trip, or none.

        All stored roles too, where `roles` are wanted, or where one of these versions names a role.
        """
        ...

    def version(self, prompt_id: str, number: int) -> PromptVersion | None:
        """A version that was not at hand: one round trip, or none."""
        ...

    def forget(self, prompt_id: str) -> None:
        """To be called after a change: what is said of the prompt is read anew."""
        ...
