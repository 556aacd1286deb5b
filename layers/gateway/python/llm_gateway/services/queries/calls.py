"""Calls: one question to one provider, let through its gate, timed, priced and noted, however it ends."""

from collections.abc import Generator
from contextlib import closing
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import Any, Final

from llm_gateway.domain.chat import ChatAnswer, Delta, TextDelta, Usage
from llm_gateway.domain.faults import CallCancelled, ProviderFault, ProviderTimeout, ResponseValidationFailed
from llm_gateway.domain.gates import Admission
from llm_gateway.domain.metrics import CallResult
from llm_gateway.domain.providers import ProviderCredentials, Timeouts
from llm_gateway.domain.queries import Attempt, AttemptOutcome
from llm_gateway.domain.routing import Candidate, Step
from llm_gateway.domain.tokens import by_bytes, estimate
from llm_gateway.errors import DeadlineExceeded, GatewayError, UnsupportedParameter, ValidationFailed
from llm_gateway.ports.providers import Prices, Provider, ProviderGates, Providers, TokenCounter
from llm_gateway.ports.system import Cancelled, Clock
from llm_gateway.services.output.patterns import TooMuchWork
from llm_gateway.services.output.structured import InvalidOutput, parsed_output
from llm_gateway.services.queries.progress import Ahead, Answered, Call, Course, Items

SHORTEST_CALL_S: Final = 0.05
_SHORTEST_CHECK_S: Final = 0.5
_LONGEST_CHECK_S: Final = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class Calls:
    """Makes calls. The adapters speak the wires; admission, time, price and record are kept here."""

    providers: Providers
    gates: ProviderGates
    prices: Prices
    counter: TokenCounter
    clock: Clock

    def call(self, step: Step, course: Course, credentials: ProviderCredentials | None, *, whole: bool) -> Items:
        """The answer, after its deltas unless `whole`; closing the generator ends the provider's work.

        Raises `ProviderFault`, also for a gate that does not let the call through, `DeadlineExceeded`, and what an adapter
        finds wrong with the request.
        """
        if course.cancelled():
            raise CallCancelled("The query was cancelled before anybody was asked.")
        timeouts = self._timeouts(step.candidate, course)
        call = self._admitted(step, course, timeouts)
        answer: ChatAnswer | None = None
        try:
            provider = self.providers.open(step.candidate.provider, credentials)
            items = _items(provider, step, timeouts, course.cancelled, whole=whole)
            answer = yield from _deltas(items, into=call.generated)
            answered = Answered(candidate=step.candidate, answer=answer, json=self._checked(answer, step, course))
        except (GeneratorExit, CallCancelled):
            course.broken_off = call
            self._end(call, course, AttemptOutcome.CANCELLED, usage=self._estimated(call))
            raise
        except Exception as error:
            self._end_with(error, call, course, answer)
            self._note_cut(call, course)
            if isinstance(error, ProviderTimeout):
                self._left_s(course)
            raise
        self._end(call, course, AttemptOutcome.OK, usage=answer.usage, answered_model=answer.model)
        yield answered

    def _timeouts(self, candidate: Candidate, course: Course) -> Timeouts:
        configured = candidate.provider.timeouts
        left_s = max(self._left_s(course) - course.kept_s, SHORTEST_CALL_S)
        return replace(configured, total_s=min(configured.total_s, left_s))

    def _left_s(self, course: Course) -> float:
        """The time left, enough for a call. Raises `DeadlineExceeded`."""
        left_s = course.deadline_s - self.clock.monotonic_s()
        if left_s < SHORTEST_CALL_S:
            raise DeadlineExceeded("The query's timeout_s passed before a provider answered.")
        return left_s

    def admit_ahead(self, step: Step, course: Course) -> None:
        """Asks the gate for a call that is probably made next; `call` takes it up, or else `withdraw` must."""
        try:
            outcome: Admission | GatewayError = self._admission(step, self._timeouts(step.candidate, course))
        except GatewayError as error:
            outcome = error
        course.ahead = Ahead(step=step, outcome=outcome)

    def withdraw(self, course: Course) -> None:
        """Gives back what `admit_ahead` took: the call is not made."""
        ahead, course.ahead = course.ahead, None
        if ahead is not None and isinstance(ahead.outcome, Admission):
            self.gates.withdraw(ahead.outcome)

    def _admission(self, step: Step, timeouts: Timeouts) -> Admission:
        return self.gates.admit(step.candidate.provider, tokens=step.tokens, timeout_s=timeouts.total_s)

    def _admitted(self, step: Step, course: Course, timeouts: Timeouts) -> Call:
        try:
            admission = self._admitted_ahead(step, course) or self._admission(step, timeouts)
        except ProviderFault as fault:
            fault.provider = step.candidate.provider.id
            course.attempts.append(skipped(step, fault))
            raise
        course.calls += 1
        course.candidate = step.candidate
        return Call(step=step, admission=admission, started_s=self.clock.monotonic_s())

    def _admitted_ahead(self, step: Step, course: Course) -> Admission | None:
        """What was admitted ahead, where it was for `step`. Raises what the gate did."""
        if course.ahead is None or course.ahead.step is not step:
            self.withdraw(course)
            return None
        outcome, course.ahead = course.ahead.outcome, None
        if isinstance(outcome, GatewayError):
            raise outcome
        return outcome

    def _checked(self, answer: ChatAnswer, step: Step, course: Course) -> Any:
        """The answer's JSON; see `parsed_output`. What takes longer than a few seconds is the schema's fault."""
        now_s = self.clock.monotonic_s()
        until_s = min(max(course.deadline_s, now_s + _SHORTEST_CHECK_S), now_s + _LONGEST_CHECK_S)
        try:
            return parsed_output(answer, step.output, gives_up=lambda: self.clock.monotonic_s() > until_s)
        except InvalidOutput as fault:
            detail = "The model's answer does not have the asked form."
            raise ResponseValidationFailed(detail, answer=answer, complaint=str(fault)) from None
        except TooMuchWork:
            if self.clock.monotonic_s() >= course.deadline_s:
                raise DeadlineExceeded("The query's timeout_s passed before its answer was validated.") from None
            message = (
                "takes too long to hold an answer against: simplify its patterns, and parts that refer to themselves"
            )
            raise ValidationFailed.of("output.schema", message) from None

    def _end_with(self, error: Exception, call: Call, course: Course, answer: ChatAnswer | None) -> None:
        """Ends a call that raised `error`, whatever it is; an `answer` that came before that is billed all the same."""
        self._end(
            call,
            course,
            AttemptOutcome.SKIPPED if isinstance(error, UnsupportedParameter) else AttemptOutcome.ERROR,
            usage=answer.usage if answer else _billed(error),
            answered_model=answer.model if answer else None,
            fault=error
            if isinstance(error, GatewayError)
            else GatewayError("Something unforeseen happened in a call."),
        )

    def _end(
        self,
        call: Call,
        course: Course,
        outcome: AttemptOutcome,
        *,
        usage: Usage | None,
        answered_model: str | None = None,
        fault: GatewayError | None = None,
    ) -> None:
        elapsed_s = self.clock.monotonic_s() - call.started_s
        course.provider_s += elapsed_s
        candidate = call.step.candidate
        if isinstance(fault, ProviderFault):
            fault.provider = candidate.provider.id
        call.usage = usage
        cost_usd = None if usage is None else self._cost_usd(candidate, usage, answered_model)
        latency_ms, error_code = round(elapsed_s * 1000), fault.code if fault else None
        attempt = _attempt(call.step, outcome, error_code=error_code, latency_ms=latency_ms)
        course.attempts.append(replace(attempt, cost_usd=cost_usd))
        impatient = isinstance(fault, ProviderTimeout) and elapsed_s + SHORTEST_CALL_S < _patience_s(candidate)
        result = CallResult(
            latency_ms=latency_ms,
            usage=usage,
            cost_usd=cost_usd,
            fault=None if impatient else fault,
            cancelled=impatient or outcome is AttemptOutcome.CANCELLED,
        )
        if outcome is AttemptOutcome.OK:
            course.settlements.append(lambda: self.gates.settle(call.admission, result))
        else:
            # At once: the next try may need this one's place.
            self.gates.settle(call.admission, result)

    def _cost_usd(self, candidate: Candidate, usage: Usage, answered_model: str | None) -> Decimal | None:
        return self.prices.cost(
            candidate.provider.kind,
            candidate.model,
            answered_model=answered_model or candidate.model.name,
            usage=usage,
            at=self.clock.now(),
        )

    def _note_cut(self, call: Call, course: Course) -> None:
        """Notes what there is of an answer that was cut short: its tokens can be told, what they cost cannot."""
        course.broken_off = call if call.generated else None
        if call.generated and call.usage is None:
            call.usage = self._estimated(call)

    def _estimated(self, call: Call) -> Usage:
        """What a call that was broken off is probably billed: nobody says."""
        profile = call.step.candidate.profile
        asked = estimate(call.step.chat, profile, self.counter.count)
        text, encoding = "".join(map(_text, call.generated)), profile.tokenizer.encoding
        generated = by_bytes(text) if encoding is None else self.counter.count(text, encoding)
        return Usage(input_tokens=asked.middle, output_tokens=generated.middle, estimated=True)


