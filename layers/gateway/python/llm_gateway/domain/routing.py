"""Routing: which providers may answer a query, with which model, in what order, and what each would be asked."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Final

from llm_gateway.domain.call_prices import CallPrice
from llm_gateway.domain.capabilities import capabilities_of
from llm_gateway.domain.chat import ChatRequest, OutputFormat
from llm_gateway.domain.faults import told
from llm_gateway.domain.model_table import ModelProfile
from llm_gateway.domain.providers import ModelConfig, ProviderConfig
from llm_gateway.domain.queries import Attempt, AttemptOutcome, QueryRequest
from llm_gateway.domain.query_context import ContextReport
from llm_gateway.errors import GatewayError, ModelNotListed, NoProviderAvailable, ProviderNotFound, listed
from llm_gateway.values import dataclass

Draw = Callable[[], float]
"""A random number in [0, 1)."""

EVERYBODY: Final = "*"
"""The entry of `fallback` that stands for all others that are enabled."""

Book = Mapping[str, ProviderConfig]
"""Providers by their ids."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Candidate:
    """A provider that may answer, the model it would be asked, and what that can take; `named` by the caller, or chosen.

    A `spare` one is asked in the place of the one before it where that cannot be called at all, and not where its call failed.
    An `awaited` one is there because the caller listed fallbacks.
    """

    provider: ProviderConfig
    model: ModelConfig
    profile: ModelProfile
    named: bool = False
    spare: bool = False
    awaited: bool = False

    def skipped(self, error: GatewayError) -> Attempt:
        """The attempt that tells why the candidate was not called."""
        return Attempt(
            provider=self.provider.id,
            model=self.model.name,
            outcome=AttemptOutcome.SKIPPED,
            error_code=error.code,
            detail=told(error),
            cause=error.detail,
            upstream_status=error.upstream_status,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """A candidate, what it would be asked, and the form its answer must have.

    `tokens` are to be reserved under its limit, `key_tokens` under that of the key that asks. `price` is there under a budget,
    where it is known. One that `streams` answers in pieces, the others whole. `context` tells what is sent of a query's context,
    `warnings` what of the query is left out.
    """

    candidate: Candidate
    chat: ChatRequest
    output: OutputFormat
    tokens: int
    streams: bool = False
    key_tokens: int = 0
    price: CallPrice | None = None
    context: ContextReport | None = None
    warnings: tuple[str, ...] = ()


Plan = tuple[Step | Attempt, ...]
"""Steps in their order; where a candidate was passed over, the attempt that says so."""


def first_step(plan: Plan) -> Step:
    """The step of the candidate that is asked first."""
    for step in plan:
        if isinstance(step, Step):
            return step
    raise ValueError("a plan has a step")


def candidates(request: QueryRequest, providers: Sequence[ProviderConfig], *, draw: Draw) -> tuple[Candidate, ...]:
    """Who is asked first, who next. Raises `ProviderNotFound` for a name that is none, `NoProviderAvailable` where nobody is.

    A query that names a provider is asked there and nowhere else, one that names a model alone at all that list it, and one
    that names neither at all that are enabled, by priority. `fallback` says who follows in their place: those it lists, in its
    order, where `*` stands for all others; nobody where it is empty. Of several that a query without a named provider
    may be asked at, it then takes the best that can be called.
    """
    book = {provider.id: provider for provider in providers}
    named = _named(request, book)
    chosen = [named] if named else _by_priority(request.model, providers, draw=draw)
    if request.fallback is not None:
        is_open = request.fallback[:1] == (EVERYBODY,)
        rest = [candidate if is_open else replace(candidate, spare=True) for candidate in chosen[1:]]
        chosen = [*chosen[:1], *rest]
        model = named.model.name if named and request.model else request.model
        for entry in request.fallback:
            others = _rest(model, book, chosen, draw=draw) if entry == EVERYBODY else [_fallback(entry, book)]
            chosen += [replace(other, awaited=True) for other in others]
    if not chosen:
        raise NoProviderAvailable("No provider is enabled: an operator can register or enable one.", retry_after_s=60)
    return tuple(chosen) if request.fallback is None else _each_once(chosen)


def _named(request: QueryRequest, book: Book) -> Candidate | None:
    if request.provider is not None:
        provider = _known(request.provider, book)
        prefix = f"{provider.id}/"
        return _candidate(provider, request.model.removeprefix(prefix) if request.model else None, named=True)
    segment, _, model = (request.model or "").partition("/")
    return _candidate(book[segment], model or None, named=True) if segment in book else None


def _fallback(entry: str, book: Book) -> Candidate:
    provider_id, _, model = entry.partition("/")
    return _candidate(_known(provider_id, book), model or None)


def _rest(model: str | None, book: Book, chosen: Iterable[Candidate], *, draw: Draw) -> list[Candidate]:
    """All providers that none of `chosen` is of, asked for `model` where they list it, else for their own default."""
    taken = {candidate.provider.id for candidate in chosen if not candidate.spare}
    rest = [provider for provider in book.values() if provider.enabled and provider.id not in taken]
    return [
        _candidate(provider, model if model and provider.lists(model) else None) for provider in _in_order(rest, draw)
    ]


def _by_priority(model: str | None, providers: Sequence[ProviderConfig], *, draw: Draw) -> list[Candidate]:
    enabled = [provider for provider in providers if provider.enabled]
    able = [provider for provider in enabled if model is None or provider.lists(model)]
    if enabled and not able:
        ids = listed([provider.id for provider in enabled])
        message = (
            f"no enabled provider lists {model!r}: name the provider too, as provider or as <provider>/<model> ({ids})"
        )
        raise ModelNotListed.of("model", message)
    return [_candidate(provider, model) for provider in _in_order(able, draw)]


def _in_order(providers: Iterable[ProviderConfig], draw: Draw) -> list[ProviderConfig]:
    """By priority. Of equals, the one that draws the larger u^(1/weight) goes first: chances in proportion to the weights."""
    return sorted(providers, key=lambda provider: (provider.priority, -(draw() ** (1 / provider.weight))))


def _candidate(provider: ProviderConfig, model_name: str | None, *, named: bool = False) -> Candidate:
    model = provider.model(model_name or provider.default_model)
    return Candidate(
        provider=provider, model=model, profile=capabilities_of(provider.kind, model, provider.api), named=named
    )


def _known(provider_id: str, book: Book) -> ProviderConfig:
    if provider_id not in book:
        raise ProviderNotFound(provider_id, known=tuple(book))
    return book[provider_id]


def _each_once(found: Iterable[Candidate]) -> tuple[Candidate, ...]:
    """A spare one may come again as a fallback: whether it is asked in the first place shows only then."""
    first: dict[tuple[str, str, bool], Candidate] = {}
    for candidate in found:
        first.setdefault((candidate.provider.id, candidate.model.name, candidate.spare), candidate)
    return tuple(first.values())
