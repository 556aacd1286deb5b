"""One call: let through, timed, priced, noted and settled once, however it ends."""

import json
from dataclasses import replace
from decimal import Decimal

import pytest
from llm_gateway.domain.chat import ChatAnswer, OutputFormat, TextDelta, Usage
from llm_gateway.domain.circuits import CircuitState
from llm_gateway.domain.faults import (
    CallCancelled,
    CircuitOpen,
    ProviderFailed,
    ProviderRateLimited,
    ProviderTimeout,
    ResponseValidationFailed,
)
from llm_gateway.domain.providers import CircuitPolicy, ModelConfig, ProviderLimits, RetryPolicy, Timeouts
from llm_gateway.domain.queries import Attempt, AttemptOutcome, QueryRequest
from llm_gateway.errors import DeadlineExceeded, GatewayError, UnsupportedParameter, ValidationFailed
from llm_gateway.ports.system import Cancelled
from llm_gateway.services.queries.progress import Pieces, Progress

from tests.adapters.engine import Engine, provider, question, settle
from tests.adapters.prices import FlatPrices
from tests.adapters.scripted_providers import USAGE, Raises, Says, failing

BILLED = Decimal(USAGE.total_tokens) / 1_000_000


def call(engine: Engine, progress: Progress, request: QueryRequest | None = None, *, whole: bool = True) -> Pieces:
    mode = "sync" if whole else "stream"
    (step, *_) = engine.planner.plan(replace(request or question(), mode=mode))
    return engine.calls.call(step, progress, None)


@pytest.fixture
def progress(engine: Engine) -> Progress:
    return engine.progress(question())


def failed(engine: Engine, progress: Progress, kind: type[Exception] = GatewayError, **asked) -> Exception:
    with pytest.raises(kind) as caught:
        list(call(engine, progress, **asked))
    return caught.value


# --- Answers


def test_an_answer_is_timed_priced_and_noted(engine: Engine, progress: Progress) -> None:
    engine.add(provider("a"))
    engine.providers.script("a", Says(text="Hello!", after_s=1.25, model="a-model-2026"))

    (answered,) = call(engine, progress)

    assert isinstance(answered, ChatAnswer)
    assert (answered.text, answered.model) == ("Hello!", "a-model-2026")
    assert progress.answering.provider.id == "a"
    assert progress.attempts == [
        Attempt(provider="a", model="a-model", outcome=AttemptOutcome.OK, latency_ms=1250, cost_usd=BILLED)
    ]
    assert (progress.calls, progress.provider_s, progress.waiting_s) == (1, 1.25, 0)


def test_to_make_an_adapter_ready_takes_none_of_the_providers_time(engine: Engine, progress: Progress) -> None:
    engine.add(provider("a"))
    engine.providers.opening_s = 5
    engine.providers.script("a", Says(after_s=1.25))
    list(call(engine, progress))
    assert progress.attempts[0].latency_ms == 1250
    assert progress.provider_s == 1.25


def test_the_end_of_an_answered_call_is_settled_beside_its_storing(engine: Engine, progress: Progress) -> None:
    engine.add(provider("a", limits=ProviderLimits(max_concurrent=1)))

    list(call(engine, progress))

    assert engine.gates.settled == []
    settle(progress)
    assert engine.gates.all_ended_once
    (result,) = engine.gates.results
    assert result.answered
    assert (result.usage, result.cost_usd, result.latency_ms) == (USAGE, BILLED, 0)


def test_a_stream_gives_its_pieces_and_then_the_answer(engine: Engine, progress: Progress) -> None:
    engine.add(provider("a"))

    *deltas, last = call(engine, progress, whole=False)

    assert deltas == [TextDelta(text="Hello"), TextDelta(text="there.")]
    assert isinstance(last, ChatAnswer)
    assert [attempt.outcome for attempt in progress.attempts] == [AttemptOutcome.OK]


def test_what_a_model_costs_nobody_knows(progress: Progress) -> None:
    engine = Engine(prices=FlatPrices("a-model")).add(provider("a"))

    list(call(engine, progress))

    assert progress.attempts[0].cost_usd is None


def test_zero_tokens_cost_nothing_which_is_not_unknown(engine: Engine, progress: Progress) -> None:
    engine.add(provider("a"))
    engine.providers.script("a", Says(usage=Usage()))

    list(call(engine, progress))

    assert progress.attempts[0].cost_usd == 0


