"""Prompts: what is said of one, its versions, and the labels that name versions."""

from collections.abc import Mapping
from dataclasses import field
from datetime import datetime
from enum import StrEnum
from typing import Any, Final

from llm_gateway.domain.chat import JsonObject, OutputFormat, Parameters
from llm_gateway.domain.pii import PiiRule
from llm_gateway.domain.prompts.labels import RoleName
from llm_gateway.domain.prompts.templates import PromptTemplate
from llm_gateway.values import dataclass

LATEST: Final = "latest"
"""The label of the newest version. Nobody moves it."""

PRODUCTION: Final = "production"
"""The label that counts where a query names neither a version nor a label, if it is set."""


class PromptKind(StrEnum):
    """A role is a system message that others are composed of."""

    PROMPT = "prompt"
    ROLE = "role"


@dataclass(frozen=True, slots=True, kw_only=True)
class Defaults:
    """Wishes: a candidate that cannot take one of them is asked without it."""

    model: str | None = None
    parameters: Parameters = Parameters()


@dataclass(frozen=True, slots=True, kw_only=True)
class PromptVersion:
    """What a prompt said at one time; it never changes. `content_hash` is over `template`, `defaults` and `output`."""

    prompt_id: str
    number: int
    template: PromptTemplate
    defaults: Defaults
    output: OutputFormat
    author: str
    created_at: datetime
    commit_message: str | None
    content_hash: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Gate:
    """What a label asks of versions: of those it is moved to (`tests`), and of the lighter ones while it has weights.

    Rates are shares from 0 to 1. `max_cost_ratio` compares the cost of a query with that of the heaviest version.
    """

    tests: bool = False
    max_error_rate: float | None = None
    max_p95_ms: int | None = None
    max_cost_ratio: float | None = None
    max_validation_failure_rate: float | None = None
    min_feedback: float | None = None
    min_requests: int = 50

    @property
    def has_bounds(self) -> bool:
        """Whether it asks anything of a version that is in use."""
        rates = (self.max_error_rate, self.max_validation_failure_rate, self.min_feedback)
        return any(each is not None for each in (*rates, self.max_p95_ms, self.max_cost_ratio))


@dataclass(frozen=True, slots=True, kw_only=True)
class LabelMove:
    """One move of a label: where to, as weights by version; `by` is a key's id, or the gateway's own name for itself.

    One that `takes_back` undoes the one before it: whatever led there is not gone back to.
    """

    versions: Mapping[int, int]
    at: datetime
    by: str
    reason: str | None = None
    takes_back: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class RolledBack:
    """The version that lost its weight by itself, and the bound that it broke."""

    version: int
    reason: str
    at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Label:
    """A name for a version, or for several by weights. `history` has the last 20 moves, newest first."""

    name: str
    versions: Mapping[int, int]
    revision: int
    history: tuple[LabelMove, ...] = ()
    gate: Gate | None = None
    rolled_back: RolledBack | None = None

    @property
    def version(self) -> int | None:
        """The one version it names; None while it has several."""
        return next(iter(self.versions)) if len(self.versions) == 1 else None

    @property
    def weighted_since(self) -> datetime | None:
        """Since when it leads where it does."""
        return self.history[0].at if self.history else None

    @property
    def target_before(self) -> Mapping[int, int] | None:
        """Where it led before it led where it does, of the targets that were not taken back themselves; None: nowhere."""
        targets: list[Mapping[int, int]] = []
        for move in reversed(self.history):
            if move.takes_back and targets:
                targets.pop()
            if move.versions not in targets[-1:]:
                targets.append(move.versions)
        return targets[-2] if len(targets) > 1 else None

    @property
    def is_watched(self) -> bool:
        """Whether one of its versions may lose its weight by itself."""
        return len(self.versions) > 1 and self.gate is not None and self.gate.has_bounds


@dataclass(frozen=True, slots=True, kw_only=True)
class PromptMetadata:
    """What is said of a prompt beside its versions; all of it may change. `version` is the newest version's number.

    `revision` counts what its editors write. `changes` counts its labels' moves too: a write asks whether it is still the same.
    `roles` are the names of roles in its newest and in its labelled versions, by version. `suite_hash` tells one suite of tests
    from another; None: it has none.
    """

    id: str
    kind: PromptKind
    name: str
    version: int
    revision: int
    created_at: datetime
    updated_at: datetime
    description: str | None = None
    category: str | None = None
    tags: tuple[str, ...] = ()
    pii: frozenset[PiiRule] = frozenset()
    cache_ttl_s: int | None = None
    log_bodies: float | None = None
    labels: Mapping[str, Label] = field(default_factory=dict)
    built_in: bool = False
    changes: int = 1
    roles: Mapping[int, tuple[str, ...]] = field(default_factory=dict)
    suite_hash: str | None = None

    @property
    def is_watched(self) -> bool:
        """Whether one of its labels is."""
        return any(label.is_watched for label in self.labels.values())

    @property
    def live(self) -> frozenset[int]:
        """The versions that a query can get without naming them by number: the newest one, and those that labels name."""
        return frozenset({self.version}).union(*(label.versions for label in self.labels.values()))


def roles_named(prompt: PromptMetadata) -> frozenset[str]:
    """The ids of the roles that its live versions name."""
    return frozenset(RoleName.of(name).id for names in prompt.roles.values() for name in names)


Suite = tuple[JsonObject, ...]
"""A prompt's tests, as they were sent."""


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenPrompt:
    """A prompt with those of its versions that are at hand: the live ones among them, but for a moment when a label moves."""

    metadata: PromptMetadata
    versions: Mapping[int, PromptVersion]


@dataclass(frozen=True, slots=True, kw_only=True)
class PastPrompt:
    """What is remembered of a deleted prompt: another one under its id is of the same kind, and counts on from here."""

    kind: PromptKind
    version: int
    changes: int


@dataclass(frozen=True, slots=True, kw_only=True)
class PromptSpec:
    """What an editor says of a prompt. `kind` None: as it is, and a new one is no role."""

    name: str
    kind: PromptKind | None = None
    template: PromptTemplate
    defaults: Defaults = Defaults()
    output: OutputFormat = OutputFormat()
    description: str | None = None
    category: str | None = None
    tags: tuple[str, ...] = ()
    pii: frozenset[PiiRule] = frozenset()
    cache_ttl_s: int | None = None
    log_bodies: float | None = None
    tests: Suite = ()

    def said_of_it(self) -> dict[str, Any]:
        """What is no part of a version, by the names that `PromptMetadata` has for it."""
        names = ("name", "description", "category", "tags", "pii", "cache_ttl_s", "log_bodies")
        return {name: getattr(self, name) for name in names}


@dataclass(frozen=True, slots=True, kw_only=True)
class PromptDraft(PromptSpec):
    """A prompt as it is sent. `id` None: made from the name; `revision` None: whichever is there."""

    id: str | None = None
    commit_message: str | None = None
    revision: int | None = None
