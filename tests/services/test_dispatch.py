"""Dispatch: who is asked again, who next, how long is waited, and what a caller reads in the end."""

import gc
from datetime import timedelta
from decimal import Decimal
from itertools import pairwise

import pytest
from llm_gateway.domain.chat import OutputFormat, Parameters, TextDelta, Usage
from llm_gateway.domain.providers import (
    CircuitPolicy,
    ModelConfig,
    ProviderCredentials,
    ProviderLimits,
    RetryPolicy,
    Timeouts,
)
from llm_gateway.errors import (
    CallCancelled,
    CallTooLarge,
    CircuitOpen,
    ContextWindowExceeded,
    DeadlineExceeded,
    DependencyUnavailable,
    GatewayError,
    NoProviderAvailable,
    ProviderAuthFailed,
    ProviderBusy,
    ProviderFailed,
    ProviderNotConnected,
    ProviderRateLimited,
    ProviderRefused,
    ProviderRejected,
    ProviderResponseInvalid,
    ProviderTimeout,
    ProviderUnreachable,
    ResponseValidationFailed,
    UnsupportedParameter,
)
from llm_gateway.services.calls import Answered, Course
from llm_gateway.services.dispatch import MOST_CALLS

from tests.adapters.engine import Engine, provider, question, settle, story, with_key
from tests.adapters.scripted_providers import USAGE, Raises, Says, failing

PATIENT = RetryPolicy(max_attempts=3)
NEVER_OPEN = CircuitPolicy(failure_threshold=100)
JSON = OutputFormat(type="json_schema", schema={"type": "object", "required": ["name"]})
RETRYABLE = (ProviderFailed, ProviderUnreachable, ProviderNotConnected, ProviderRateLimited)
FALLING_OVER = (
    *RETRYABLE,
    ProviderAuthFailed,
    ProviderRefused,
    ProviderResponseInvalid,
    ProviderTimeout,
    CallTooLarge,
)


def outcomes(course: Course) -> list[str]:
    """The attempts in short: `provider outcome`, and the error where there is one."""
    return [" ".join(filter(None, attempt)) for attempt in story(course)]


def fails(engine: Engine, kind: type[Exception] = GatewayError, course: Course | None = None, **asked) -> GatewayError:
    request = question(**asked)
    with pytest.raises(kind) as caught:
        engine.ask(request, course or engine.course(request))
    assert engine.gates.all_ended_once
    return caught.value


@pytest.fixture
def alone(engine: Engine) -> Engine:
    return engine.add(provider("a", retry=PATIENT))


@pytest.fixture
def two(engine: Engine) -> Engine:
    return engine.add(provider("a"), provider("b"))


# --- The next candidate


@pytest.mark.parametrize("kind", FALLING_OVER)
def test_the_next_one_answers(two: Engine, kind: type) -> None:
    two.providers.script("a", failing(kind, after_s=0.5))
    two.providers.script("b", Says(text="I am B.", after_s=0.25))

    answered, course = two.ask(question())

    assert (answered.answer.text, answered.candidate.provider.id) == ("I am B.", "b")
    assert outcomes(course) == [f"a error {kind.code}", "b ok"]
    assert [attempt.latency_ms for attempt in course.attempts] == [500, 250]
    assert (course.provider_s, course.waiting_s, course.calls) == (0.75, 0, 2)
    assert two.gates.all_ended_once


def test_whatever_goes_wrong_one_by_one(engine: Engine) -> None:
    engine.add(*(provider(name) for name in "abcd"))
    engine.providers.script("a", failing(ProviderTimeout))
    engine.providers.script("b", failing(ProviderResponseInvalid, usage=USAGE))
    engine.gates.refusals["c"] = [CircuitOpen("Left alone.", retry_after_s=30)]

    _, course = engine.ask(question())

    assert outcomes(course) == [
        "a error provider_timeout",
        "b error provider_response_invalid",
        "c skipped circuit_open",
        "d ok",
    ]
    billed = Decimal(USAGE.total_tokens) / 1_000_000
    assert [attempt.cost_usd for attempt in course.attempts] == [None, billed, None, billed]


