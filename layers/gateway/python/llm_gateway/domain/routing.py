"""Routing: which providers may answer a query, with which model, in what order, and what each would be asked."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace

from llm_gateway.domain.capabilities import capabilities_of
from llm_gateway.domain.chat import ChatRequest, OutputFormat
from llm_gateway.domain.model_table import ModelProfile
from llm_gateway.domain.providers import ModelConfig, ProviderConfig
from llm_gateway.domain.queries import Attempt, AttemptOutcome, QueryRequest
from llm_gateway.errors import GatewayError, NoProviderAvailable, ProviderNotFound, ValidationFailed

Draw = Callable[[], float]
"""A random number in [0, 1)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Candidate:
    """A provider that may answer, the model it would be asked, and what that can take; `named` by the caller, or chosen.

    A `spare` one is asked in the place of the one before it where that cannot be called at all, and not where its call failed.
    """

    provider: ProviderConfig
    model: ModelConfig
    profile: ModelProfile
    named: bool = False
    spare: bool = False

    def skipped(self, error: GatewayError) -> Attempt:
        """The attempt that tells why the candidate was not called."""
        outcome = AttemptOutcome.SKIPPED
        return Attempt(provider=self.provider.id, model=self.model.name, outcome=outcome, error_code=error.code)


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """A candidate, what it would be asked, and the form its answer must have.

    `tokens` are to be reserved under its limit. One that `streams` answers in pieces, the others whole.
    """

    candidate: Candidate
    chat: ChatRequest
    output: OutputFormat
    tokens: int
    streams: bool = False


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

    A named provider comes first, or else one that is chosen by priority: the best that can be called. Then follows `fallback`
    in its own order or, where it is absent, all others by priority.
    """
    book = {provider.id: provider for provider in providers}
    first = _named(request, book)
    chosen = [first] if first else _by_priority(request.model, providers, draw=draw)
    if request.fallback is not None:
        spares = [replace(candidate, spare=True) for candidate in chosen[1:]]
        found = _each_once([*chosen[:1], *spares, *(_fallback(entry, book) for entry in request.fallback)])
    elif first:
        others = [provider for provider in providers if provider.id != first.provider.id]
        preferred = first.model.name if request.model else None
        found = (first, *_by_priority(None, others, draw=draw, preferring=preferred))
    else:
        found = tuple(chosen)
    if not found:
        raise NoProviderAvailable("No provider is enabled: an operator can register or enable one.", retry_after_s=60)
    return found


def _named(request: QueryRequest, book: dict[str, ProviderConfig]) -> Candidate | None:
    if request.provider is not None:
        provider = _known(request.provider, book)
        prefix = f"{provider.id}/"
        return _candidate(provider, request.model.removeprefix(prefix) if request.model else None, named=True)
    segment, _, model = (request.model or "").partition("/")
    return _candidate(book[segment], model or None, named=True) if segment in book else None


def _fallback(entry: str, book: dict[str, ProviderConfig]) -> Candidate:
    provider_id, _, model = entry.partition("/")
    return _candidate(_known(provider_id, book), model or None)


def _by_priority(
    model: str | None, providers: Iterable[ProviderConfig], *, draw: Draw, preferring: str | None = None
) -> list[Candidate]:
    enabled = [provider for provider in providers if provider.enabled]
    able = [provider for provider in enabled if model is None or provider.lists(model)]
    if enabled and not able:
        raise ValidationFailed.of(
            "model", f"no enabled provider lists {model!r}: name one as provider, or ask for another model"
        )
    # Of equals, the one that draws the larger u^(1/weight) goes first: chances in proportion to the weights.
    ordered = sorted(able, key=lambda provider: (provider.priority, -(draw() ** (1 / provider.weight))))
    wanted = model or preferring
    return [_candidate(provider, wanted if wanted and provider.lists(wanted) else None) for provider in ordered]


def _candidate(provider: ProviderConfig, model_name: str | None, *, named: bool = False) -> Candidate:
    model = provider.model(model_name or provider.default_model)
    return Candidate(provider=provider, model=model, profile=capabilities_of(provider.kind, model), named=named)


def _known(provider_id: str, book: dict[str, ProviderConfig]) -> ProviderConfig:
    if provider_id not in book:
        raise ProviderNotFound(provider_id)
    return book[provider_id]


def _each_once(found: Iterable[Candidate]) -> tuple[Candidate, ...]:
    """A spare one may come again as a fallback: whether it is asked in the first place shows only then."""
    first: dict[tuple[str, str, bool], Candidate] = {}
    for candidate in found:
        first.setdefault((candidate.provider.id, candidate.model.name, candidate.spare), candidate)
    return tuple(first.values())
