"""Planning: which candidates to ask, in what order, and what to send each. Candidates that cannot take the query are left out."""

import random
from collections.abc import Callable
from dataclasses import replace
from decimal import Decimal
from typing import TYPE_CHECKING, Final

from llm_gateway.domain.addresses import fault_in_image_url
from llm_gateway.domain.call_prices import CallPrice, call_price
from llm_gateway.domain.capabilities import adapted
from llm_gateway.domain.chat import ChatRequest, ImagePart, JsonObject, Message, Usage
from llm_gateway.domain.faults import ProviderDisabled
from llm_gateway.domain.keys import Budget
from llm_gateway.domain.providers import Api, Capability
from llm_gateway.domain.queries import Attempt, QueryRequest
from llm_gateway.domain.routing import Candidate, Draw, Plan, Step, candidates
from llm_gateway.domain.terms import FREE, Terms
from llm_gateway.domain.tokens import reservation
from llm_gateway.domain.vendors import VENDORS
from llm_gateway.errors import (
    ContextWindowExceeded,
    GatewayError,
    ModelNotAllowed,
    NoProviderAvailable,
    PiiBlocked,
    ProviderNotFound,
    UnpricedModel,
    UnsupportedParameter,
    ValidationFailed,
)
from llm_gateway.ports.providers import Prices, ProviderStore, TokenCounter
from llm_gateway.ports.system import Clock
from llm_gateway.services.output.schemas import check_schema
from llm_gateway.services.output.structured import in_words
from llm_gateway.services.queries.verdict import nobody_fits
from llm_gateway.values import dataclass

_NO_OPTIONS: Final[JsonObject] = {}
if TYPE_CHECKING:
    from llm_gateway.domain.query_context import ContextWish
    from llm_gateway.services.context.assembling import Assembler, Prepared
    from llm_gateway.services.context.embedding import Asker as ContextAsker
    from llm_gateway.services.context.embedding import KeptVectors
    from llm_gateway.services.context.provider_counts import ProviderCounts
    from llm_gateway.services.queries.progress import Deadline

