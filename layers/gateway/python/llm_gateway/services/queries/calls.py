"""Calls: one question to one provider, let through its gate, timed, priced and noted, however it ends."""

import logging
from collections.abc import Generator
from contextlib import closing
from dataclasses import replace
from decimal import Decimal

from llm_gateway.domain.chat import ChatAnswer, Delta, ToolCallDelta, Usage
from llm_gateway.domain.circuits import is_failure
from llm_gateway.domain.faults import CallCancelled, ProviderFault, ProviderTimeout, told
from llm_gateway.domain.metrics import CallResult
from llm_gateway.domain.providers import ProviderCredentials, Timeouts
from llm_gateway.domain.queries import Attempt, AttemptOutcome
from llm_gateway.domain.routing import Candidate, Step
from llm_gateway.domain.tokens import probable_usage
from llm_gateway.errors import GatewayError, UnsupportedParameter
from llm_gateway.ports.providers import Prices, ProviderGates, Providers, TokenCounter
from llm_gateway.ports.system import Clock
from llm_gateway.services.output.structured import checked
from llm_gateway.services.queries.progress import SHORTEST_CALL_S, Admitted, Deadline, Pieces, Progress
from llm_gateway.values import dataclass

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Calls:
    """Makes calls. The adapters speak the wires; admission, time, price and record are kept here."""

    providers: Providers
    gates: ProviderGates
    prices: Prices
    counter: TokenCounter
    clock: Clock

    def call(
        self, step: Step, progress: Progress, credentials: ProviderCredentials | None, *, kept_s: float = 0
    ) -> Pieces:
        """The answer, after its deltas where the step streams; closing the generator ends the provider's work.

        `kept_s` of the time left are for others. Raises `ProviderFault`, also for a gate that does not let the call through,
        `DeadlineExceeded`, and what an adapter finds wrong with the request.
        """
        deadline, candidate = progress.deadline, step.candidate
        if deadline.cancelled():
            raise CallCancelled("The query was cancelled before anybody was asked.")
        timeouts = deadline.limit(step, now_s=self.clock.monotonic_s(), kept_s=kept_s)
        call = self._admit(step, progress, timeouts)
        answer: ChatAnswer | None = None
        try:
            provider = self.providers.open(candidate.provider, credentials)
            call.started_s = self.clock.monotonic_s()
            if step.streams:
                items = provider.stream(step.chat, timeouts=timeouts, cancelled=deadline.cancelled)
                answer = yield from _forward(items, into=call.generated)
            else:
                answer = provider.complete(step.chat, timeouts=timeouts, cancelled=deadline.cancelled)
            progress.has_answer = True
            valid = answer if step.output.type == "text" else self._checked(answer, step, deadline)
            if step.warnings:
                valid = replace(valid, warnings=(*step.warnings, *valid.warnings))
            progress.warnings = valid.warnings
        except (GeneratorExit, CallCancelled):
            progress.broken_off = call
            self._end(call, progress, AttemptOutcome.CANCELLED, usage=self._estimated(step, call))
            raise
        except Exception as error:
            if isinstance(error, ProviderTimeout):
                error.detail = (
                    f"The provider did not answer in time ({_limit_struck(error, step, timeouts, deadline)})."
                )
            self._fail(step, call, progress, error, answer)
            if isinstance(error, ProviderTimeout):
                deadline.check(self.clock.monotonic_s())
            raise
        self._end(call, progress, AttemptOutcome.OK, usage=answer.usage, answered_model=answer.model)
        yield valid

    def _checked(self, answer: ChatAnswer, step: Step, deadline: Deadline) -> ChatAnswer:
        return checked(answer, step.output, until_s=deadline.ends_s, limit=deadline.name, clock=self.clock)

    def _admit(self, step: Step, progress: Progress, timeouts: Timeouts) -> Admitted:
        """Passes the gate, with the admission that was got ahead where there is one."""
        provider = step.candidate.provider
        if progress.charge and (progress.calls or progress.charge.is_later):
            progress.charge.cover(step)
        try:
            admission = progress.ahead.take_up(step.candidate) if progress.ahead else None
            if admission is None:
                admission = self.gates.admit(provider, tokens=step.tokens, timeout_s=timeouts.longest_s)
        except ProviderFault as fault:
            fault.provider = provider.id
            progress.attempts.append(step.candidate.skipped(fault))
            raise
        progress.calls += 1
        progress.candidate, progress.context = step.candidate, step.context
        return Admitted(
            candidate=step.candidate,
            gates=self.gates,
            admission=admission,
            started_s=self.clock.monotonic_s(),
            patience_s=provider.timeouts.patience_s(streams=step.streams),
        )

    def _fail(
        self, step: Step, call: Admitted, progress: Progress, error: Exception, answer: ChatAnswer | None
    ) -> None:
        """Ends a call that raised `error`, whatever it is; an `answer` that came before that is billed all the same.

        The tokens of an answer that was cut short can be told, what they cost cannot.
        """
        unforeseen = "Something unforeseen happened in a call."
        self._end(
            call,
            progress,
            AttemptOutcome.SKIPPED if isinstance(error, UnsupportedParameter) else AttemptOutcome.ERROR,
            usage=answer.usage if answer else _billed(error),
            answered_model=answer.model if answer else None,
            fault=error if isinstance(error, GatewayError) else GatewayError(unforeseen),
        )
        progress.broken_off = call if call.generated else None
        if call.generated and call.usage is None:
            call.usage = self._estimated(step, call)

    def _end(
        self,
        call: Admitted,
        progress: Progress,
        outcome: AttemptOutcome,
        *,
        usage: Usage | None,
        answered_model: str | None = None,
        fault: GatewayError | None = None,
    ) -> None:
        """Notes how a call ended. The gate is told at once, because the next try may need the room that the call took; of an
        answered call it is told when the answer is stored."""
        candidate, elapsed_s = call.candidate, self.clock.monotonic_s() - call.started_s
        progress.provider_s += elapsed_s
        if fault:
            fault.provider = candidate.provider.id
        attempt = Attempt(
            provider=candidate.provider.id,
            model=candidate.model.name,
            outcome=outcome,
            error_code=fault.code if fault else None,
            detail=told(fault) if fault else None,
            cause=fault.detail if fault else None,
            upstream_status=fault.upstream_status if fault else None,
            latency_ms=round(elapsed_s * 1000),
            cost_usd=None if usage is None else self._cost_usd(candidate, usage, answered_model),
        )
        progress.attempts.append(attempt)
        impatient = isinstance(fault, ProviderTimeout) and elapsed_s + SHORTEST_CALL_S < call.patience_s
        place = candidate.provider.id, candidate.model.name
        call.usage = usage
        call.result = CallResult(
            latency_ms=attempt.latency_ms,
            usage=usage,
            cost_usd=attempt.cost_usd,
            fault=None if impatient else fault,
            cancelled=impatient or outcome is AttemptOutcome.CANCELLED,
            repeats=place in progress.failed,
        )
        if progress.charge:
            progress.charge.count(attempt, call.result)
        if call.result.fault and is_failure(call.result.fault):
            progress.failed.add(place)
        if outcome is AttemptOutcome.OK:
            progress.unsettled = call
        else:
            call.settle()

    def _cost_usd(self, candidate: Candidate, usage: Usage, answered_model: str | None) -> Decimal | None:
        """None where nobody knows, or where it cannot be reckoned: a call ends all the same."""
        try:
            return self.prices.cost(
                candidate.provider.kind,
                candidate.model,
                answered_model=answered_model or candidate.model.name,
                usage=usage,
                at=self.clock.now(),
            )
        except Exception:
            _log.error("What a call cost cannot be reckoned.")
            return None

    def _estimated(self, step: Step, call: Admitted) -> Usage | None:
        """What a call that was broken off is probably billed: nobody says. None where it cannot be reckoned."""
        try:
            generated = "".join(map(_text, call.generated))
            return probable_usage(step.chat, generated, call.candidate.profile, self.counter.count)
        except Exception:
            _log.error("What a call that was broken off used cannot be reckoned.")
            return None


