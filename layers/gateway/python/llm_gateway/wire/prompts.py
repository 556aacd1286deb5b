"""Prompts over HTTP."""

from typing import Annotated, Any, Final, Literal

from pydantic import AfterValidator, ConfigDict, Field

from llm_gateway.domain import chat
from llm_gateway.domain.pii import PiiRule
from llm_gateway.domain.prompts.prompts import (
    Defaults,
    PromptDraft,
    PromptKind,
    PromptMetadata,
    PromptVersion,
    Suite,
)
from llm_gateway.endpoints import BASE_PATH
from llm_gateway.ports.system import Page
from llm_gateway.services.prompts.reading import PromptView, VersionView
from llm_gateway.wire.labels import LabelShown
from llm_gateway.wire.messages import JsonSchema, OutputFormat
from llm_gateway.wire.prompt_templates import Template
from llm_gateway.wire.queries import Parameters
from llm_gateway.wire.schema import Incoming, Name, Outgoing, PageOf, PositiveInt, Revised, Slug, Timestamp
from llm_gateway.wire.suites import Tests

_LONGEST_TTL_S: Final = 30 * 24 * 3600


def _each_once(listed: list[Any]) -> list[Any]:
    twice = next((one for number, one in enumerate(listed) if one in listed[:number]), None)
    if twice is not None:
        raise ValueError(f"{str(twice)!r} is there twice")
    return listed


def _printable(text: str) -> str:
    if not text.isprintable() or text != text.strip():
        raise ValueError("must be printable, without white space around it")
    return text


Word = Annotated[str, Field(min_length=1, max_length=64), AfterValidator(_printable)]
Tags = Annotated[list[Word], Field(fail_fast=True, max_length=20), AfterValidator(_each_once)]
PiiRules = Annotated[list[PiiRule], Field(fail_fast=True, max_length=len(PiiRule)), AfterValidator(_each_once)]
Share = Annotated[float, Field(strict=True, ge=0, le=1)]
Model = Annotated[str, Field(min_length=1, max_length=200)]


class PromptDefaults(Incoming):
    """What a query made from the prompt asks for where it does not say so itself; left out where a candidate cannot take it."""

    model: Model | None = None
    parameters: Parameters | None = None

    def to_domain(self) -> Defaults:
        parameters = self.parameters.to_domain() if self.parameters else chat.Parameters()
        return Defaults(model=self.model, parameters=parameters)

    @classmethod
    def of(cls, defaults: Defaults) -> "PromptDefaults":
        return cls(model=defaults.model, parameters=Parameters.model_validate(defaults.parameters))


class PromptBody(Incoming):
    """A prompt as its editor writes it. `kind: role` is a system message that others are composed of."""

    elsewhere = {
        "messages": "it is template.messages",
        "system": "it is template.system",
        "variables": "it is template.variables",
        "parameters": "it is defaults.parameters",
        "model": "it is defaults.model",
    }

    id: Slug | None = None
    kind: PromptKind | None = None
    name: Name
    description: Annotated[str, Field(max_length=2000)] | None = None
    category: Word | None = None
    tags: Tags = []
    template: Template
    defaults: PromptDefaults | None = None
    output: OutputFormat | None = None
    tests: Tests = []
    pii: PiiRules = []
    cache_ttl_s: Annotated[int, Field(strict=True, ge=1, le=_LONGEST_TTL_S)] | None = None
    log_bodies: Share | None = None
    commit_message: Annotated[str, Field(max_length=500)] | None = None

    def to_draft(self) -> PromptDraft:
        return PromptDraft(
            id=self.id,
            kind=self.kind,
            name=self.name,
            description=self.description,
            category=self.category,
            tags=tuple(self.tags),
            template=self.template.to_domain(),
            defaults=(self.defaults or PromptDefaults()).to_domain(),
            output=(self.output or OutputFormat()).to_domain(),
            tests=tuple(test.as_sent() for test in self.tests),
            pii=frozenset(self.pii),
            cache_ttl_s=self.cache_ttl_s,
            log_bodies=self.log_bodies,
            commit_message=self.commit_message,
            revision=self._expected(),
        )

    def _expected(self) -> int | None:
        return None


class PromptUpdate(PromptBody):
    """The body of a `PUT`: what a `GET` answers is accepted; `revision` must match if present, the rest of it is ignored."""

    revision: PositiveInt | None = None
    created_at: Any = None
    updated_at: Any = None
    version: Any = None
    author: Any = None
    content_hash: Any = None
    labels: Any = None
    built_in: Any = None
    warnings: Any = None

    def _expected(self) -> int | None:
        return self.revision


