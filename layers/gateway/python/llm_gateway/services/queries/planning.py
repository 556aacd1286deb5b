"""Planning: who may be asked for a query, in what order, and what each would be sent; who cannot take it is passed over."""

import random
from dataclasses import dataclass, replace
from typing import Final

from llm_gateway.domain.addresses import fault_in_image_url
from llm_gateway.domain.capabilities import fits, output_limit, output_reserve, unsupported
from llm_gateway.domain.chat import ChatRequest, ImagePart, Message, OutputFormat
from llm_gateway.domain.faults import ProviderDisabled
from llm_gateway.domain.model_table import Quirk
from llm_gateway.domain.providers import Capability
from llm_gateway.domain.queries import Attempt, AttemptOutcome, QueryRequest
from llm_gateway.domain.routing import Candidate, Draw, candidates
from llm_gateway.domain.tokens import estimate, upper_bound
from llm_gateway.errors import (
    ContextWindowExceeded,
    FieldError,
    GatewayError,
    NoProviderAvailable,
    ProviderNotFound,
    UnsupportedParameter,
    ValidationFailed,
)
from llm_gateway.ports.providers import ProviderStore, TokenCounter
from llm_gateway.services.output.schemas import check_schema
from llm_gateway.services.output.structured import in_words

# A reservation this small a part of the limit may be a generous one: it is not worth loading a tokenizer for.
_SMALL_PART: Final = 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """A candidate, what it would be asked, and the form its answer must have; `tokens` are to be reserved under its limit."""

    candidate: Candidate
    chat: ChatRequest
    output: OutputFormat
    tokens: int


Plan = tuple[Step | Attempt, ...]
"""Steps in their order; where a candidate was passed over, the attempt that says so."""


def first_step(plan: Plan) -> Step:
    """Whoever is to be asked first."""
    return next(step for step in plan if isinstance(step, Step))


@dataclass(frozen=True, slots=True, kw_only=True)
class Planner:
    """Makes plans from the providers' book as it is now."""

    providers: ProviderStore
    counter: TokenCounter
    private_addresses_allowed: bool
    draw: Draw = random.random

    def plan(self, request: QueryRequest) -> Plan:
        """At least one step. Raises what `candidates` does; `UnsupportedParameter` or `ContextWindowExceeded` where the named
        candidate, or everyone, cannot take the request; `NoProviderAvailable` where everyone is disabled."""
        if request.output.schema is not None:
            check_schema(request.output.schema)
        if not self.private_addresses_allowed:
            _check_images(request.messages)
        plan: list[Step | Attempt] = []
        unfit: list[GatewayError] = []
        for candidate in self._candidates(request):
            try:
                plan.append(self._step(request, candidate))
            except (UnsupportedParameter, ContextWindowExceeded, ProviderDisabled) as error:
                if candidate.named and not isinstance(error, ProviderDisabled):
                    raise
                unfit.append(error)
                plan.append(_skipped(candidate, error))
        if len(unfit) == len(plan):
            raise _nobody(unfit)
        return tuple(plan)

    def _candidates(self, request: QueryRequest) -> tuple[Candidate, ...]:
        try:
            return candidates(request, self.providers.all(), draw=self.draw)
        except (ProviderNotFound, NoProviderAvailable, ValidationFailed):
            # The book may be seconds old: whoever accepted the query may have known of a provider that was just registered.
            return candidates(request, self.providers.all(fresh=True), draw=self.draw)

    def _step(self, request: QueryRequest, candidate: Candidate) -> Step:
        if not candidate.provider.enabled:
            raise ProviderDisabled(f"The provider {candidate.provider.id!r} is disabled.")
        chat = chat_request(request, candidate)
        errors = [_refused(field, candidate) for field in unsupported(chat, candidate.profile)]
        if errors:
            raise UnsupportedParameter("; ".join(f"{error.field}: {error.message}" for error in errors), errors=errors)
        return Step(candidate=candidate, chat=chat, output=request.output, tokens=self._room(chat, candidate))

    def _room(self, chat: ChatRequest, candidate: Candidate) -> int:
        """The tokens to reserve; none where nothing limits them. Raises `ContextWindowExceeded`."""
        profile, bound = candidate.profile, upper_bound(chat, candidate.profile)
        wanted, reserve = chat.parameters.max_output_tokens or 1, output_reserve(chat.parameters, candidate.profile)
        if not fits(bound, wanted, profile):
            least = estimate(chat, profile, self.counter.count).least
            if not fits(least, wanted, profile):
                detail = f"{candidate.model.name} has no room for at least {least} tokens and {wanted} of the answer."
                raise ContextWindowExceeded(
                    detail, errors=[FieldError("messages", "are longer than the model's window")]
                )
        per_minute = candidate.provider.limits.tokens_per_minute
        if per_minute is None:
            return 0
        if (bound + reserve) * _SMALL_PART <= per_minute:
            return bound + reserve
        return estimate(chat, profile, self.counter.count).most + reserve


def _check_images(messages: tuple[Message, ...]) -> None:
    """Raises `ValidationFailed` for an image at a private address, from which a provider would load it."""
    for index, message in enumerate(messages):
        for place, part in enumerate(message.content):
            if isinstance(part, ImagePart) and part.url.startswith("https:"):
                fault = fault_in_image_url(part.url, private_allowed=False)
                if fault:
                    raise ValidationFailed.of(f"messages[{index}].content[{place}].image_url.url", fault)


def chat_request(request: QueryRequest, candidate: Candidate) -> ChatRequest:
    """What `candidate` is asked for `request`; a form that it has no field for is asked for in words."""
    chat = ChatRequest(
        model=candidate.model.name,
        messages=request.messages,
        system=request.system,
        tools=request.tools,
        tool_choice=request.tool_choice,
        output=request.output,
        parameters=replace(request.parameters, max_output_tokens=output_limit(request.parameters, candidate.profile)),
        without_reasoning=bool(request.tools) and Quirk.TOOLS_WITHOUT_REASONING in candidate.profile.quirks,
    )
    wanted = {"json": Capability.JSON, "json_schema": Capability.JSON_SCHEMA}.get(request.output.type)
    return chat if wanted is None or wanted in candidate.profile.capabilities else in_words(chat)


def _refused(field: str, candidate: Candidate) -> FieldError:
    message = "cannot take this: leave it out or ask for another model"
    if field == "parameters.max_output_tokens":
        most = candidate.profile.max_output_tokens
        message = f"writes at most {most} tokens: ask for no more of them, or for another model"
    return FieldError(field, f"{candidate.model.name} {message}")


def _skipped(candidate: Candidate, error: GatewayError) -> Attempt:
    return Attempt(
        provider=candidate.provider.id,
        model=candidate.model.name,
        outcome=AttemptOutcome.SKIPPED,
        error_code=error.code,
    )


def _nobody(unfit: list[GatewayError]) -> GatewayError:
    telling = [error for error in unfit if not isinstance(error, ProviderDisabled)]
    return (
        telling[0]
        if telling
        else NoProviderAvailable("Every provider that is asked for is disabled.", retry_after_s=60)
    )
