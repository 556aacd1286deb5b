"""What a prompt has to be before it is stored. Everything here raises, and writes nothing."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Final

from llm_gateway.domain.chat import MessageRole
from llm_gateway.domain.prompts.labels import RoleName
from llm_gateway.domain.prompts.prompts import (
    LATEST,
    OpenPrompt,
    PromptDraft,
    PromptKind,
    PromptMetadata,
    roles_named,
)
from llm_gateway.domain.prompts.templates import PromptTemplate
from llm_gateway.domain.prompts.versions import MOST_BYTES, size_of
from llm_gateway.errors import FieldError, ValidationFailed
from llm_gateway.ports.prompts import PromptStore
from llm_gateway.services.output.schemas import check_schema
from llm_gateway.services.prompts.contradictions import contradictions
from llm_gateway.services.prompts.templates import check_template

MOST_ROLES: Final = 30
"""That the live versions of one prompt may name together: a transaction looks at each of them."""

MOST_LIVE: Final = 50
"""Versions of one prompt that are the newest or labelled: a transaction deletes them together."""

_ROLES: Final = "template.system.roles"


@dataclass(frozen=True, slots=True, kw_only=True)
class PromptChecks:
    """`shipped` are the roles that come with the gateway, by id."""

    store: PromptStore
    shipped: Callable[[], Mapping[str, OpenPrompt]]

    def check(self, draft: PromptDraft, kind: PromptKind) -> tuple[str, ...]:
        """What an editor should look at, and no error. Raises `TemplateInvalid`, or `ValidationFailed` naming each field."""
        errors = [*_faults_in_shape(draft.template, kind)]
        if errors:
            raise _failed(errors)
        check_template(draft.template)
        errors = [*self._faults_in_roles(draft.template.roles)]
        if errors:
            raise _failed(errors)
        if draft.output.schema is not None:
            check_schema(draft.output.schema)
        if size_of(draft.template, draft.defaults, draft.output) > MOST_BYTES:
            message = f"a version is at most {MOST_BYTES // 1024} KiB as JSON, with its defaults and its output"
            raise ValidationFailed.of("template", message)
        return tuple(contradictions([*_texts(draft.template)], draft.output))

    def newly_named(self, before: PromptMetadata | None, after: PromptMetadata) -> frozenset[str]:
        """The stored roles that `after` names and `before` did not: they have to stay until it is written.

        Raises `ValidationFailed` for one that is gone, and where there are too many.
        """
        if len(after.live) > MOST_LIVE:
            raise ValidationFailed.of("labels", f"lead to {len(after.live)} versions together, of at most {MOST_LIVE}")
        named = roles_named(after)
        if len(named) > MOST_ROLES:
            message = f"the newest and the labelled versions together name {len(named)} roles, of at most {MOST_ROLES}"
            raise ValidationFailed.of(_ROLES, message)
        added = named - roles_named(before) if before else named
        stored = frozenset(role_id for role_id in added if self._stored(role_id))
        for role_id in sorted(added - stored):
            if role_id not in self.shipped():
                raise ValidationFailed.of(_ROLES, f"there is no role {role_id!r}")
        return stored

    def _faults_in_roles(self, names: tuple[str, ...]) -> Iterator[FieldError]:
        for index, name in enumerate(names):
            if fault := "is there twice" if name in names[:index] else self._fault_in_role(name):
                yield FieldError(f"{_ROLES}[{index}]", fault)

    def _fault_in_role(self, name: str) -> str | None:
        named = RoleName.of(name)
        stored = self._stored(named.id)
        found = self.shipped().get(named.id) if stored is None else None
        metadata = stored or (found.metadata if found else None)
        if metadata is None:
            return f"there is no role {named.id!r}"
        if named.label not in (None, LATEST) and named.label not in metadata.labels:
            return f"the role {named.id!r} has no label {named.label!r}"
        if named.version is None or (found and named.version in found.versions):
            return None
        known = stored and self.store.version(named.id, named.version)
        return None if known else f"the role {named.id!r} has no version {named.version}"

    def _stored(self, role_id: str) -> PromptMetadata | None:
        found = self.store.find(role_id)
        return found if found and found.kind is PromptKind.ROLE else None


def _faults_in_shape(template: PromptTemplate, kind: PromptKind) -> Iterator[FieldError]:
    if kind is PromptKind.PROMPT:
        if not (template.messages or template.system_text or template.roles):
            yield FieldError("template", "says nothing: it needs messages, or a system part")
        return
    if template.messages:
        yield FieldError("template.messages", "must be empty: a role has a system text alone")
    if template.roles:
        yield FieldError(_ROLES, "must be empty: a role names no others")
    if not template.system_text:
        yield FieldError("template.system.text", "is required of a role")


def _texts(template: PromptTemplate) -> Iterator[tuple[str, str]]:
    """Its instructions, each with the field that it is in."""
    if template.system_text:
        yield "template.system.text", template.system_text
    for index, message in enumerate(template.messages):
        if message.role is not MessageRole.ASSISTANT:
            yield f"template.messages[{index}].content", message.text


def _failed(errors: list[FieldError]) -> ValidationFailed:
    return ValidationFailed("; ".join(f"{error.field}: {error.message}" for error in errors[:3]), errors=errors)