def test_one_that_cannot_take_the_request_shows_in_its_place(engine: Engine) -> None:
    cannot = (ModelConfig(name="b-model", capabilities=frozenset()),)
    engine.add(provider("a"), provider("b", models=cannot), provider("c"))
    engine.providers.script("a", failing(ProviderFailed))

    _, course = engine.ask(question(parameters=Parameters(seed=1)))

    assert outcomes(course) == ["a error provider_error", "b skipped unsupported_parameter", "c ok"]


def test_a_request_at_fault_is_not_tried_on_others(two: Engine) -> None:
    two.providers.script("a", failing(ProviderRejected))

    fault = fails(two, ProviderRejected)

    assert fault.provider == "a"
    assert two.providers.order == ["a"]


def test_a_mistake_of_the_gateways_own_is_not_tried_on_others(two: Engine) -> None:
    two.providers.script("a", KeyError("ours"))

    fails(two, KeyError)

    assert two.providers.order == ["a"]


@pytest.mark.parametrize("error", [UnsupportedParameter("No seed."), ContextWindowExceeded("Too long.")])
def test_what_only_the_wire_finds_out_is_no_end_where_another_is_left(two: Engine, error: GatewayError) -> None:
    two.providers.script("a", error)

    answered, course = two.ask(question())

    assert answered.candidate.provider.id == "b"
    assert [attempt.error_code for attempt in course.attempts] == [error.code, None]


@pytest.mark.parametrize("error", [UnsupportedParameter("No seed."), ContextWindowExceeded("Too long.")])
def test_what_the_named_ones_wire_finds_out_is_the_answer(two: Engine, error: GatewayError) -> None:
    two.providers.script("a", error)

    assert fails(two, provider="a") is error
    assert two.providers.order == ["a"]


def test_those_that_cannot_take_a_request_do_not_count_as_tried(engine: Engine) -> None:
    engine.add(provider("a"), provider("b"), provider("c"))
    engine.providers.script("a", UnsupportedParameter("No seed."))
    engine.providers.script("b", failing(ProviderFailed))
    engine.providers.script("c", ContextWindowExceeded("Too long."))

    assert fails(engine, ProviderFailed).provider == "b"


def test_everybodys_wire_finds_it_out(two: Engine) -> None:
    first = UnsupportedParameter("No seed.")
    two.providers.script("a", first)
    two.providers.script("b", ContextWindowExceeded("Too long."))

    assert fails(two) is first


# --- Spare ones


def test_without_fallbacks_the_best_that_can_be_called_is(engine: Engine) -> None:
    engine.add(*(provider(name) for name in "abc"))
    engine.gates.refusals["a"] = [ProviderBusy("Busy.", retry_after_s=5)]

    answered, course = engine.ask(question(fallback=()))

    assert answered.candidate.provider.id == "b"
    assert outcomes(course) == ["a skipped provider_rate_limited", "b ok"]


def test_without_fallbacks_nobody_else_is_called_after_a_failure(engine: Engine) -> None:
    engine.add(*(provider(name) for name in "abc"))
    engine.gates.refusals["a"] = [CircuitOpen("Left alone.", retry_after_s=5)]
    engine.providers.script("b", failing(ProviderFailed))

    assert fails(engine, ProviderFailed, fallback=()).provider == "b"
    assert engine.providers.order == ["b"]


def test_fallbacks_follow_whoever_was_chosen(engine: Engine) -> None:
    engine.add(*(provider(name) for name in "abcd"))
    engine.providers.script("a", failing(ProviderFailed))
    engine.providers.script("d", failing(ProviderFailed))

    _, course = engine.ask(question(fallback=("d", "c")))

    assert [attempt.provider for attempt in course.attempts] == ["a", "d", "c"]


