"""Resolution: what a query names, found. Labels become versions here, and nowhere else."""

from collections import ChainMap
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from llm_gateway.domain.pii import PiiRule
from llm_gateway.domain.prompts.choices import PromptChoice
from llm_gateway.domain.prompts.labels import RoleName, pick
from llm_gateway.domain.prompts.prompts import (
    LATEST,
    PRODUCTION,
    OpenPrompt,
    PromptKind,
    PromptMetadata,
    PromptVersion,
)
from llm_gateway.errors import LabelNotFound, PromptNotFound, PromptVersionNotFound, ValidationFailed
from llm_gateway.ports.prompts import PromptReader

BASE: Final = "base"
"""The role that comes along wherever another is named."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Resolved:
    """The prompt and its version, None where none was named; and each role's version, by the name that it was called by.

    `label` is the one that led to the prompt's version, None where its number was named or it is the newest.
    `pii` is what any of them asks to be done with personal data.
    """

    metadata: PromptMetadata | None = None
    version: PromptVersion | None = None
    label: str | None = None
    roles: Mapping[str, PromptVersion] = field(default_factory=dict)
    pii: frozenset[PiiRule] = frozenset()


@dataclass(frozen=True, slots=True, kw_only=True)
class Resolver:
    """`shipped` are the roles that come with the gateway, by id: a stored one takes the place of its namesake."""

    reader: PromptReader
    shipped: Callable[[], Mapping[str, OpenPrompt]]
    draw: Callable[[], float]

    def resolve(self, choice: PromptChoice | None, roles: Sequence[str] = (), *, base: bool | None = None) -> Resolved:
        """The prompt's version, with its roles, those of `roles`, and the base role: where there is another (None), or as told.

        One round trip where nothing is at hand, none where everything is. Raises `PromptNotFound`, `PromptVersionNotFound`,
        `LabelNotFound`; `ValidationFailed` for a role in the place of a prompt.
        """
        asked_version = choice.version if choice else None
        wants_roles = bool(roles) or base is True
        opening = self.reader.open(choice.id if choice else None, version=asked_version, roles=wants_roles)
        draw, version = self.draw(), None
        if choice is not None:
            version = self._prompt(opening.prompt, choice, draw)
        names = dict.fromkeys([*(version.template.roles if version else ()), *roles])
        if base is True or (names and base is None):
            names = {BASE: None, **names}
        # Those that ship are looked at where a role is named: a query that names none does not import them.
        known: Mapping[str, OpenPrompt] = ChainMap({**opening.roles}, self.shipped()) if names else {}  # type: ignore[arg-type]
        sticky_key = choice.sticky_key if choice else None
        return Resolved(
            metadata=opening.prompt.metadata if opening.prompt else None,
            version=version,
            label=_label_of(opening.prompt.metadata, choice) if opening.prompt and choice else None,
            roles={name: self._role(known, name, sticky_key, draw) for name in names},
            pii=frozenset().union(
                opening.prompt.metadata.pii if opening.prompt else (),
                *(known[RoleName.of(name).id].metadata.pii for name in names),
            ),
        )

    def _prompt(self, found: OpenPrompt | None, choice: PromptChoice, draw: float) -> PromptVersion:
        if found is None:
            if choice.id not in self.shipped():
                raise PromptNotFound(choice.id)
        elif found.metadata.kind is PromptKind.PROMPT:
            number = number_of(
                found.metadata, version=choice.version, label=choice.label, sticky_key=choice.sticky_key, draw=draw
            )
            return self._version(found, number)
        raise ValidationFailed.of("prompt.id", f"{choice.id!r} is a role: name it in system.roles")

    def _role(self, known: Mapping[str, OpenPrompt], name: str, sticky_key: str | None, draw: float) -> PromptVersion:
        named = RoleName.of(name)
        if named.id not in known:
            raise PromptNotFound(named.id)
        found = known[named.id]
        number = number_of(found.metadata, version=named.version, label=named.label, sticky_key=sticky_key, draw=draw)
        return self._version(found, number)

    def _version(self, found: OpenPrompt, number: int) -> PromptVersion:
        prompt_id = found.metadata.id
        version = found.versions.get(number)
        # One that is named by its number, or whose label moved a moment ago.
        if version is None and not found.metadata.built_in:
            version = self.reader.version(prompt_id, number)
        if version is None:
            raise PromptVersionNotFound(prompt_id, number)
        return version


def number_of(
    metadata: PromptMetadata, *, version: int | None, label: str | None, sticky_key: str | None, draw: float
) -> int:
    """The number of the version that is meant: `version`; else that of `label`; else `production` if it is set, or `latest`.

    Raises `LabelNotFound`. Whether there is a `version`, nobody has looked.
    """
    if version is not None:
        return version
    if label == LATEST:
        return metadata.version
    found = metadata.labels.get(PRODUCTION if label is None else label)
    if found is not None:
        # The same key falls differently in another prompt: else the same few would get every trial.
        return pick(found.versions, sticky_key=sticky_key and f"{metadata.id}/{sticky_key}", draw=draw)
    if label is not None:
        raise LabelNotFound(metadata.id, label)
    return metadata.version


def _label_of(metadata: PromptMetadata, choice: PromptChoice) -> str | None:
    label = PRODUCTION if choice.label is None else choice.label
    return label if choice.version is None and label in metadata.labels else None
