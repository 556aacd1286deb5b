"""A query that is asked and answered at once: what its caller gets, and what is kept of it."""

from contextlib import suppress
from dataclasses import dataclass, field, replace
from decimal import Decimal
from itertools import product

import pytest
from llm_gateway.domain.chat import FinishReason, OutputFormat, Parameters, Usage
from llm_gateway.domain.faults import ProviderAuthFailed, ProviderFailed, ProviderRateLimited, ProviderRejected
from llm_gateway.domain.keys import Caller, Role
from llm_gateway.domain.providers import RetryPolicy
from llm_gateway.domain.queries import Query, QueryRequest, QueryStatus
from llm_gateway.errors import (
    DependencyUnavailable,
    GatewayError,
    NoProviderAvailable,
    ProviderNotFound,
    QueryExpired,
    QueryNotFound,
    ValidationFailed,
)
from llm_gateway.services.queries.asking import Asked
from llm_gateway.services.queries.closing import NOT_STORED

from tests.adapters.clock import FakeClock
from tests.adapters.engine import provider, question
from tests.adapters.gates import in_memory_gates
from tests.adapters.gateway import FakeGateway
from tests.adapters.outside import FakeOutside
from tests.adapters.prices import FlatPrices
from tests.adapters.recording_gates import RecordingGates
from tests.adapters.scripted_providers import USAGE, Raises, Says, ScriptedProviders, failing

CALLER = Caller(key_id="key_1", role=Role.CALLER)
BILLED = Decimal(USAGE.total_tokens) / 1_000_000
JSON = OutputFormat(type="json")


def _still(*, unpriced: tuple[str, ...] = ()) -> FakeOutside:
    outside = FakeOutside(clock=FakeClock(), prices=FlatPrices(*unpriced))
    outside.models = ScriptedProviders(clock=outside.clock)
    outside.gates = RecordingGates(gates=in_memory_gates(outside.clock, outside.ids))
    return outside


@dataclass(frozen=True)
class StillGateway(FakeGateway):
    """A gateway whose time stands still, and whose providers take theirs."""

    outside: FakeOutside = field(default_factory=_still)

    @property
    def scripted(self) -> ScriptedProviders:
        return self.outside.models

    @property
    def recorded(self) -> RecordingGates:
        return self.outside.gates

    def ask(self, request: QueryRequest | None = None, *, since_s: float | None = None) -> Query:
        received_s = self.outside.clock.monotonic_s() if since_s is None else since_s
        asked = Asked(request=request or question(), caller=CALLER, received_s=received_s)
        query = self.asking.run(asked)
        assert isinstance(query, Query)
        return query

    def fail(self, kind: type[Exception], request: QueryRequest | None = None) -> GatewayError:
        with pytest.raises(kind) as caught:
            self.ask(request)
        return caught.value


@pytest.fixture
def gateway() -> StillGateway:
    gateway = StillGateway()
    gateway.outside.provider_store.add(provider("a"))
    gateway.outside.provider_store.add(provider("b"))
    return gateway


# --- Answers


def test_an_answer_tells_all_about_itself(gateway: StillGateway) -> None:
    usage = Usage(input_tokens=100, output_tokens=20, cached_input_tokens=60, reasoning_tokens=5)
    gateway.scripted.script("a", failing(ProviderFailed, after_s=0.5))
    gateway.scripted.script("b", Says(text="Hello!", after_s=1.5, usage=usage, finish=FinishReason.LENGTH, model="b-1"))

    query = gateway.ask(question(metadata={"customer": "42"}))

    assert query.id.startswith("qry_")
    assert (query.owner, query.status, query.attempts) == ("key_1", QueryStatus.SUCCEEDED, 1)
    assert query.request.metadata == {"customer": "42"}
    assert (query.completed_at - query.created_at).total_seconds() == 2
    answer = query.answer
    assert (answer.output.text, answer.output.json, answer.output.tool_calls) == ("Hello!", None, ())
    assert (answer.provider, answer.model, answer.finish_reason) == ("b", "b-1", FinishReason.LENGTH)
    assert answer.usage == usage
    assert [(attempt.provider, attempt.latency_ms) for attempt in answer.attempts] == [("a", 500), ("b", 1500)]
    assert answer.cost_usd == Decimal(120) / 1_000_000
    assert not answer.cache.hit
    assert answer.warnings == ("b/b-model answered, since a/a-model did not (provider_error).",)


def test_the_first_candidates_answer_has_no_warning(gateway: StillGateway) -> None:
    gateway.scripted.script("a", failing(ProviderAuthFailed))

    assert gateway.ask(question(provider="b", fallback=("*",))).answer.warnings == ()
    gateway.fail(ProviderAuthFailed, question(provider="a"))
    assert gateway.scripted.order == ["b", "a"]


