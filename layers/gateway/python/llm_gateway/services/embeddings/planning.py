"""Planning: who can embed these texts, in calls of what size, and at what price. All candidates have the one model."""

from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal
from typing import Final

from llm_gateway.domain.chat import Usage
from llm_gateway.domain.embedding_models import embedding_profile
from llm_gateway.domain.embeddings import EmbeddingProfile, EmbeddingQuery
from llm_gateway.domain.faults import ProviderDisabled
from llm_gateway.domain.pii import PiiRule
from llm_gateway.domain.providers import ModelConfig, ProviderConfig
from llm_gateway.domain.queries import QueryRequest
from llm_gateway.domain.routing import Candidate, Draw, candidates
from llm_gateway.domain.tokens import TokenRange, by_bytes
from llm_gateway.errors import (
    ContextWindowExceeded,
    FieldError,
    GatewayError,
    ModelNotAllowed,
    NoProviderAvailable,
    PiiBlocked,
    ProviderNotFound,
    UnpricedModel,
    UnsupportedParameter,
    ValidationFailed,
)
from llm_gateway.ports.providers import Prices, ProviderStore
from llm_gateway.ports.system import Clock

MOST_TEXTS: Final = 2048


@dataclass(frozen=True, slots=True, kw_only=True)
class EmbeddingStep:
    """A candidate and what a call to it may hold. `upper_usd` is the most that all texts should cost; None: not known."""

    provider: ProviderConfig
    model: ModelConfig
    profile: EmbeddingProfile
    upper_usd: Decimal | None


@dataclass(frozen=True, slots=True, kw_only=True)
class EmbeddingPlan:
    """At least one step; `tokens` has the most that each text may take."""

    steps: tuple[EmbeddingStep, ...]
    tokens: tuple[int, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class EmbeddingPlanner:
    """Makes plans from the providers' book as it is now."""

    providers: ProviderStore
    prices: Prices
    clock: Clock
    draw: Draw

    def plan(self, asked: EmbeddingQuery) -> EmbeddingPlan:
        """Raises what `candidates` does, and the first candidate's error where none can take the texts: `ModelNotAllowed`,
        `PiiBlocked`, `ProviderDisabled`, `UnsupportedParameter`, `ContextWindowExceeded`, `UnpricedModel`."""
        if not set(asked.terms.pii).issubset(asked.pii):
            raise RuntimeError("texts are to be embedded without the policies that they are under")
        _check_texts(asked)
        ranges = [by_bytes(text) for text in asked.texts]
        steps, unfit = [], []
        for candidate in _of_one_model(self._candidates(asked)):
            try:
                steps.append(self._step(asked, candidate, ranges))
            except GatewayError as error:
                error.provider = candidate.provider.id
                unfit.append(error)
        if not steps:
            raise unfit[0]
        return EmbeddingPlan(steps=tuple(steps), tokens=tuple(size.most for size in ranges))

    def _candidates(self, asked: EmbeddingQuery) -> tuple[Candidate, ...]:
        request = QueryRequest(messages=(), model=asked.model, provider=asked.provider)
        try:
            return candidates(request, self.providers.all(), draw=self.draw)
        except (ProviderNotFound, NoProviderAvailable, ValidationFailed):
            # The book may be seconds old.
            return candidates(request, self.providers.all(fresh=True), draw=self.draw)

    def _step(self, asked: EmbeddingQuery, candidate: Candidate, ranges: list[TokenRange]) -> EmbeddingStep:
        provider, model = candidate.provider, candidate.model
        if not asked.terms.allows(provider.id, model):
            raise ModelNotAllowed(f"The key may not ask {provider.id!r} for {model.name!r}.")
        if PiiRule.LOCAL_ONLY in asked.pii and not provider.is_in_account:
            raise PiiBlocked(
                f"Words may go to providers inside the account alone, and {provider.id!r} is not one of them."
            )
        if not provider.enabled:
            raise ProviderDisabled("The provider is disabled.")
        profile = embedding_profile(provider.kind, model)
        if profile is None:
            raise _unsupported("model", f"{model.name} at {provider.id!r} makes no embeddings: ask for another model")
        if asked.dimensions is not None and not profile.can_shorten:
            raise _unsupported("dimensions", f"{model.name} has one length of vectors: leave it out")
        for field, message in _too_long(ranges, profile):
            raise ContextWindowExceeded(f"{field} {message}", errors=[FieldError(field, message)])
        return EmbeddingStep(
            provider=provider, model=model, profile=profile, upper_usd=self._upper_usd(asked, candidate, ranges)
        )

    def _upper_usd(self, asked: EmbeddingQuery, candidate: Candidate, ranges: list[TokenRange]) -> Decimal | None:
        """Asked under a budget alone: the table of prices costs time to load."""
        if asked.terms.budget is None:
            return None
        model = candidate.model
        price = self.prices.cost(
            candidate.provider.kind,
            model,
            answered_model=model.name,
            usage=Usage(input_tokens=sum(size.most for size in ranges)),
            at=self.clock.now(),
        )
        if price is None and not asked.terms.budget.allow_unpriced:
            raise UnpricedModel(
                f"The price of {model.name!r} at {candidate.provider.id!r} is not known, and the key has a budget: an operator"
                " can set the model's input price, or an administrator let the key ask models without one."
            )
        return price


def _check_texts(asked: EmbeddingQuery) -> None:
    if not 0 < len(asked.texts) <= MOST_TEXTS:
        raise ValidationFailed.of("input", f"must be 1 to {MOST_TEXTS} texts")
    for place, text in enumerate(asked.texts):
        if not text.strip():
            raise ValidationFailed.of(f"input[{place}]", "is empty: nothing can be made of it")


def _of_one_model(found: tuple[Candidate, ...]) -> list[Candidate]:
    """Those that have the model of the first by priority, whatever chance says: vectors of two models do not compare."""
    first = min(found, key=lambda candidate: (candidate.provider.priority, candidate.provider.id))
    return [candidate for candidate in found if candidate.model.name == first.model.name]


def _too_long(ranges: list[TokenRange], profile: EmbeddingProfile) -> Iterator[tuple[str, str]]:
    most = profile.most_tokens_a_text
    for place, size in enumerate(ranges):
        if most is not None and size.least > most:
            yield f"input[{place}]", f"has at least {size.least} tokens, and the model takes {most}: cut it up"


def _unsupported(field: str, reason: str) -> UnsupportedParameter:
    return UnsupportedParameter(f"{field}: {reason}.", errors=[FieldError(field, reason)])