def test_the_price_is_that_of_the_model_that_answered(progress: Progress) -> None:
    asked_for: list[tuple[str, str]] = []

    class Prices(FlatPrices):
        def cost(self, kind, model: ModelConfig, *, answered_model: str, usage, at):
            asked_for.append((model.name, answered_model))
            return super().cost(kind, model, answered_model=answered_model, usage=usage, at=at)

    engine = Engine(prices=Prices()).add(provider("a"))
    engine.providers.script("a", Says(text="No JSON", model="a-2026"), Says(model="a-2026"))

    failed(engine, progress, request=question(output=OutputFormat(type="json")))
    list(call(engine, progress))

    assert asked_for == [("a-model", "a-2026")] * 2


# --- Time


def test_a_call_has_what_is_left_of_the_query(engine: Engine) -> None:
    engine.add(provider("a", timeouts=Timeouts(connect_s=1, first_token_s=2, total_s=60)))
    progress = engine.progress(question(timeout_s=25))
    engine.clock.advance(5)

    list(call(engine, progress))

    assert engine.providers.called[0].timeouts == Timeouts(connect_s=1, total_s=20)


def test_a_call_has_no_more_than_its_provider_allows(engine: Engine, progress: Progress) -> None:
    engine.add(provider("a", timeouts=Timeouts(total_s=3)))
    engine.providers.script("a", Says(after_s=4))

    assert type(failed(engine, progress)) is ProviderTimeout
    assert progress.attempts[0].latency_ms == 3000


def test_nobody_is_asked_when_the_time_is_up(engine: Engine, progress: Progress) -> None:
    engine.add(provider("a"))
    engine.clock.advance(24.96)

    failed(engine, progress, DeadlineExceeded)

    assert engine.providers.called == []
    assert engine.gates.admitted == []
    assert progress.attempts == []


def test_a_call_that_the_querys_own_time_ended(engine: Engine, progress: Progress) -> None:
    engine.add(provider("a"))
    engine.providers.script("a", Says(after_s=30))

    failed(engine, progress, DeadlineExceeded)

    assert engine.clock.monotonic_s() == progress.deadline.ends_s
    assert [attempt.error_code for attempt in progress.attempts] == ["provider_timeout"]
    assert engine.gates.all_ended_once


def circuit_after(engine: Engine, request: QueryRequest) -> CircuitState:
    config = engine.store.get("a")
    failed(engine, engine.progress(request), request=request)
    return engine.gates.state(config).circuit


def test_a_caller_in_a_hurry_does_not_open_the_circuit(engine: Engine) -> None:
    engine.add(provider("a", circuit=CircuitPolicy(failure_threshold=1)))
    engine.providers.otherwise = Says(after_s=100)

    assert circuit_after(engine, question(timeout_s=19)) is CircuitState.CLOSED
    assert engine.gates.results[0].cancelled
    assert circuit_after(engine, question(timeout_s=21)) is CircuitState.OPEN


def test_an_answer_that_comes_whole_may_take_longer_than_a_first_token(engine: Engine) -> None:
    engine.add(provider("a", circuit=CircuitPolicy(failure_threshold=1), timeouts=Timeouts(first_token_s=1)))
    engine.providers.otherwise = Says(after_s=10)

    assert circuit_after(engine, question(timeout_s=9)) is CircuitState.CLOSED
    engine.ask(question(timeout_s=11))
    assert engine.gates.results[-1].fault is None


def test_a_provider_that_takes_longer_than_it_may_fails(engine: Engine) -> None:
    engine.add(provider("a", circuit=CircuitPolicy(failure_threshold=1), timeouts=Timeouts(total_s=2)))
    engine.providers.otherwise = Says(after_s=100)

    assert circuit_after(engine, question()) is CircuitState.OPEN


# --- Faults


def test_a_fault_is_noted_and_settled_at_once(engine: Engine, progress: Progress) -> None:
    engine.add(provider("a"))
    said = {"provider_message": "Out of owls.", "upstream_status": 500}
    engine.providers.script("a", failing(ProviderFailed, after_s=0.5, **said))

    fault = failed(engine, progress, ProviderFailed)

    assert fault.provider == "a"
    assert progress.attempts == [
        Attempt(
            provider="a",
            model="a-model",
            outcome=AttemptOutcome.ERROR,
            error_code="provider_error",
            detail="It failed: Out of owls.",
            cause="It failed.",
            upstream_status=500,
            latency_ms=500,
        )
    ]
    assert engine.gates.all_ended_once
    assert engine.gates.results[0].fault is fault
    assert progress.unsettled is None


def test_what_a_failed_call_is_billed_all_the_same_is_known(engine: Engine, progress: Progress) -> None:
    engine.add(provider("a"))
    engine.providers.script("a", failing(ProviderTimeout, usage=USAGE))

    failed(engine, progress)

    assert progress.attempts[0].cost_usd == BILLED
    assert engine.gates.results[0].usage == USAGE