_PASSED_OVER: Final = (
    UnsupportedParameter,
    ContextWindowExceeded,
    ModelNotAllowed,
    UnpricedModel,
    ProviderDisabled,
    PiiBlocked,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Planner:
    """Makes plans from the providers' book as it is now."""

    providers: ProviderStore
    counter: TokenCounter
    prices: Prices
    clock: Clock
    private_addresses_allowed: bool
    # Only a query with a context needs them, and imports them.
    assembler: "Callable[[], Assembler]"
    provider_counts: "Callable[[], ProviderCounts]"
    vectors: "Callable[[], KeptVectors]"
    draw: Draw = random.random

    def plan(
        self,
        request: QueryRequest,
        terms: Terms = FREE,
        *,
        asks_to_count: bool = True,
        embeds_for: "ContextAsker | None" = None,
    ) -> Plan:
        """At least one step.

        A context that is to be counted by its provider is so for the first step, where it `asks_to_count`. One that is ranked by
        embeddings is so on the account that it `embeds_for`, and without one by its words.

        Raises what `candidates` does; `UnsupportedParameter` where the named candidate, or everyone,
        cannot take the request; `ContextWindowExceeded` where it fits nobody; `ModelNotAllowed` where the `terms` of the key
        that asks leave out the named candidate, or everyone; `UnpricedModel` where nobody has a price and its budget wants one;
        `NoProviderAvailable` where everyone is disabled; `PiiBlocked` where words must stay in the account, and the named
        candidate, or everyone, is outside it.
        """
        if terms.pii or request.origin is not None:
            _check_covered(request, terms)
        if request.output.schema is not None:
            check_schema(request.output.schema)
        if not self.private_addresses_allowed:
            _check_images(request.messages)
        plan: list[Step | Attempt] = []
        unfit: list[GatewayError] = []
        context = self._context(request, request.context, embeds_for) if request.context else None
        for candidate in self._candidates(request):
            counts = asks_to_count and len(plan) == len(unfit)
            try:
                plan.append(self._step(request, candidate, terms, context, asks_to_count=counts))
            except _PASSED_OVER as error:
                if candidate.named and isinstance(error, UnsupportedParameter | ModelNotAllowed | PiiBlocked):
                    raise
                error.provider = candidate.provider.id
                unfit.append(error)
                plan.append(candidate.skipped(error))
        if len(unfit) == len(plan):
            raise nobody_fits(unfit, [place for place in plan if isinstance(place, Attempt)])
        return tuple(plan)

    def _context(self, request: QueryRequest, wish: "ContextWish", embeds_for: "ContextAsker | None") -> "Prepared":
        embed = None
        if wish.embedding_model is not None and embeds_for is not None:
            embed = self.vectors().of(wish.embedding_model, embeds_for)
        return self.assembler().prepare(request, wish, embed=embed)

    def _candidates(self, request: QueryRequest) -> tuple[Candidate, ...]:
        try:
            return candidates(request, self.providers.all(), draw=self.draw)
        except (ProviderNotFound, NoProviderAvailable, ValidationFailed):
            # The book may be seconds old: another process may have accepted the query for a provider that was just registered.
            return candidates(request, self.providers.all(fresh=True), draw=self.draw)

    def _step(
        self,
        request: QueryRequest,
        candidate: Candidate,
        terms: Terms,
        context: "Prepared | None",
        *,
        asks_to_count: bool,
    ) -> Step:
        """Raises `ModelNotAllowed`, `PiiBlocked`, `ProviderDisabled`, `UnsupportedParameter`, `ContextWindowExceeded`,
        and `UnpricedModel`."""
        provider, profile = candidate.provider, candidate.profile
        if not terms.allows(provider.id, candidate.model):
            raise ModelNotAllowed(f"The key may not ask {provider.id!r} for {candidate.model.name!r}.")
        if request.privacy is not None and request.privacy.stays_in_account and not provider.is_in_account:
            raise outside_the_account(provider.id)
        if not provider.enabled:
            raise ProviderDisabled("The provider is disabled.")
        if request.kinds_for:
            _check_kind(request, candidate)
        chat, left_out = _readable(_chat(request, candidate), candidate)
        if profile.thinking == "budget" and chat.parameters.reasoning_effort is not None:
            from llm_gateway.services.queries.thoughts import thinkable

            chat, unthought = thinkable(chat, candidate)
            left_out += unthought
        if request.origin is not None and request.origin.wishes:
            chat, beyond = _with_wishes(chat, candidate, request.origin.wishes)
            left_out += beyond
        chat, output_tokens = adapted(chat, profile)
        told = None
        if context is not None:
            exactly = self.provider_counts().of(candidate) if asks_to_count and context.wish.exact else None
            fitted = context.fit(chat, profile, output_tokens=output_tokens, exactly=exactly)
            chat, told = fitted.chat, fitted.report
        # What was counted to fit a context need not be counted again.
        count = self.counter.count if context is None else context.assembler.counts.count
        per_minute = provider.limits.tokens_per_minute
        tokens = reservation(chat, profile, count, output_tokens=output_tokens, per_minute=per_minute)
        step = Step(
            candidate=candidate,
            chat=chat,
            output=request.output,
            tokens=tokens,
            streams=request.mode == "stream",
            context=told,
            warnings=left_out,
        )
        limit, budget = terms.limits.tokens_per_minute, terms.budget
        if limit is None and budget is None:
            return step
        key_tokens = reservation(chat, profile, count, output_tokens=output_tokens, per_minute=limit)
        price = self._price(step, budget, output_tokens=output_tokens) if budget else None
        return replace(step, key_tokens=key_tokens, price=price)

    def _price(self, step: Step, budget: Budget, *, output_tokens: int) -> CallPrice | None:
        """What the call may cost. Raises `UnpricedModel` where nobody knows, and the budget wants to."""
        candidate, at = step.candidate, self.clock.now()

        def cost(usage: Usage) -> Decimal | None:
            return self.prices.cost(
                candidate.provider.kind, candidate.model, answered_model=candidate.model.name, usage=usage, at=at
            )

        price = call_price(
            step.chat,
            candidate.profile,
            self.counter.count,
            cost,
            output_tokens=output_tokens,
            budget_usd=budget.amount,
            caches_unasked=VENDORS[candidate.provider.kind].caches_unasked,
        )
        if price is None and not budget.allow_unpriced:
            raise UnpricedModel(
                f"The price of {candidate.model.name!r} at {candidate.provider.id!r} is not known, and the key has a budget:"
                " an operator can set the model's prices, or an administrator let the key ask models without one."
            )
        return price


def _check_covered(request: QueryRequest, terms: Terms) -> None:
    """Raises RuntimeError where a request came another way than by `Entry`: whatever would ask it must not."""
    owed = {*terms.pii, *(request.origin.pii if request.origin else ())}
    if owed and (request.privacy is None or not owed.issubset(request.privacy.rules)):
        raise RuntimeError("a request is to be planned without the policies that it is under")


def outside_the_account(provider_id: str) -> PiiBlocked:
    return PiiBlocked(
        f"The key or the prompt lets words go to providers inside the account alone, and {provider_id!r} is not one of them."
    )


def asker_of(request: QueryRequest, *, owner: str, terms: Terms, deadline: "Deadline") -> "ContextAsker | None":
    """On whose account the request's context is ranked by embeddings; None where it is not."""
    if request.context is None or request.context.embedding_model is None:
        return None
    from llm_gateway.services.context.embedding import Asker as ContextAsker

    return ContextAsker(
        owner=owner,
        terms=terms,
        ends_s=deadline.ends_s,
        timeout_s=deadline.timeout_s,
        cancelled=deadline.cancelled,
        pii=request.privacy.rules if request.privacy else (),
    )


def _check_images(messages: tuple[Message, ...]) -> None:
    """Raises `ValidationFailed` for an image at a private address, from which a provider would load it."""
    for index, message in enumerate(messages):
        for place, part in enumerate(message.content):
            if isinstance(part, ImagePart) and part.url.startswith("https:"):
                fault = fault_in_image_url(part.url, private_allowed=False)
                if fault:
                    raise ValidationFailed.of(f"messages[{index}].content[{place}].image_url.url", fault)


def _check_kind(request: QueryRequest, candidate: Candidate) -> None:
    """Raises `UnsupportedParameter` for a parameter that the candidate's kind of provider does not have."""
    for parameter, kinds in request.kinds_for.items():
        if candidate.provider.kind not in kinds:
            raise UnsupportedParameter.of(parameter, f"{candidate.provider.id!r} has no such parameter: leave it out")


def _with_wishes(
    chat: ChatRequest, candidate: Candidate, wishes: tuple[str, ...]
) -> tuple[ChatRequest, tuple[str, ...]]:
    """`chat` without what its prompt wishes for and the candidate cannot take, and a warning for each."""
    from llm_gateway.services.queries.wishes import within_reach

    chat, left_out = within_reach(chat, wishes, candidate.profile)
    who = f"{candidate.provider.id}/{candidate.model.name}"
    return chat, tuple(f"The prompt's {wish} was left out: {who} cannot take it." for wish in left_out)


def _readable(chat: ChatRequest, candidate: Candidate) -> tuple[ChatRequest, tuple[str, ...]]:
    """`chat` without the reasoning that the candidate cannot read, and the warning that says so, where there was any."""
    reads, foreign = candidate.profile.thoughts, set[str]()
    for message in chat.messages:
        if message.reasoning:
            foreign.update(item.vendor for item in message.reasoning if item.vendor != reads)
    if not foreign:
        return chat, ()
    messages = tuple(
        replace(message, reasoning=tuple(item for item in message.reasoning if item.vendor == reads))
        for message in chat.messages
    )
    whose = " and ".join(sorted(foreign))
    warning = f"The reasoning of {whose} in messages was left out: {candidate.provider.id} cannot read it."
    return replace(chat, messages=messages), (warning,)


def _chat(request: QueryRequest, candidate: Candidate) -> ChatRequest:
    """What `candidate` is to be asked for `request`; a form that it has no field for is asked for in words."""
    chat = ChatRequest(
        model=candidate.model.name,
        messages=request.messages,
        system=request.system,
        tools=request.tools,
        tool_choice=request.tool_choice,
        parallel_tool_calls=request.parallel_tool_calls,
        output=request.output,
        parameters=request.parameters,
        vendor=request.vendor.get(candidate.provider.kind, _NO_OPTIONS) if request.vendor else _NO_OPTIONS,
        by_responses=candidate.profile.api is Api.RESPONSES,
    )
    wanted = {"json": Capability.JSON, "json_schema": Capability.JSON_SCHEMA}.get(request.output.type)
    return chat if wanted is None or wanted in candidate.profile.capabilities else in_words(chat)