def test_what_was_answered_is_kept_as_it_was(gateway: StillGateway) -> None:
    query = gateway.ask()

    kept = gateway.reading.get(query.id, caller=CALLER)

    assert kept.answer == query.answer
    assert (kept.status, kept.request) == (QueryStatus.SUCCEEDED, query.request)
    assert gateway.reading.summary(query.id, caller=CALLER).status is QueryStatus.SUCCEEDED


def test_json_comes_parsed(gateway: StillGateway) -> None:
    gateway.scripted.script("a", Says(text='{"name": "Ada"}'))

    assert gateway.ask(question(output=JSON)).answer.output.json == {"name": "Ada"}


def test_all_that_was_billed_is_in_the_cost(gateway: StillGateway) -> None:
    gateway.scripted.script("a", Says(text="No JSON"), Says(text="Nor this"))
    gateway.scripted.script("b", Says(text="{}"))

    answer = gateway.ask(question(output=JSON)).answer

    assert [attempt.cost_usd for attempt in answer.attempts] == [BILLED] * 3
    assert answer.cost_usd == 3 * BILLED


def test_a_failed_call_whose_price_nobody_knows_is_no_part_of_the_cost(gateway: StillGateway) -> None:
    gateway.scripted.script("a", failing(ProviderFailed))

    answer = gateway.ask().answer

    assert [attempt.cost_usd for attempt in answer.attempts] == [None, BILLED]
    assert answer.cost_usd == BILLED


def test_an_answer_whose_price_nobody_knows_has_none() -> None:
    gateway = StillGateway(outside=_still(unpriced=("b-model",)))
    gateway.outside.provider_store.add(provider("a"))
    gateway.outside.provider_store.add(provider("b"))
    gateway.scripted.script("a", Raises(fault=lambda: ProviderFailed("It failed.", usage=USAGE)))

    answer = gateway.ask().answer

    assert [attempt.cost_usd for attempt in answer.attempts] == [BILLED, None]
    assert answer.cost_usd is None


# --- Time


def test_the_parts_of_the_time_are_its_whole(gateway: StillGateway) -> None:
    gateway.outside.provider_store.add(provider("0", retry=RetryPolicy(max_attempts=2)))
    gateway.scripted.script("0", failing(ProviderRateLimited, retry_after_s=1.2, after_s=0.3), Says(after_s=0.4))
    gateway.outside.clock.advance(0.125)

    latency = gateway.ask(since_s=0).answer.latency

    assert latency.provider_ms == 700
    assert latency.overhead_ms == 125
    assert 1_200 <= latency.waiting_ms <= 1_450
    assert latency.total_ms == latency.provider_ms + latency.waiting_ms + latency.overhead_ms


def test_rounding_never_makes_the_overhead_less_than_nothing(gateway: StillGateway) -> None:
    gateway.outside.provider_store.add(provider("0", retry=RetryPolicy(max_attempts=2)))
    for first_s, second_s, waited_s in product([0.0004, 0.0006, 0.00149], [0.0002, 0.0007], [0.0004, 0.3006, 1.0005]):
        fault = failing(ProviderRateLimited, retry_after_s=waited_s, after_s=first_s)
        gateway.scripted.script("0", fault, Says(after_s=second_s))

        latency = gateway.ask().answer.latency

        assert 0 <= latency.overhead_ms <= 1
        assert latency.total_ms == latency.provider_ms + latency.waiting_ms + latency.overhead_ms


def test_the_time_runs_from_when_the_request_came(gateway: StillGateway) -> None:
    gateway.outside.clock.advance(7)

    gateway.ask(question(timeout_s=10, fallback=()), since_s=0)

    assert gateway.scripted.called[0].timeouts.total_s == 3


# --- Failures


def test_a_query_that_failed_is_kept_with_its_problem(gateway: StillGateway) -> None:
    gateway.scripted.otherwise = failing(ProviderFailed, after_s=0.25)

    error = gateway.fail(NoProviderAvailable)

    kept = gateway.reading.get(error.query_id, caller=CALLER)
    assert (kept.status, kept.answer, kept.attempts) == (QueryStatus.FAILED, None, 1)
    assert (kept.problem.status, kept.problem.code) == (503, "no_provider_available")
    assert (kept.problem.title, kept.problem.detail) == (error.title, error.detail)
    assert [attempt.provider for attempt in error.attempts] == ["a", "b"]
    assert tuple(kept.problem.attempts) == tuple(error.attempts)
    assert (kept.completed_at - kept.created_at).total_seconds() == 0.5


def test_the_only_ones_problem_names_it(gateway: StillGateway) -> None:
    gateway.scripted.script("b", failing(ProviderRateLimited, retry_after_s=9))

    error = gateway.fail(ProviderRateLimited, question(provider="b", fallback=()))

    kept = gateway.reading.get(error.query_id, caller=CALLER)
    assert (error.provider, error.retry_after_s) == ("b", 9)
    assert (kept.problem.provider, kept.problem.status) == ("b", 429)