def test_an_answer_of_the_wrong_form_is_billed(engine: Engine, progress: Progress) -> None:
    engine.add(provider("a"))
    engine.providers.script("a", Says(text="Ada"))

    fault = failed(engine, progress, ResponseValidationFailed, request=question(output=OutputFormat(type="json")))

    assert fault.answer.text == "Ada"
    assert "not JSON" in fault.complaint
    assert "Ada" not in fault.detail
    assert progress.attempts[0].error_code == "response_validation_failed"
    assert progress.attempts[0].cost_usd == BILLED


# Its pattern would have to be followed through all of a thousand optional letters at each letter of an answer.
SLOW = OutputFormat(type="json_schema", schema={"pattern": "(?:a?){1000}(?:a?){1000}b"})
LONG = json.dumps("a" * 50_000)


def test_an_answer_that_its_own_schema_makes_impossible_to_check_is_billed(engine: Engine, progress: Progress) -> None:
    engine.add(provider("a"))
    engine.providers.script("a", Says(text=LONG))

    fault = failed(engine, progress, ValidationFailed, request=question(output=SLOW))

    assert [error.field for error in fault.errors] == ["output.schema"]
    assert progress.attempts[0].cost_usd == BILLED
    assert engine.gates.all_ended_once


def test_an_answer_that_cannot_be_checked_in_time_came_too_late(engine: Engine, progress: Progress) -> None:
    engine.add(provider("a"))
    engine.providers.script("a", Says(text=LONG, after_s=25))

    failed(engine, progress, DeadlineExceeded, request=question(output=SLOW))

    assert progress.attempts[0].cost_usd == BILLED


@pytest.mark.parametrize(("came_after_s", "given_s"), [(0, 5), (22, 3), (24.9, 0.5)])
def test_checking_an_answer_is_given_a_few_seconds(
    engine: Engine, progress: Progress, monkeypatch: pytest.MonkeyPatch, came_after_s: float, given_s: float
) -> None:
    engine.add(provider("a"))
    engine.providers.script("a", Says(text="1", after_s=came_after_s))
    waited: list[float] = []

    def parsed_slowly(answer: ChatAnswer, output: OutputFormat, *, gives_up: Cancelled) -> None:
        since_s = engine.clock.monotonic_s()
        while not gives_up():
            engine.clock.sleep(0.1)
        waited.append(engine.clock.monotonic_s() - since_s)

    monkeypatch.setattr("llm_gateway.services.output.structured.parsed_output", parsed_slowly)
    list(call(engine, progress, question(output=SLOW)))

    assert waited == [pytest.approx(given_s, abs=0.11)]


def test_whatever_the_mistake_was_the_place_is_free_again(engine: Engine, progress: Progress) -> None:
    engine.add(provider("a", limits=ProviderLimits(max_concurrent=1), circuit=CircuitPolicy(failure_threshold=1)))
    engine.providers.script("a", KeyError("ours"))

    failed(engine, progress, KeyError)
    assert progress.attempts[0].error_code == "internal_error"
    list(call(engine, progress))
    settle(progress)

    assert engine.gates.all_ended_once


def test_a_request_that_the_adapter_cannot_put_in_its_wires_words_was_skipped(
    engine: Engine, progress: Progress
) -> None:
    engine.add(provider("a"))
    engine.providers.script("a", UnsupportedParameter("It takes no seed."))

    failed(engine, progress, UnsupportedParameter)

    assert [attempt.outcome for attempt in progress.attempts] == [AttemptOutcome.SKIPPED]
    assert engine.gates.all_ended_once


def test_half_a_stream_raises_after_its_pieces(engine: Engine, progress: Progress) -> None:
    engine.add(provider("a"))
    broken = Raises(fault=lambda: ProviderFailed("It broke.", usage=USAGE), words=("Hel", "lo"))
    engine.providers.script("a", broken)

    items = call(engine, progress, whole=False)

    assert [next(items), next(items)] == [TextDelta(text="Hel"), TextDelta(text="lo")]
    with pytest.raises(ProviderFailed):
        next(items)
    assert progress.attempts[0].cost_usd == BILLED
    assert engine.gates.all_ended_once


# --- The gate


def test_a_gate_that_lets_nothing_through(engine: Engine, progress: Progress) -> None:
    engine.add(provider("a"))
    engine.gates.refusals["a"] = [ProviderRateLimited("At its limit.", retry_after_s=3)]

    fault = failed(engine, progress, ProviderRateLimited)

    assert (fault.provider, fault.retry_after_s) == ("a", 3)
    assert progress.attempts == [
        Attempt(
            provider="a",
            model="a-model",
            outcome=AttemptOutcome.SKIPPED,
            error_code="provider_rate_limited",
            detail="At its limit.",
            cause="At its limit.",
        )
    ]
    assert progress.calls == 0
    assert engine.providers.called == []