def _forward(
    items: Generator[Delta | ChatAnswer, None, None], *, into: list[Delta]
) -> Generator[Delta, None, ChatAnswer]:
    """Passes the deltas on, noting them, and returns the answer."""
    answer: ChatAnswer | None = None
    with closing(items):
        for item in items:
            if isinstance(item, ChatAnswer):
                answer = item
            else:
                into.append(item)
                yield item
    if answer is None:
        raise RuntimeError("a provider's stream ended without its answer")
    return answer


def _text(delta: Delta) -> str:
    return delta.arguments if isinstance(delta, ToolCallDelta) else delta.text


def _limit_struck(fault: ProviderTimeout, step: Step, timeouts: Timeouts, deadline: Deadline) -> str:
    """Which limit ended the wait, whose it is, and its value."""
    provider = step.candidate.provider
    first_token_s, total_s = provider.timeouts.first_token_s, provider.timeouts.total_s
    was_silent = fault.limit == "first_token_s" if fault.limit else timeouts.silence_s < timeouts.longest_s
    if step.streams and was_silent and first_token_s is not None:
        return f"timeouts.first_token_s of provider {provider.id}: {first_token_s:.4g} s"
    if total_s is not None and total_s <= timeouts.longest_s:
        return f"timeouts.total_s of provider {provider.id}: {total_s:.4g} s"
    return deadline.name


def _billed(error: Exception) -> Usage | None:
    usage: Usage | None = error.usage if isinstance(error, ProviderFault) else None
    return usage