def test_a_spare_one_is_not_asked_again_as_a_fallback(engine: Engine) -> None:
    engine.add(*(provider(name) for name in "abc"))
    engine.gates.refusals["a"] = [CircuitOpen("Left alone.", retry_after_s=5)]
    engine.providers.script("b", failing(ProviderFailed))

    _, course = engine.ask(question(fallback=("b", "c")))

    assert outcomes(course) == ["a skipped circuit_open", "b error provider_error", "c ok"]


# --- Again


@pytest.mark.parametrize("kind", RETRYABLE)
def test_what_passes_is_tried_again(alone: Engine, kind: type) -> None:
    alone.providers.script("a", failing(kind), failing(kind))

    _, course = alone.ask(question())

    assert outcomes(course) == [f"a error {kind.code}"] * 2 + ["a ok"]
    assert course.calls == 3
    assert course.waiting_s == pytest.approx(sum(alone.clock.slept_s))


@pytest.mark.parametrize("kind", [kind for kind in FALLING_OVER if kind not in RETRYABLE] + [ProviderRejected])
def test_what_stays_is_not(alone: Engine, kind: type) -> None:
    alone.providers.script("a", failing(kind))

    fails(alone, kind)

    assert len(alone.providers.called) == 1
    assert alone.clock.slept_s == []


@pytest.mark.parametrize("most", [1, 2, 5])
def test_a_provider_is_tried_as_often_as_it_allows(engine: Engine, most: int) -> None:
    engine.add(provider("a", retry=RetryPolicy(max_attempts=most)))
    engine.providers.otherwise = failing(ProviderFailed)

    fails(engine, ProviderFailed)

    assert len(engine.providers.called) == most


def test_six_calls_are_enough(engine: Engine) -> None:
    engine.add(*(provider(name, retry=RetryPolicy(max_attempts=4)) for name in "abc"))
    engine.providers.otherwise = failing(ProviderFailed)

    fails(engine, NoProviderAvailable)

    assert engine.providers.order == ["a"] * 4 + ["b"] * 2
    assert len(engine.providers.called) == MOST_CALLS == 6


def test_one_provider_is_not_called_seven_times_either(engine: Engine) -> None:
    engine.add(with_key("a", retry=RetryPolicy(max_attempts=6), circuit=NEVER_OPEN))
    engine.providers.script("a", *[failing(ProviderFailed)] * 5)
    engine.providers.otherwise = failing(ProviderAuthFailed)

    fails(engine, ProviderAuthFailed)

    assert len(engine.providers.called) == 6


def test_waits_grow_with_full_jitter_and_a_bound(engine: Engine) -> None:
    waits: list[list[float]] = [[], [], [], [], []]
    for _ in range(60):
        engine = Engine().add(provider("a", retry=RetryPolicy(max_attempts=6), circuit=NEVER_OPEN))
        engine.providers.otherwise = failing(ProviderFailed)
        fails(engine, ProviderFailed, timeout_s=300)
        starts = [call.started_s for call in engine.providers.called]
        for tries, (before, after) in enumerate(pairwise(starts)):
            waits[tries].append(after - before)

    bounds_s = [0.25, 0.5, 1, 2, 4]
    for waited, bound_s in zip(waits, bounds_s, strict=True):
        assert 0 <= min(waited) < max(waited) <= bound_s
    # 60 draws of a jitter that is full: some are small, some are large.
    assert min(waits[-1]) < 2 < max(waits[-1])


@pytest.mark.parametrize("asked_s", [0.7, 1.5, 4, 20])
def test_what_the_provider_asks_for_is_the_least(alone: Engine, asked_s: float) -> None:
    alone.providers.script("a", failing(ProviderRateLimited, retry_after_s=asked_s))

    _, course = alone.ask(question())

    assert asked_s <= course.waiting_s <= asked_s + 0.25


def test_a_wait_that_cannot_fit_is_not_begun(alone: Engine) -> None:
    alone.providers.script("a", failing(ProviderRateLimited, retry_after_s=10, after_s=1))

    fault = fails(alone, ProviderRateLimited, timeout_s=11)

    assert fault.retry_after_s == 10
    assert alone.clock.slept_s == []
    assert alone.clock.monotonic_s() == 1


