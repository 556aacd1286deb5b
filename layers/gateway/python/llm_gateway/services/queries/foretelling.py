"""Foretelling: which provider a query would be sent to, for how many tokens and how much money, without a call to anybody."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import TYPE_CHECKING, Literal

from llm_gateway.domain.call_prices import call_price, dearest
from llm_gateway.domain.capabilities import output_reserve
from llm_gateway.domain.chat import OutputFormat, Usage
from llm_gateway.domain.context.history import question_at
from llm_gateway.domain.queries import Attempt, Origin, QueryRequest
from llm_gateway.domain.query_context import ContextReport
from llm_gateway.domain.routing import Step, first_step
from llm_gateway.domain.terms import Terms
from llm_gateway.domain.tokens import estimate, message_tokens, tokens_of
from llm_gateway.domain.vendors import VENDORS
from llm_gateway.ports.providers import Prices, TokenCounter
from llm_gateway.ports.system import Clock
from llm_gateway.services.queries.entry import Entry
from llm_gateway.services.queries.planning import Planner

if TYPE_CHECKING:
    from llm_gateway.domain.prompts.choices import Choices


@dataclass(frozen=True, slots=True, kw_only=True)
class TokenParts:
    """The input tokens by what they are for, marks between them included; `total` is their sum."""

    system: int
    context: int
    history: int
    question: int
    tools: int
    total: int


@dataclass(frozen=True, slots=True, kw_only=True)
class CandidateForetold:
    """One who would be asked, or would be skipped, as `detail` says. Costs are None where the price is not known."""

    provider: str
    model: str
    outcome: Literal["ready", "skipped"]
    detail: str | None = None
    tokens: TokenParts | None = None
    estimated_usd: Decimal | None = None
    max_usd: Decimal | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Foretold:
    """The candidates in their order; `system` and `context` are as the first one that is ready would be sent them."""

    candidates: tuple[CandidateForetold, ...]
    origin: Origin
    system: str | None
    context: ContextReport | None
    warnings: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Foreteller:
    """Plans queries that are not asked."""

    planner: Planner
    entry: Entry
    counter: TokenCounter
    prices: Prices
    clock: Clock

    def foretell(
        self, request: QueryRequest, terms: Terms, choices: "Choices | None" = None, *, key_id: str
    ) -> Foretold:
        """Raises what `Entry.admit` and `Planner.plan` do: such a query would be refused."""
        entered = self.entry.admit(request, choices, terms, key_id=key_id)
        request = request if entered is None else entered.request
        plan = self.planner.plan(request, terms, asks_to_count=False)
        first = first_step(plan)
        told = tuple(self._ready(place) if isinstance(place, Step) else _skipped(place) for place in plan)
        return Foretold(
            candidates=told,
            origin=request.origin or Origin(),
            system=first.chat.system,
            context=first.context,
            warnings=tuple(_warnings(request, first)),
        )

    def _ready(self, step: Step) -> CandidateForetold:
        candidate, at = step.candidate, self.clock.now()

        def cost(usage: Usage) -> Decimal | None:
            kind, model = candidate.provider.kind, candidate.model
            return self.prices.cost(kind, model, answered_model=model.name, usage=usage, at=at)

        count, profile = self.counter.count, candidate.profile
        output_tokens = output_reserve(step.chat.parameters, profile)
        unasked = VENDORS[candidate.provider.kind].caches_unasked
        price = call_price(
            step.chat,
            profile,
            count,
            cost,
            output_tokens=output_tokens,
            budget_usd=Decimal(0),
            caches_unasked=unasked,
        )
        return CandidateForetold(
            provider=candidate.provider.id,
            model=candidate.model.name,
            outcome="ready",
            tokens=self._parts(step),
            estimated_usd=price.upper_usd if price else None,
            max_usd=dearest(step.chat, profile, count, cost, caches_unasked=unasked),
        )

    def _parts(self, step: Step) -> TokenParts:
        chat, profile, count = step.chat, step.candidate.profile, self.counter.count
        total = estimate(chat, profile, count).most
        tools = total - estimate(replace(chat, tools=(), output=OutputFormat()), profile, count).most
        context = step.context.tokens if step.context else 0
        system = max(0, tokens_of(chat.system, profile, count).most - context) if chat.system else 0
        before = chat.messages[: question_at(chat.messages)]
        history = sum(message_tokens(message, profile, count) for message in before)
        question = total - tools - context - system - history
        return TokenParts(system=system, context=context, history=history, question=question, tools=tools, total=total)


def _skipped(attempt: Attempt) -> CandidateForetold:
    return CandidateForetold(
        provider=attempt.provider, model=attempt.model, outcome="skipped", detail=attempt.detail or attempt.error_code
    )


def _warnings(request: QueryRequest, first: Step) -> Iterator[str]:
    yield from request.notes
    if request.origin:
        yield from request.origin.warnings
    yield from first.warnings
    if first.context:
        yield from first.context.warnings
    if request.context and request.context.exact:
        yield "context.exact: a plan asks no provider to count; the query itself may be sent a little more or less."
