"""Labels, to be moved: by compare and set, with their history, and back again."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

from llm_gateway.domain.identifiers import is_slug
from llm_gateway.domain.prompts.prompts import (
    LATEST,
    Gate,
    Label,
    LabelMove,
    OpenPrompt,
    PromptKind,
    PromptMetadata,
    PromptVersion,
    RolledBack,
)
from llm_gateway.errors import (
    LabelNotFound,
    PromptInUse,
    PromptNotFound,
    PromptVersionNotFound,
    RevisionConflict,
    ValidationFailed,
)
from llm_gateway.ports.prompts import PromptSave, PromptStore
from llm_gateway.services.prompts.administration import roles_of_live
from llm_gateway.services.prompts.checks import PromptChecks
from llm_gateway.services.prompts.commits import Commits, name_of

if TYPE_CHECKING:
    from llm_gateway.domain.audit.entries import Author
    from llm_gateway.domain.audit.exhibits import Document
    from llm_gateway.ports.system import Clock

MOST_LABELS: Final = 20
MOST_HISTORY: Final = 20
LONGEST_REASON: Final = 150
WHOLE: Final = 100
_ROLLED_BACK: Final = "rolled back"

QualityGate = Callable[[PromptMetadata, Gate, frozenset[int]], None]
"""Raises `QualityGateFailed` where one of these versions may not be shown to the label's queries."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LabelDraft:
    """Where a label is to lead: `versions` by weight, or with `rollback` back to where it led before; with neither it stays.

    `gate` is kept where `keeps_gate`, else it takes the place of the one there is. `revision` None: whichever is there.
    """

    versions: Mapping[int, int] | None = None
    rollback: bool = False
    gate: Gate | None = None
    keeps_gate: bool = True
    reason: str | None = None
    revision: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class LabelService:
    """`passes` is the quality gate. A move and its entry in the audit log are made together, or not at all."""

    store: PromptStore
    shipped: Callable[[], Mapping[str, OpenPrompt]]
    checks: PromptChecks
    commits: Commits
    passes: QualityGate
    shown: "Callable[[Label], Document]"
    clock: "Clock"

    def put(
        self, prompt_id: str, name: str, draft: LabelDraft, *, expected: int | None, by: "Author"
    ) -> tuple[Label, bool]:
        """The label, and whether it is new.

        Raises `PromptNotFound`, `PromptVersionNotFound`, `RevisionConflict`, `ValidationFailed`, `QualityGateFailed`.
        """
        _check_name(name)
        if draft.rollback and expected is None:
            # Back from where it leads now: of two who ask for that at once, one has done it for both.
            label = self._prompt(prompt_id).labels.get(name)
            expected = label.revision if label else None
        return self.commits.until_done(lambda: self._put(prompt_id, name, draft, expected, by))

    def delete(self, prompt_id: str, name: str, *, expected: int | None, by: "Author") -> None:
        """Raises `PromptNotFound`, `LabelNotFound`, `RevisionConflict`; `PromptInUse` for a role's label that prompts name."""
        _check_name(name)
        self.commits.until_done(lambda: self._delete(prompt_id, name, expected, by))

    def take_weight(
        self, prompt_id: str, name: str, version: int, *, reason: str, expected: int, by: "Author"
    ) -> Label:
        """Leaves `version` out of the label's versions, and shows on the label why.

        Raises `PromptNotFound`, `LabelNotFound`, and `RevisionConflict` where somebody has moved it meanwhile.
        """
        return self.commits.until_done(lambda: self._take_weight(prompt_id, name, version, reason, expected, by))

    def _take_weight(self, prompt_id: str, name: str, version: int, reason: str, expected: int, by: "Author") -> Label:
        prompt = self._prompt(prompt_id)
        label = self._label(prompt, name)
        _expect(label, expected)
        rest = {number: weight for number, weight in label.versions.items() if number != version}
        if not rest or rest == label.versions:
            raise RevisionConflict(f"The label {name!r} has no weight to take from version {version}.")
        rest = rest if len(rest) > 1 else dict.fromkeys(rest, WHOLE)
        moved = self._moved(name, label, rest, LabelDraft(rollback=True, reason=reason), by)
        moved = replace(moved, rolled_back=RolledBack(version=version, reason=reason, at=self.clock.now()))
        self._save(
            prompt, _with_labels(prompt, {**prompt.labels, name: moved}), {}, before=label, now=moved, name=name, by=by
        )
        return moved

    def _put(
        self, prompt_id: str, name: str, draft: LabelDraft, expected: int | None, by: "Author"
    ) -> tuple[Label, bool]:
        prompt = self._prompt(prompt_id)
        label = prompt.labels.get(name)
        _expect(label, expected, draft.revision)
        if label is None and len(prompt.labels) >= MOST_LABELS:
            raise ValidationFailed.of("label", f"a prompt has at most {MOST_LABELS} labels: delete one")
        target = _target(label, draft)
        moved = self._moved(name, label, target, draft, by)
        opened = {number: self._version(prompt_id, number) for number in sorted(target)}
        # A rollback is not held to it: in an incident, what served before serves again.
        if moved.gate is not None and draft.versions is not None:
            self.passes(prompt, moved.gate, frozenset(target))
        after = _with_labels(prompt, {**prompt.labels, name: moved}, *opened.values())
        self._save(prompt, after, opened, before=label, now=moved, name=name, by=by)
        return moved, label is None

    def _delete(self, prompt_id: str, name: str, expected: int | None, by: "Author") -> None:
        prompt = self._prompt(prompt_id)
        label = self._label(prompt, name)
        _expect(label, expected)
        if prompt.kind is PromptKind.ROLE and f"{prompt_id}@{name}" in self.store.use(prompt_id).names:
            raise PromptInUse(f"Prompts name the role as '{prompt_id}@{name}'. Change them first.")
        rest = {other: found for other, found in prompt.labels.items() if other != name}
        self._save(prompt, _with_labels(prompt, rest), {}, before=label, now=None, name=name, by=by)

    def _save(
        self,
        prompt: PromptMetadata,
        after: PromptMetadata,
        opened: Mapping[int, PromptVersion],
        *,
        before: Label | None,
        now: Label | None,
        name: str,
        by: "Author",
    ) -> None:
        deed = by.deed(
            f"{prompt.id}/labels/{name}",
            before=self.shown(before) if before else None,
            after=self.shown(now) if now else None,
        )
        needs = self.checks.newly_named(prompt, after)
        save = PromptSave(metadata=after, before=prompt, opened=opened, needs=needs)
        self.commits.commit(deed, self.store.saving(save))

    def _moved(
        self, name: str, label: Label | None, target: Mapping[int, int], draft: LabelDraft, by: "Author"
    ) -> Label:
        gate = label.gate if label and draft.keeps_gate else draft.gate
        if label is not None and target == label.versions:
            return replace(label, gate=gate, revision=label.revision + 1)
        reason = draft.reason or (_ROLLED_BACK if draft.rollback else None)
        move = LabelMove(
            versions=target,
            at=self.clock.now(),
            by=name_of(by),
            reason=reason and reason[:LONGEST_REASON],
            takes_back=draft.rollback,
        )
        history = (move, *(label.history if label else ()))[:MOST_HISTORY]
        return Label(
            name=name, versions=target, revision=label.revision + 1 if label else 1, history=history, gate=gate
        )

    def _prompt(self, prompt_id: str) -> PromptMetadata:
        found = self.store.find(prompt_id)
        if found is None and prompt_id in self.shipped():
            message = f"{prompt_id!r} ships with the gateway, with one version: create a role under this id first"
            raise ValidationFailed.of("prompt_id", message)
        if found is None:
            raise PromptNotFound(prompt_id)
        return found

    def _label(self, prompt: PromptMetadata, name: str) -> Label:
        label = prompt.labels.get(name)
        if label is None:
            raise LabelNotFound(prompt.id, name)
        return label

    def _version(self, prompt_id: str, number: int) -> PromptVersion:
        found = self.store.version(prompt_id, number)
        if found is None:
            raise PromptVersionNotFound(prompt_id, number)
        return found