def test_a_wait_after_which_there_is_no_time_for_a_call_does_not_fit(alone: Engine) -> None:
    alone.providers.script("a", failing(ProviderRateLimited, retry_after_s=9.96))

    fails(alone, ProviderRateLimited, timeout_s=10)

    assert alone.clock.slept_s == []


def test_others_are_not_kept_waiting(engine: Engine) -> None:
    engine.add(provider("a", retry=PATIENT), provider("b"))
    engine.providers.script("a", failing(ProviderRateLimited, retry_after_s=2.5))

    _, course = engine.ask(question())

    assert outcomes(course) == ["a error provider_rate_limited", "b ok"]
    assert course.waiting_s == 0


def test_a_short_wait_is_worth_it_even_with_others(engine: Engine) -> None:
    engine.add(provider("a", retry=PATIENT), provider("b"))
    engine.providers.script("a", failing(ProviderRateLimited, retry_after_s=1))

    _, course = engine.ask(question())

    assert outcomes(course) == ["a error provider_rate_limited", "a ok"]


def test_nobody_waits_for_what_nobody_wants(alone: Engine) -> None:
    request = question()
    course = alone.course(request)
    course.cancelled = lambda: alone.clock.monotonic_s() > 3
    alone.providers.script("a", failing(ProviderRateLimited, retry_after_s=20))

    fails(alone, CallCancelled, course=course)

    assert alone.clock.monotonic_s() < 3.5
    assert outcomes(course) == ["a error provider_rate_limited"]


# --- The gate


@pytest.mark.parametrize("kind", [ProviderRateLimited, ProviderBusy, CircuitOpen])
def test_a_closed_gate_is_passed_by_at_once(engine: Engine, kind: type) -> None:
    engine.add(provider("a", retry=PATIENT), provider("b"))
    engine.gates.refusals["a"] = [kind("No.", retry_after_s=0.1)]

    _, course = engine.ask(question())

    assert outcomes(course) == [f"a skipped {kind.code}", "b ok"]
    assert (course.waiting_s, course.calls) == (0, 1)


def test_a_limit_that_soon_passes_is_waited_for_where_nobody_else_is_left(alone: Engine) -> None:
    alone.gates.refusals["a"] = [ProviderRateLimited("At its limit.", retry_after_s=0.5)]

    _, course = alone.ask(question())

    assert outcomes(course) == ["a skipped provider_rate_limited", "a ok"]
    assert 0.5 <= course.waiting_s <= 0.75


def test_a_limit_that_lasts_is_told_at_once(alone: Engine) -> None:
    alone.gates.refusals["a"] = [ProviderRateLimited("At its limit.", retry_after_s=12)]

    fault = fails(alone, ProviderRateLimited)

    assert fault.retry_after_s == 12
    assert alone.clock.slept_s == []


def test_a_limit_of_the_providers_configuration(engine: Engine) -> None:
    engine.add(provider("a", limits=ProviderLimits(requests_per_minute=2, burst=2)))
    engine.ask(question())
    engine.ask(question())

    fault = fails(engine, ProviderRateLimited)
    engine.clock.advance(fault.retry_after_s)
    engine.ask(question())

    assert len(engine.providers.called) == 3


def test_a_call_that_can_never_pass(engine: Engine) -> None:
    engine.add(provider("a", limits=ProviderLimits(tokens_per_minute=10)), provider("b"))

    _, course = engine.ask(question())
    assert outcomes(course) == ["a skipped validation_failed", "b ok"]
    assert fails(engine, CallTooLarge, provider="a", fallback=()).status == 422


def test_failures_that_open_the_circuit_are_the_answer(engine: Engine) -> None:
    engine.add(provider("a", retry=PATIENT, circuit=CircuitPolicy(failure_threshold=2)))
    engine.providers.otherwise = failing(ProviderFailed)
    course = engine.course(question())

    assert fails(engine, ProviderFailed, course=course).status == 502
    assert outcomes(course) == ["a error provider_error"] * 2 + ["a skipped circuit_open"]
    assert 29 < fails(engine, NoProviderAvailable).retry_after_s <= 30