def test_a_request_that_the_provider_rejects_was_a_query(gateway: StillGateway) -> None:
    gateway.scripted.script("a", failing(ProviderRejected))

    error = gateway.fail(ProviderRejected)

    assert gateway.reading.get(error.query_id, caller=CALLER).problem.status == 422


@pytest.mark.parametrize(
    ("asked", "kind"),
    [
        ({"provider": "nobody"}, ProviderNotFound),
        ({"model": "of-nobody"}, ValidationFailed),
        ({"output": OutputFormat(type="json_schema", schema={"type": "objekt"})}, ValidationFailed),
    ],
)
def test_what_cannot_be_planned_leaves_no_trace(gateway: StillGateway, asked: dict, kind: type[Exception]) -> None:
    error = gateway.fail(kind, question(**asked))

    assert (error.query_id, error.attempts) == (None, ())
    assert gateway.recorded.admitted == []


# --- What is let through is ended


@pytest.mark.parametrize(
    "behaviors",
    [
        [Says()],
        [Says(text="No JSON"), Says(text="{}")],
        [failing(ProviderFailed)],
        [failing(ProviderRejected)],
        [Says(after_s=100)],
        [Raises(fault=lambda: KeyError("ours"))],
    ],
    ids=["answer", "mended", "failed", "rejected", "too late", "mistake"],
)
@pytest.mark.parametrize("parameters", [Parameters(), Parameters(temperature=0)], ids=["", "cached"])
def test_every_call_that_was_let_through_is_ended_once(gateway: StillGateway, behaviors, parameters) -> None:
    gateway.scripted.script("a", *behaviors)
    gateway.scripted.otherwise = Says(text="{}")

    with suppress(Exception):
        gateway.ask(question(output=JSON, parameters=parameters))

    assert gateway.recorded.admitted
    assert gateway.recorded.all_ended_once


def test_an_answer_from_the_cache_lets_nobody_through(gateway: StillGateway) -> None:
    deterministic = question(parameters=Parameters(temperature=0))
    gateway.ask(deterministic)

    again = gateway.ask(deterministic)

    assert again.answer.cache.hit
    assert len(gateway.scripted.called) == 1
    assert gateway.recorded.all_ended_once


# --- Stores that are away


def away(*_: object, **__: object) -> None:
    raise DependencyUnavailable("The queries cannot be reached.", retry_after_s=1)


def test_an_answer_that_cannot_be_kept_goes_out_and_says_so(gateway: StillGateway, monkeypatch) -> None:
    monkeypatch.setattr(gateway.outside.query_store, "add", away)

    query = gateway.ask()

    assert query.answer.output.text == "Hello there."
    assert query.answer.cost_usd == BILLED
    assert query.answer.warnings == (NOT_STORED,)
    assert gateway.recorded.all_ended_once
    with pytest.raises(QueryNotFound):
        gateway.reading.get(query.id, caller=CALLER)


def test_a_failure_that_cannot_be_kept_is_told_all_the_same(gateway: StillGateway, monkeypatch) -> None:
    monkeypatch.setattr(gateway.outside.query_store, "add", away)
    gateway.scripted.otherwise = failing(ProviderFailed)

    assert gateway.fail(NoProviderAvailable).attempts
    assert gateway.recorded.all_ended_once


def test_nobody_is_asked_where_the_limits_cannot_be_reached(gateway: StillGateway) -> None:
    gateway.recorded.refusals.update({name: [DependencyUnavailable("Limits are away.")] for name in "ab"})

    error = gateway.fail(DependencyUnavailable)

    assert error.status == 503
    assert gateway.scripted.called == []


# --- Whose it is


def test_a_query_is_its_owners(gateway: StillGateway) -> None:
    query = gateway.ask()

    for see in (gateway.reading.get, gateway.reading.summary):
        assert see(query.id, caller=CALLER).id == query.id
        assert see(query.id, caller=Caller(key_id="key_9", role=Role.ADMIN)).id == query.id
        with pytest.raises(QueryNotFound):
            see(query.id, caller=replace(CALLER, key_id="key_2"))


def test_an_auditor_sees_that_a_query_was_but_not_what(gateway: StillGateway) -> None:
    query, auditor = gateway.ask(), Caller(key_id="key_9", role=Role.AUDITOR)

    assert gateway.reading.summary(query.id, caller=auditor).id == query.id
    with pytest.raises(QueryNotFound):
        gateway.reading.get(query.id, caller=auditor)


def test_a_query_that_is_kept_no_longer_is_gone(gateway: StillGateway) -> None:
    query = gateway.ask()
    gateway.outside.clock.advance(31 * 86_400)

    with pytest.raises(QueryExpired):
        gateway.reading.get(query.id, caller=CALLER)
    with pytest.raises(QueryNotFound):
        gateway.reading.get("qry_nonsense", caller=CALLER)