def _items(
    provider: Provider, step: Step, timeouts: Timeouts, cancelled: Cancelled, *, whole: bool
) -> Generator[Delta | ChatAnswer, None, None]:
    if whole:
        yield provider.complete(step.chat, timeouts=timeouts, cancelled=cancelled)
    else:
        yield from provider.stream(step.chat, timeouts=timeouts, cancelled=cancelled)


def _deltas(
    items: Generator[Delta | ChatAnswer, None, None], *, into: list[Delta]
) -> Generator[Delta, None, ChatAnswer]:
    """Passes the deltas on, noting their text, and returns the answer."""
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
    return delta.text if isinstance(delta, TextDelta) else delta.arguments


def _patience_s(candidate: Candidate) -> float:
    """How long a provider may be silent: what its caller breaks off sooner is no failure of its."""
    timeouts = candidate.provider.timeouts
    return min(timeouts.first_token_s, timeouts.total_s)


def _billed(error: Exception) -> Usage | None:
    usage: Usage | None = error.usage if isinstance(error, ProviderFault) else None
    return usage


def skipped(step: Step, fault: GatewayError) -> Attempt:
    """The attempt that tells of a call that was not made."""
    return _attempt(step, AttemptOutcome.SKIPPED, error_code=fault.code)


def _attempt(step: Step, outcome: AttemptOutcome, *, error_code: str | None, latency_ms: int = 0) -> Attempt:
    return Attempt(
        provider=step.candidate.provider.id,
        model=step.candidate.model.name,
        outcome=outcome,
        error_code=error_code,
        latency_ms=latency_ms,
    )