# --- Verdicts


@pytest.mark.parametrize("kind", [kind for kind in FALLING_OVER if kind is not ProviderNotConnected])
def test_the_only_ones_own_error_is_the_answer(engine: Engine, kind: type) -> None:
    engine.add(provider("a"), provider("b"))
    engine.providers.script("a", failing(kind))

    fault = fails(engine, kind, provider="a", fallback=())

    assert (type(fault), fault.provider, fault.status) == (kind, "a", kind.status)


@pytest.mark.parametrize("retry_after_s", [None, 7.5])
def test_one_that_was_never_reached_is_not_available(engine: Engine, retry_after_s) -> None:
    engine.add(provider("a", circuit=CircuitPolicy(failure_threshold=2, cooldown_s=45)))
    engine.providers.otherwise = failing(ProviderNotConnected)

    assert fails(engine, NoProviderAvailable).retry_after_s is None
    # This one opened the circuit.
    assert fails(engine, NoProviderAvailable).retry_after_s == 45
    engine.clock.advance(15)
    course = engine.course(question())
    assert fails(engine, NoProviderAvailable, course=course).retry_after_s == 30
    assert outcomes(course) == ["a skipped circuit_open"]


def test_all_at_their_limits(two: Engine) -> None:
    two.providers.script("a", failing(ProviderRateLimited, retry_after_s=9))
    two.gates.refusals["b"] = [ProviderBusy("Busy.", retry_after_s=4)]

    fault = fails(two, ProviderRateLimited)

    assert (fault.status, fault.provider, fault.retry_after_s) == (429, None, 4)


def test_several_failed(two: Engine) -> None:
    two.providers.script("a", failing(ProviderRateLimited, retry_after_s=9))
    two.providers.script("b", failing(ProviderTimeout))

    fault = fails(two, NoProviderAvailable)

    assert (fault.status, fault.code) == (503, "no_provider_available")


def test_a_retry_after_the_told_time_passes(engine: Engine) -> None:
    policy = CircuitPolicy(failure_threshold=1, cooldown_s=30)
    engine.add(provider("a", circuit=policy), provider("b", circuit=CircuitPolicy(failure_threshold=1, cooldown_s=20)))
    engine.providers.script("a", failing(ProviderFailed))
    engine.providers.script("b", failing(ProviderFailed, after_s=1))

    fault = fails(engine, NoProviderAvailable)
    assert fault.retry_after_s == 20

    engine.clock.advance(fault.retry_after_s - 0.5)
    assert fails(engine, NoProviderAvailable).retry_after_s == 0.5
    engine.clock.advance(0.5)
    answered, course = engine.ask(question())
    assert answered.candidate.provider.id == "b"
    assert outcomes(course) == ["a skipped circuit_open", "b ok"]


def test_nothing_is_promised_where_one_may_be_asked_at_once(two: Engine) -> None:
    two.gates.refusals["a"] = [CircuitOpen("Left alone.", retry_after_s=25)]
    two.providers.script("b", failing(ProviderFailed))

    assert fails(two, NoProviderAvailable).retry_after_s is None


