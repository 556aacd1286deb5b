"""Rendering: what a query would send of a prompt or a role, and where each part of it comes from. Nobody is asked."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Final

from llm_gateway.domain.chat import ChatRequest
from llm_gateway.domain.model_table import O200K, ModelProfile
from llm_gateway.domain.prompts.choices import PromptChoice, SystemChoice
from llm_gateway.domain.prompts.prompts import PromptKind
from llm_gateway.domain.tokens import estimate
from llm_gateway.errors import ValidationFailed
from llm_gateway.services.prompts.composition import Composition, compose
from llm_gateway.services.prompts.contradictions import contradictions
from llm_gateway.services.prompts.reading import PromptBook
from llm_gateway.services.prompts.resolution import BASE, Resolver

if TYPE_CHECKING:
    from llm_gateway.ports.providers import TokenCounter

# Which model will be asked is not known here: the tokens are those of OpenAI's newer ones.
_SOME_MODEL: Final = ModelProfile(capabilities=frozenset(), tokenizer=O200K)


@dataclass(frozen=True, slots=True, kw_only=True)
class RenderWish:
    """Which version to fill with what: by its number, by a label, or as a query that names neither."""

    version: int | None = None
    label: str | None = None
    variables: Mapping[str, Any] = field(default_factory=dict)
    system: SystemChoice = field(default_factory=SystemChoice)


@dataclass(frozen=True, slots=True, kw_only=True)
class Rendered:
    """`tokens` is an estimate of what the messages and the system part take."""

    version: int
    composition: Composition
    tokens: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Renderer:
    book: PromptBook
    resolver: Resolver
    counter: "TokenCounter"

    def render(self, prompt_id: str, wish: RenderWish) -> Rendered:
        """Raises `PromptNotFound`, `PromptVersionNotFound`, `LabelNotFound`, `TemplateVariablesInvalid`."""
        if self.book.kind_of(prompt_id) is PromptKind.ROLE:
            version, composition = self._role(prompt_id, wish)
        else:
            version, composition = self._prompt(prompt_id, wish)
        request = ChatRequest(model="", messages=composition.messages, system=composition.system)
        tokens = estimate(request, _SOME_MODEL, self.counter.count).most
        return Rendered(version=version, composition=composition, tokens=tokens)

    def _prompt(self, prompt_id: str, wish: RenderWish) -> tuple[int, Composition]:
        choice = PromptChoice(id=prompt_id, version=wish.version, label=wish.label)
        resolved = self.resolver.resolve(choice, wish.system.roles, base=wish.system.base)
        if resolved.version is None:
            raise LookupError("a prompt that was found has a version")
        composition = compose(resolved, wish.variables, wish.system, field="variables")
        findings = contradictions(_texts(composition), resolved.version.output)
        return resolved.version.number, replace(composition, warnings=(*composition.warnings, *findings))

    def _role(self, role_id: str, wish: RenderWish) -> tuple[int, Composition]:
        """As a query that names the role; what fills it may be told in either place."""
        named = str(wish.version) if wish.version is not None else wish.label
        name = role_id if named is None else f"{role_id}@{named}"
        resolved = self.resolver.resolve(None, (name, *wish.system.roles), base=_base_of(role_id, wish.system.base))
        twice = wish.variables.keys() & wish.system.variables.keys()
        if twice:
            raise ValidationFailed.of(f"system.variables.{min(twice)[:100]}", "is in variables, too: give it once")
        system = replace(wish.system, variables={**wish.variables, **wish.system.variables})
        return resolved.roles[name].number, compose(resolved, {}, system)


def _texts(composition: Composition) -> list[tuple[str, str]]:
    """Each text that a model would be sent, by where it is from."""
    messages = [(f"messages[{index}]", message.text) for index, message in enumerate(composition.messages)]
    return [*((part.source, part.text) for part in composition.parts), *messages]


def _base_of(role_id: str, base: bool | None) -> bool | None:
    """The base role itself is not preceded by another version of itself."""
    return False if role_id == BASE and base is None else base