def test_the_gate_is_told_how_many_tokens_and_how_long(engine: Engine, progress: Progress) -> None:
    config = provider("a", limits=ProviderLimits(tokens_per_minute=1_000_000), timeouts=Timeouts(total_s=7))
    engine.add(config)

    list(call(engine, progress))

    admitted = engine.gates.admitted[0].call
    (step,) = engine.planner.plan(question())
    assert admitted.tokens == step.tokens > 0
    assert admitted.until_ns - admitted.now_ns == 7_000_000_000


def test_an_admission_ahead_is_taken_up(engine: Engine, progress: Progress) -> None:
    engine.add(provider("a"))
    (step,) = engine.planner.plan(question())

    progress.ahead = engine.ahead(step, progress)
    list(engine.calls.call(step, progress, None))
    progress.ahead.give_back()
    settle(progress)

    assert len(engine.gates.admitted) == 1
    assert engine.gates.withdrawn == []
    assert engine.gates.all_ended_once


def test_an_admission_ahead_is_given_back(engine: Engine, progress: Progress) -> None:
    engine.add(provider("a"))
    (step,) = engine.planner.plan(question())

    ahead = engine.ahead(step, progress)
    ahead.give_back()
    ahead.give_back()

    assert len(engine.gates.withdrawn) == 1
    assert engine.gates.all_ended_once


def test_a_refusal_ahead_counts_when_its_turn_comes(engine: Engine, progress: Progress) -> None:
    engine.add(provider("a"))
    engine.gates.refusals["a"] = [CircuitOpen("Left alone.", retry_after_s=9)]
    (step,) = engine.planner.plan(question())

    progress.ahead = engine.ahead(step, progress)
    assert progress.attempts == []

    with pytest.raises(CircuitOpen):
        list(engine.calls.call(step, progress, None))
    assert [attempt.error_code for attempt in progress.attempts] == ["circuit_open"]
    list(engine.calls.call(step, progress, None))
    assert [attempt.outcome for attempt in progress.attempts] == [AttemptOutcome.SKIPPED, AttemptOutcome.OK]


# --- Leaving


def test_closing_a_stream_ends_the_providers_work_and_is_billed_by_estimate(engine: Engine, progress: Progress) -> None:
    engine.add(provider("a"))
    items = call(engine, progress, whole=False)

    next(items)
    items.close()

    assert engine.providers.left == ["a"]
    (attempt,) = progress.attempts
    assert (attempt.outcome, attempt.error_code) == (AttemptOutcome.CANCELLED, None)
    assert attempt.cost_usd > 0
    (result,) = engine.gates.results
    assert result.cancelled
    assert result.usage.estimated
    assert engine.gates.all_ended_once
    assert progress.unsettled is None
    assert progress.broken_off.generated == [TextDelta(text="Hello")]


def test_a_call_that_is_cancelled_from_elsewhere(engine: Engine, progress: Progress) -> None:
    engine.add(provider("a"))
    engine.providers.script("a", CallCancelled("Nobody wants it."))

    failed(engine, progress, CallCancelled)

    assert [attempt.outcome for attempt in progress.attempts] == [AttemptOutcome.CANCELLED]
    assert engine.gates.all_ended_once


def test_closing_after_the_end_changes_nothing(engine: Engine, progress: Progress) -> None:
    engine.add(provider("a"))
    items = call(engine, progress, whole=False)
    while not isinstance(next(items), ChatAnswer):
        pass

    items.close()
    settle(progress)

    assert [attempt.outcome for attempt in progress.attempts] == [AttemptOutcome.OK]
    assert engine.gates.all_ended_once


def test_a_call_that_never_began_takes_nothing(engine: Engine, progress: Progress) -> None:
    engine.add(provider("a", retry=RetryPolicy(max_attempts=1)))

    call(engine, progress).close()

    assert engine.gates.admitted == []


def test_places_come_back(engine: Engine) -> None:
    engine.add(provider("a", limits=ProviderLimits(max_concurrent=1)))
    engine.providers.script("a", failing(ProviderFailed), Says(), Says(), Says(after_s=99))

    progress = engine.progress(question())
    failed(engine, progress, ProviderFailed)
    list(call(engine, progress))
    settle(progress)
    items = call(engine, replace(progress, unsettled=None), whole=False)
    next(items)
    items.close()
    failed(engine, progress, DeadlineExceeded)

    assert len(engine.gates.admitted) == 4
    assert engine.gates.all_ended_once
