"""Prompts, to be written, changed and deleted. Every change of content is a version of its own, and none is ever lost."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from llm_gateway.domain.identifiers import is_slug, slug_from
from llm_gateway.domain.prompts.prompts import PromptDraft, PromptKind, PromptMetadata, PromptVersion, Suite
from llm_gateway.domain.prompts.versions import content_hash
from llm_gateway.domain.strict_json import digest
from llm_gateway.errors import PromptInUse, PromptNotFound, RevisionConflict, ValidationFailed, listed
from llm_gateway.ports.prompts import PromptSave
from llm_gateway.services.prompts.checks import PromptChecks
from llm_gateway.services.prompts.commits import Commits, Overtaken, name_of
from llm_gateway.services.prompts.reading import PromptBook, PromptView

if TYPE_CHECKING:
    from llm_gateway.domain.audit.entries import Author, Deed
    from llm_gateway.domain.audit.exhibits import Document
    from llm_gateway.ports.system import Clock


@dataclass(frozen=True, slots=True, kw_only=True)
class PromptService(PromptBook):
    """A change and its entry in the audit log are made together, or not at all; `shown` is a prompt as the log tells of it."""

    checks: PromptChecks
    commits: Commits
    shown: "Callable[[PromptView], Document]"
    clock: "Clock"

    def create(self, draft: PromptDraft, *, by: "Author") -> PromptView:
        """Its number goes on from a deleted one's of the same id.

        Raises `AlreadyExists`, `TemplateInvalid`, `ValidationFailed` naming the field.
        """
        prompt_id = draft.id or slug_from(draft.name)
        if prompt_id is None or not is_slug(prompt_id):
            raise ValidationFailed.of("id", "no id can be made from the name: send one of a-z, 0-9 and hyphens")
        kind = draft.kind or PromptKind.PROMPT
        warnings = self.checks.check(draft, kind)
        return self.commits.until_done(lambda: self._create(prompt_id, kind, draft, warnings, by))

    def update(self, prompt_id: str, draft: PromptDraft, *, expected: int | None, by: "Author") -> PromptView:
        """Writes the next version where the content is another, and replaces what else is said of the prompt.

        Raises `PromptNotFound`, `RevisionConflict`, `TemplateInvalid`, `ValidationFailed`.
        """
        stored = self._stored(prompt_id, expected, draft.revision)
        self._check_fixed(draft, stored)
        warnings = self.checks.check(draft, stored.kind)
        return self.commits.until_done(lambda: self._update(prompt_id, draft, expected, warnings, by))

    def delete(self, prompt_id: str, *, expected: int | None, by: "Author") -> None:
        """Its versions stay. Raises `PromptNotFound`, `RevisionConflict`, and `PromptInUse` for a role that prompts name."""
        self.commits.until_done(lambda: self._delete(prompt_id, expected, by))

    def _create(
        self, prompt_id: str, kind: PromptKind, draft: PromptDraft, warnings: tuple[str, ...], by: "Author"
    ) -> PromptView:
        past = self.store.past(prompt_id)
        if past is not None and past.kind is not kind:
            message = f"a {past.kind} had this id, and its versions stay: choose another id"
            raise ValidationFailed.of("id", message)
        now = self.clock.now()
        metadata = PromptMetadata(
            **draft.said_of_it(),
            id=prompt_id,
            kind=kind,
            version=past.version + 1 if past else 1,
            revision=1,
            changes=past.changes + 1 if past else 1,
            created_at=now,
            updated_at=now,
            suite_hash=_hash_of(draft.tests),
        )
        version = self._next_version(metadata, draft, by)
        metadata = replace(metadata, roles=roles_of_live(metadata, version))
        view = PromptView(metadata=metadata, version=version, tests=draft.tests, warnings=warnings)
        save = PromptSave(metadata=metadata, before=None, version=version, suite=draft.tests)
        self._commit(by.deed(prompt_id, after=self.shown(view)), save)
        return view

    def _update(
        self, prompt_id: str, draft: PromptDraft, expected: int | None, warnings: tuple[str, ...], by: "Author"
    ) -> PromptView:
        stored = self._stored(prompt_id, expected, draft.revision)
        before = self.get(prompt_id)
        if before.metadata != stored:
            raise Overtaken("The prompt has changed meanwhile: read it again.")
        is_new = before.version.content_hash != _content_hash(draft)
        metadata = replace(
            stored,
            **draft.said_of_it(),
            version=stored.version + is_new,
            revision=stored.revision + 1,
            changes=stored.changes + 1,
            updated_at=self.clock.now(),
            suite_hash=_hash_of(draft.tests),
        )
        version = self._next_version(metadata, draft, by) if is_new else before.version
        metadata = replace(metadata, roles=roles_of_live(metadata, version))
        view = PromptView(metadata=metadata, version=version, tests=draft.tests, warnings=warnings)
        save = PromptSave(metadata=metadata, before=stored, version=version if is_new else None, suite=draft.tests)
        self._commit(by.deed(prompt_id, before=self.shown(before), after=self.shown(view)), save)
        return view

    def _delete(self, prompt_id: str, expected: int | None, by: "Author") -> None:
        if self.store.find(prompt_id) is None and prompt_id in self.shipped():
            raise PromptInUse(f"{prompt_id!r} ships with the gateway: it cannot be deleted.")
        stored = self._stored(prompt_id, expected, None)
        use = self.store.use(prompt_id) if stored.kind is PromptKind.ROLE else None
        if use is not None and use.prompts:
            raise PromptInUse(f"The role {prompt_id!r} is named by prompts: {listed(use.prompts)}. Change them first.")
        before = self.get(prompt_id)
        deed = by.deed(prompt_id, before=self.shown(before))
        self.commits.commit(deed, self.store.deleting(stored, unused_since=use.stamp if use else None))

    def _commit(self, deed: "Deed", save: PromptSave) -> None:
        needs = self.checks.newly_named(save.before, save.metadata)
        self.commits.commit(deed, self.store.saving(replace(save, needs=needs)))

    def _stored(self, prompt_id: str, *expected: int | None) -> PromptMetadata:
        stored = self.store.find(prompt_id)
        if stored is None:
            if prompt_id in self.shipped():
                message = f"{prompt_id!r} ships with the gateway: create a role under this id, which takes its place"
                raise ValidationFailed.of("id", message)
            raise PromptNotFound(prompt_id)
        if {*expected} - {None, stored.revision}:
            raise RevisionConflict(f"The prompt is at revision {stored.revision} by now: read it again.")
        return stored

    def _check_fixed(self, draft: PromptDraft, stored: PromptMetadata) -> None:
        if draft.id not in (None, stored.id):
            raise ValidationFailed.of("id", f"an id cannot change: leave it out or send {stored.id!r}")
        if draft.kind not in (None, stored.kind):
            raise ValidationFailed.of("kind", f"is {stored.kind.value} since it was made: leave it out or send that")

    def _next_version(self, metadata: PromptMetadata, draft: PromptDraft, by: "Author") -> PromptVersion:
        return PromptVersion(
            prompt_id=metadata.id,
            number=metadata.version,
            template=draft.template,
            defaults=draft.defaults,
            output=draft.output,
            author=name_of(by),
            created_at=self.clock.now(),
            commit_message=draft.commit_message,
            content_hash=_content_hash(draft),
        )


def roles_of_live(metadata: PromptMetadata, *opened: PromptVersion) -> dict[int, tuple[str, ...]]:
    """The roles that its live versions name, by version; `opened` are those that were not live before."""
    known = {**metadata.roles, **{version.number: version.template.roles for version in opened}}
    return {number: names for number, names in known.items() if names and number in metadata.live}


def _content_hash(draft: PromptDraft) -> str:
    return content_hash(draft.template, draft.defaults, draft.output)


def _hash_of(suite: Suite) -> str | None:
    return digest(suite) if suite else None