def test_the_verdict_does_without_the_gates_state(two: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    two.providers.otherwise = failing(ProviderFailed)

    def away(*_: object) -> None:
        raise DependencyUnavailable("The limits cannot be reached.")

    monkeypatch.setattr(type(two.gates), "state", away)

    assert fails(two, NoProviderAvailable).retry_after_s is None


# --- The deadline


def test_time_is_up_while_waiting_for_an_answer(two: Engine) -> None:
    request = question(timeout_s=10)
    course = two.course(request)
    two.providers.otherwise = Says(after_s=100)

    fault = fails(two, DeadlineExceeded, course=course, timeout_s=10)

    assert (fault.status, fault.code) == (504, "deadline_exceeded")
    assert two.clock.monotonic_s() == 10
    assert outcomes(course) == ["a error provider_timeout"]


def test_a_provider_that_hangs_leaves_time_for_the_next(engine: Engine) -> None:
    engine.add(provider("a", timeouts=Timeouts(total_s=4)), provider("b"))
    engine.providers.script("a", Says(after_s=100))
    engine.providers.script("b", Says(after_s=5))

    _, course = engine.ask(question(timeout_s=10))

    assert outcomes(course) == ["a error provider_timeout", "b ok"]
    assert engine.clock.monotonic_s() == 9


def test_time_is_up_before_the_next_one_is_asked(two: Engine) -> None:
    two.providers.script("a", failing(ProviderFailed, after_s=9.96))

    fails(two, DeadlineExceeded, timeout_s=10)

    assert two.providers.order == ["a"]


# --- Credentials


def test_a_new_key_is_used_at_once_after_a_refusal(engine: Engine) -> None:
    engine.add(with_key("a"))
    engine.credentials = Rotated(engine.credentials, "a", "new-key")
    engine.providers.script("a", failing(ProviderAuthFailed))

    _, course = engine.ask(question())
    engine.ask(question())

    assert outcomes(course) == ["a error provider_auth_failed", "a ok"]
    assert [call.credentials.api_key for call in engine.providers.called] == ["key-of-a", "new-key", "new-key"]
    assert engine.credentials.read_anew == 1


class Rotated:
    """A store whose copy of a secret is old until it is read anew."""

    def __init__(self, store, provider_id: str, api_key: str) -> None:
        self.read_anew = 0
        self._store, self._id, self._new = store, provider_id, ProviderCredentials(api_key=api_key)

    def get(self, provider_id: str, *, fresh: bool = False, **_: object) -> ProviderCredentials | None:
        if fresh:
            self.read_anew += 1
            self._store.put(self._id, self._new)
        return self._store.get(provider_id)


def test_a_key_that_is_refused_and_not_new_is_not_sent_again(engine: Engine) -> None:
    engine.add(with_key("a", retry=PATIENT))
    engine.providers.otherwise = failing(ProviderAuthFailed)

    fault = fails(engine, ProviderAuthFailed)

    assert (fault.status, fault.provider) == (502, "a")
    assert len(engine.providers.called) == 1


def test_a_new_key_is_refused_too(engine: Engine) -> None:
    engine.add(with_key("a", retry=PATIENT), provider("b"))
    engine.credentials = Rotated(engine.credentials, "a", "new-key")
    engine.providers.script("a", failing(ProviderAuthFailed), failing(ProviderAuthFailed))

    _, course = engine.ask(question())

    assert outcomes(course) == ["a error provider_auth_failed"] * 2 + ["b ok"]


def test_a_provider_without_credentials_has_none_to_renew(engine: Engine) -> None:
    engine.add(provider("a"))
    engine.providers.script("a", failing(ProviderAuthFailed))

    fails(engine, ProviderAuthFailed)

    assert [call.credentials for call in engine.providers.called] == [None]


class Away:
    def get(self, *_: object, **__: object) -> ProviderCredentials | None:
        raise DependencyUnavailable("The credentials cannot be reached.", retry_after_s=1)


def test_one_whose_credentials_cannot_be_had_is_passed_by(engine: Engine) -> None:
    engine.add(with_key("a"), provider("b"))
    engine.credentials = Away()

    _, course = engine.ask(question())

    assert outcomes(course) == ["a skipped dependency_unavailable", "b ok"]


def test_nobodys_credentials_can_be_had(engine: Engine) -> None:
    engine.add(with_key("a"), with_key("b"))
    engine.credentials = Away()

    fault = fails(engine, DependencyUnavailable)

    assert fault.status == 503
    assert engine.gates.admitted == []


def test_what_was_admitted_ahead_is_given_back_where_the_call_is_not_made(engine: Engine) -> None:
    engine.add(with_key("a", limits=ProviderLimits(max_concurrent=1)), provider("b"))
    engine.credentials = Away()
    request = question()
    course, plan = engine.course(request), engine.planner.plan(request)

    engine.calls.admit_ahead(plan[0], course)
    engine.dispatcher.ask(plan, course)
    settle(course)

    assert len(engine.gates.withdrawn) == 1
    assert engine.gates.all_ended_once


def test_limits_that_cannot_be_reached_let_nobody_through(two: Engine) -> None:
    two.gates.refusals.update({name: [DependencyUnavailable("The limits cannot be reached.")] for name in "ab"})

    fails(two, DependencyUnavailable)

    assert two.providers.called == []


# --- Structured output

BROKEN = Says(text='{"nome": "Ada"}', usage=Usage(input_tokens=100, output_tokens=50))
GOOD = Says(text='{"name": "Ada"}')


def test_an_answer_of_the_asked_form(alone: Engine) -> None:
    alone.providers.script("a", GOOD)

    answered, course = alone.ask(question(output=JSON))

    assert answered.json == {"name": "Ada"}
    assert outcomes(course) == ["a ok"]


def test_one_request_to_mend_it_carries_the_validators_message(alone: Engine) -> None:
    alone.providers.script("a", BROKEN, GOOD)

    answered, course = alone.ask(question(output=JSON))

    assert answered.json == {"name": "Ada"}
    assert outcomes(course) == ["a error response_validation_failed", "a ok"]
    assert [attempt.cost_usd for attempt in course.attempts] == [Decimal("0.00015"), Decimal("0.000015")]
    first, repair = (call.request for call in alone.providers.called)
    assert repair.messages[:-2] == first.messages
    assert repair.messages[-2].text == BROKEN.text
    assert "'name' is a required property" in repair.messages[-1].text
    assert (repair.output, repair.parameters) == (first.output, first.parameters)


def test_what_cannot_be_mended_falls_over(two: Engine) -> None:
    two.providers.script("a", BROKEN, BROKEN)
    two.providers.script("b", GOOD)

    answered, course = two.ask(question(output=JSON))

    assert answered.candidate.provider.id == "b"
    assert outcomes(course) == ["a error response_validation_failed"] * 2 + ["b ok"]
    # The next one is asked the question itself, not to mend another's answer.
    assert len(two.providers.called[-1].request.messages) == 1


def test_what_cannot_be_mended_is_an_error(alone: Engine) -> None:
    alone.providers.otherwise = BROKEN

    fault = fails(alone, ResponseValidationFailed, output=JSON)

    assert (fault.status, fault.code) == (502, "response_validation_failed")
    assert len(alone.providers.called) == 2


def test_nobodys_answer_has_the_form(two: Engine) -> None:
    two.providers.otherwise = BROKEN

    fails(two, NoProviderAvailable, output=JSON)

    assert two.providers.order == ["a", "a", "b", "b"]


@pytest.mark.parametrize("refusal", [ProviderRejected("No."), ContextWindowExceeded("Too long.")])
def test_a_provider_that_refuses_to_mend_does_not_make_the_request_wrong(two: Engine, refusal: Exception) -> None:
    two.providers.script("a", BROKEN, refusal)
    two.providers.script("b", GOOD)

    answered, course = two.ask(question(provider="a", output=JSON))

    assert answered.candidate.provider.id == "b"
    assert len(course.attempts) == 3
    two.providers.script("a", BROKEN, refusal)
    fails(two, ResponseValidationFailed, provider="a", fallback=(), output=JSON)


def test_mending_fails_for_another_reason(two: Engine) -> None:
    two.providers.script("a", BROKEN, failing(ProviderFailed))
    two.providers.script("b", GOOD)

    _, course = two.ask(question(output=JSON))

    assert outcomes(course) == ["a error response_validation_failed", "a error provider_error", "b ok"]


def test_mending_counts_as_a_call(engine: Engine) -> None:
    engine.add(provider("a", retry=RetryPolicy(max_attempts=6), circuit=NEVER_OPEN))
    engine.providers.script("a", *[failing(ProviderFailed)] * 5, BROKEN, GOOD)

    fails(engine, ResponseValidationFailed, output=JSON)

    assert len(engine.providers.called) == 6


def test_a_form_in_words_is_mended_in_words(engine: Engine) -> None:
    engine.add(provider("a", models=(ModelConfig(name="a-model", capabilities=frozenset()),)))
    engine.providers.script("a", Says(text="Ada."), Says(text='```json\n{"name": "Ada"}\n```'))

    answered, _ = engine.ask(question(output=JSON))

    assert answered.json == {"name": "Ada"}
    assert [call.request.output.type for call in engine.providers.called] == ["text", "text"]
    assert all("JSON schema" in call.request.system for call in engine.providers.called)


# --- Streams


def streamed(engine: Engine, course: Course, **asked) -> tuple[list[str], Answered | None, GatewayError | None]:
    """The pieces that came, and how it ended."""
    pieces: list[str] = []
    try:
        for item in engine.stream(question(**asked), course):
            if isinstance(item, Answered):
                settle(course)
                return pieces, item, None
            assert isinstance(item, TextDelta)
            pieces.append(item.text)
    except GatewayError as error:
        return pieces, None, error
    raise AssertionError("a stream ended without its answer")


def test_a_stream_falls_over_before_its_first_piece(two: Engine) -> None:
    course = two.course(question())
    two.providers.script("a", Raises(fault=lambda: ProviderFailed("No.")))

    pieces, answered, _ = streamed(two, course)

    assert pieces == ["Hello", "there."]
    assert answered.candidate.provider.id == "b"
    assert outcomes(course) == ["a error provider_error", "b ok"]
    assert two.gates.all_ended_once


def test_a_stream_does_not_fall_over_after_its_first_piece(two: Engine) -> None:
    course = two.course(question())
    two.providers.script("a", Raises(fault=lambda: ProviderUnreachable("Gone.", usage=USAGE), words=("Hel",)))

    pieces, answered, error = streamed(two, course)

    assert (pieces, answered, type(error)) == (["Hel"], None, ProviderUnreachable)
    assert error.provider == "a"
    assert two.providers.order == ["a"]
    assert two.gates.all_ended_once


def test_a_streamed_form_is_not_mended(two: Engine) -> None:
    course = two.course(question())
    two.providers.script("a", BROKEN)

    pieces, _, error = streamed(two, course, output=JSON)

    assert "".join(pieces) == '{"nome":"Ada"}'
    assert type(error) is ResponseValidationFailed
    assert two.providers.order == ["a"]


def test_closing_a_stream_ends_the_providers_work_at_once(two: Engine) -> None:
    course = two.course(question())
    items = two.stream(question(), course)
    next(items)
    # Not by the garbage collector, which comes when it likes.
    gc.disable()
    try:
        held = items.gi_frame.f_locals, items.gi_yieldfrom
        items.close()
        assert two.providers.left == ["a"]
    finally:
        gc.enable()

    del held
    assert outcomes(course) == ["a cancelled"]
    assert course.attempts[0].cost_usd > 0
    assert two.providers.order == ["a"]
    assert two.gates.all_ended_once


def test_closing_a_stream_that_was_never_read_calls_nobody(two: Engine) -> None:
    two.stream(question(), two.course(question())).close()

    assert two.gates.admitted == []


# --- What the gateway's clock says about a call


def test_the_price_is_that_of_the_day(engine: Engine) -> None:
    days: list = []

    class Prices:
        def cost(self, *_: object, at, **__: object) -> Decimal | None:
            days.append(at)
            return Decimal("0.25")

    engine.prices = Prices()
    engine.add(provider("a"))
    engine.providers.script("a", Says(after_s=2))

    _, course = engine.ask(question())

    assert days == [engine.clock.now()]
    assert course.attempts[0].cost_usd == Decimal("0.25")
    assert engine.clock.now() - days[0] == timedelta()