class PromptOutput(Outgoing):
    """The form of the answers."""

    model_config = ConfigDict(validate_by_name=True, validate_by_alias=True)

    type: Literal["text", "json", "json_schema"]
    json_schema: Annotated[JsonSchema | None, Field(alias="schema")]

    @classmethod
    def of(cls, output: chat.OutputFormat) -> "PromptOutput":
        return cls(type=output.type, json_schema=None if output.schema is None else dict(output.schema))


class PromptListed(Revised):
    """What is said of a prompt beside its texts. `version` is its newest one; `built_in`: it ships with the gateway."""

    collection = f"{BASE_PATH}/prompts"

    kind: PromptKind
    name: str
    description: str | None
    category: str | None
    tags: list[str]
    version: int
    labels: dict[str, LabelShown]
    pii: list[PiiRule]
    cache_ttl_s: int | None
    log_bodies: float | None
    built_in: bool

    @classmethod
    def of_metadata(cls, metadata: PromptMetadata) -> "PromptListed":
        return cls(**_said(metadata))


class PromptPage(PageOf[PromptListed]):
    """Some of the prompts, by id."""

    @classmethod
    def of(cls, page: Page[PromptMetadata]) -> "PromptPage":
        return cls(items=[PromptListed.of_metadata(each) for each in page.items], next_cursor=page.next_cursor)


class PromptShown(PromptListed):
    """A prompt with what its newest version says. `warnings` are what its editor should look at."""

    template: Template
    defaults: PromptDefaults
    output: PromptOutput
    tests: list[dict[str, Any]]
    author: str
    commit_message: str | None
    content_hash: str
    warnings: list[str]

    @classmethod
    def of(cls, view: PromptView) -> "PromptShown":
        version = view.version
        return cls(
            **_said(view.metadata),
            **_content(version, view.tests),
            author=version.author,
            commit_message=version.commit_message,
            content_hash=version.content_hash,
            warnings=list(view.warnings),
        )


class VersionRow(Outgoing):
    """A version, and the labels that name it now."""

    version: int
    author: str
    created_at: Timestamp
    commit_message: str | None
    content_hash: str
    labels: list[str]

    @classmethod
    def row_of(cls, view: VersionView) -> "VersionRow":
        return cls(**_row(view))


class VersionPage(PageOf[VersionRow]):
    """Some of a prompt's versions, newest first."""

    @classmethod
    def of(cls, page: Page[VersionView]) -> "VersionPage":
        return cls(items=[VersionRow.row_of(each) for each in page.items], next_cursor=page.next_cursor)


class VersionShown(VersionRow):
    """A version with all that it says, and the prompt's tests."""

    template: Template
    defaults: PromptDefaults
    output: PromptOutput
    tests: list[dict[str, Any]]

    @classmethod
    def of(cls, view: VersionView) -> "VersionShown":
        return cls(**_row(view), **_content(view.version, view.tests))


def as_auditors_see(view: PromptView) -> dict[str, Any]:
    """The prompt as JSON, as the audit log tells of it."""
    return PromptShown.of(view).model_dump(mode="json", by_alias=True, exclude={"labels", "warnings"})


def _said(metadata: PromptMetadata) -> dict[str, Any]:
    return {
        "id": metadata.id,
        "kind": metadata.kind,
        "name": metadata.name,
        "description": metadata.description,
        "category": metadata.category,
        "tags": list(metadata.tags),
        "version": metadata.version,
        "labels": {name: LabelShown.of(label) for name, label in sorted(metadata.labels.items())},
        "pii": sorted(metadata.pii),
        "cache_ttl_s": metadata.cache_ttl_s,
        "log_bodies": metadata.log_bodies,
        "built_in": metadata.built_in,
        "revision": metadata.revision,
        "created_at": metadata.created_at,
        "updated_at": metadata.updated_at,
    }


def _content(version: PromptVersion, tests: Suite) -> dict[str, Any]:
    return {
        "template": Template.of(version.template),
        "defaults": PromptDefaults.of(version.defaults),
        "output": PromptOutput.of(version.output),
        "tests": [dict(test) for test in tests],
    }


def _row(view: VersionView) -> dict[str, Any]:
    version = view.version
    return {
        "version": version.number,
        "author": version.author,
        "created_at": version.created_at,
        "commit_message": version.commit_message,
        "content_hash": version.content_hash,
        "labels": list(view.labels),
    }