def _with_labels(prompt: PromptMetadata, labels: Mapping[str, Label], *opened: PromptVersion) -> PromptMetadata:
    after = replace(prompt, labels=labels, changes=prompt.changes + 1)
    return replace(after, roles=roles_of_live(after, *opened))


def _target(label: Label | None, draft: LabelDraft) -> Mapping[int, int]:
    """Where it is to lead, by weight."""
    if draft.rollback:
        before = label.target_before if label else None
        if before is None:
            raise ValidationFailed.of("rollback", "there is no target before this one: name a version")
        return before
    if draft.versions is not None:
        return draft.versions
    if label is None:
        raise ValidationFailed.of("version", "is required of a new label, or versions with their weights")
    return label.versions


def _check_name(name: str) -> None:
    if name == LATEST:
        raise ValidationFailed.of("label", "'latest' is the newest version, and moves by itself: choose another name")
    if not is_slug(name):
        raise ValidationFailed.of(
            "label", "must be of a-z, 0-9 and hyphens, 63 at most, and begin with a letter or digit"
        )
    if name.isdecimal():
        raise ValidationFailed.of("label", "must not be a number alone: that is how versions are named")


def _expect(label: Label | None, *expected: int | None) -> None:
    wanted = {*expected} - {None}
    if not wanted:
        return
    if label is None:
        raise RevisionConflict("There is no such label any more.")
    if wanted != {label.revision}:
        raise RevisionConflict(f"The label is at revision {label.revision} by now: read it again.")
