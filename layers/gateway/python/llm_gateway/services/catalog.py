"""The catalog: by which names a key may ask, for clients that look that up before they ask."""

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Final

from llm_gateway.domain.keys import Caller
from llm_gateway.domain.prompts.prompts import PromptKind
from llm_gateway.domain.providers import ProviderConfig
from llm_gateway.domain.terms import Terms
from llm_gateway.errors import ModelNotListed, PromptNotFound
from llm_gateway.ports.prompts import PromptSearch

if TYPE_CHECKING:
    from llm_gateway.domain.prompts.prompts import PromptMetadata
    from llm_gateway.ports.providers import ProviderStore
    from llm_gateway.services.prompts.reading import PromptBook

_PROMPT: Final = "prompt:"
_PAGE: Final = 100
_MOST_PROMPTS: Final = 1_000
_LONGEST_VERSION: Final = 9


@dataclass(frozen=True, slots=True, kw_only=True)
class Listed:
    """A name to ask by, whose it is, and since when it is there; `provider` and `model` say which model it is, if it is one."""

    id: str
    owner: str
    created_at: datetime
    provider: "ProviderConfig | None" = None
    model: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelCatalog:
    """Models by `provider/model`, and by the bare name where one enabled provider lists it; prompts as `prompt:<id>`, and with
    each of their labels as `prompt:<id>@<label>`."""

    providers: "ProviderStore"
    prompts: "Callable[[], PromptBook]"

    def all(self, caller: Caller) -> tuple[Listed, ...]:
        """What the caller may ask. Of the prompts the first 1,000."""
        return (*self._models(caller), *self._prompts())

    def find(self, name: str, caller: Caller) -> Listed:
        """Raises `ModelNotListed`."""
        if name.startswith(_PROMPT):
            return self._prompt(name)
        found = next((one for one in self._models(caller) if one.id == name), None)
        if found is None:
            raise ModelNotListed.of("model", f"{name!r} is none that this key may ask: /v1/models lists them")
        return found

    def _models(self, caller: Caller) -> list[Listed]:
        terms = Terms.of(caller)
        own = [one for provider in self.providers.all() if provider.enabled for one in _of(provider)]
        lists = Counter(name for _, name in own)
        allowed = [(provider, name) for provider, name in own if terms.allows(provider.id, provider.model(name))]
        full = [_listed(provider, name, f"{provider.id}/{name}") for provider, name in allowed]
        return full + [_listed(provider, name, name) for provider, name in allowed if lists[name] == 1]

    def _prompts(self) -> Iterator[Listed]:
        search, cursor, left = PromptSearch(kind=PromptKind.PROMPT), None, _MOST_PROMPTS
        while left > 0:
            page = self.prompts().page(search, limit=_PAGE, cursor=cursor)
            for prompt in page.items:
                yield _named(prompt, None)
                yield from (_named(prompt, label) for label in sorted(prompt.labels))
            cursor, left = page.next_cursor, left - _PAGE
            if cursor is None:
                return

    def _prompt(self, name: str) -> Listed:
        prompt_id, at, which = name.removeprefix(_PROMPT).partition("@")
        try:
            prompt = self.prompts().get(prompt_id).metadata
        except PromptNotFound:
            raise ModelNotListed.of("model", f"there is no prompt {prompt_id!r}") from None
        if at and not _has(prompt, which):
            raise ModelNotListed.of("model", f"the prompt {prompt_id!r} has no label or version {which!r}")
        return _named(prompt, which or None)


_OWN: Final = "llm-gateway"


def _of(provider: ProviderConfig) -> Iterator[tuple[ProviderConfig, str]]:
    """The provider with each name that one of its models can be asked by."""
    for name in dict.fromkeys(_names(provider)):
        yield provider, name


def _names(provider: ProviderConfig) -> Sequence[str]:
    models = [name for model in provider.models for name in (model.name, *model.aliases)]
    return [provider.default_model, *models]


def _listed(provider: ProviderConfig, name: str, listed_id: str) -> Listed:
    return Listed(id=listed_id, owner=provider.id, created_at=provider.created_at, provider=provider, model=name)


def _named(prompt: "PromptMetadata", which: str | None) -> Listed:
    at = f"@{which}" if which else ""
    return Listed(id=f"{_PROMPT}{prompt.id}{at}", owner=_OWN, created_at=prompt.created_at)


def _has(prompt: "PromptMetadata", which: str) -> bool:
    """Whether `which` is a label or a version of the prompt."""
    if which == "latest" or which in prompt.labels:
        return True
    return which.isdecimal() and len(which) <= _LONGEST_VERSION and 0 < int(which) <= prompt.version
