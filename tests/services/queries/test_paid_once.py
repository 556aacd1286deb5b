"""What a provider was paid for is asked for once: whatever fails after that, the query ends, and says what it knows."""

from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import replace
from typing import Any

import pytest
from llm_gateway.domain.chat import OutputFormat, Usage
from llm_gateway.domain.faults import ProviderRejected, ProviderTimeout
from llm_gateway.domain.idempotency import Replayed
from llm_gateway.domain.pii import PiiRule
from llm_gateway.domain.queries import AttemptOutcome, Query, QueryRequest, QueryStatus, StoredProblem
from llm_gateway.errors import AnswerLost, DependencyUnavailable, GatewayError, NotDone
from llm_gateway.services.queries.closing import NOT_STORED

from tests.adapters.engine import provider, question
from tests.adapters.prices import FlatPrices
from tests.adapters.query_engine import QueryEngine, idempotency
from tests.adapters.scripted_providers import USAGE, Says
from tests.services.queries.charging import BOTH, COST, is_settled

AWAY = DependencyUnavailable("It cannot be reached.")
UNWRITABLE = UnicodeEncodeError("utf-8", "\ud83d", 0, 1, "surrogates not allowed")
OWN = "anna.novak@example.com"
MODES = ["sync", "stream", "async"]


class Meanwhile(FlatPrices):
    """Once a provider has answered, and before anything else is done, `then` happens."""

    then: Callable[[], object] | None = None

    def cost(self, *arguments: Any, usage: Usage, **named: Any) -> Any:
        # Before that it is foretold what a call may cost at most.
        if self.then is not None and usage == USAGE:
            self.then()
        return super().cost(*arguments, usage=usage, **named)


@pytest.fixture
def engine() -> QueryEngine:
    engine = QueryEngine(prices=Meanwhile())
    engine.add(provider("a"))
    engine.providers.otherwise = Says(text=f"Write to {OWN}, too.")
    return engine


def cannot_read(text: str) -> Iterator[Any]:
    raise RuntimeError(f"cannot read {text}")


def break_detector(engine: QueryEngine) -> None:
    engine.gateway.outside.detector.find = cannot_read  # type: ignore[method-assign]


def break_seal(engine: QueryEngine) -> None:
    seal: Any = engine.gateway.outside.seal
    seal._keys.is_down = True
    seal._forget(BOTH.key_id)


BREAK = {"detector": break_detector, "seal": break_seal}


def ask(engine: QueryEngine, mode: str, request: QueryRequest, *, rule: PiiRule | None) -> Query | GatewayError:
    """How the query ended; a queued one after as many deliveries as there may be, and on to what was sent in their place."""
    caller = replace(BOTH, pii=() if rule is None else (rule,))
    asked = engine.asked(replace(request, mode=mode), caller=caller, idempotency=idempotency())
    try:
        if mode == "sync":
            found = engine.asking.run(asked)
        elif mode == "stream":
            found = [*engine.asking.stream(asked)][-1]  # type: ignore[assignment]
        else:
            return deliver(engine, engine.accept(asked))
    except GatewayError as error:
        return error
    return found.made if isinstance(found, Replayed) else found


def deliver(engine: QueryEngine, query: Query) -> Query:
    for count in range(1, 6):
        message = engine.queue.sent[-1]
        delivery = replace(engine.delivery(query.id, count=count), is_paid=message.is_paid)
        with suppress(NotDone, UnicodeEncodeError):
            engine.worker.process(delivery)
        if (ended := engine.queries.port.get(query.id)).status.finished:
            break
        engine.clock.sleep(60)
    return ended


def stored(engine: QueryEngine) -> Query:
    (kept,) = engine.queries.port._stored.values()
    query: Query = kept.query
    return query


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("rule", [PiiRule.LOG, PiiRule.MASK])
@pytest.mark.parametrize("broken", BREAK)
def test_an_answer_that_cannot_be_looked_into_is_withheld_and_counted(
    engine: QueryEngine, broken: str, rule: PiiRule, mode: str
) -> None:
    if (broken, rule) == ("seal", PiiRule.LOG):
        pytest.skip("What is redacted is not sealed.")
    engine.prices.then = lambda: BREAK[broken](engine)  # type: ignore[attr-defined]
    ended = ask(engine, mode, question(timeout_s=28 if mode == "sync" else 600), rule=rule)

    assert len(engine.providers.called) == 1
    kept = stored(engine)
    assert kept.problem is not None
    assert (kept.status, kept.problem.status, kept.problem.code) == (QueryStatus.FAILED, 500, "answer_withheld")
    assert kept.figures is not None
    assert kept.figures.cost_usd == COST
    assert is_settled(engine, spent=COST)
    assert OWN not in repr(kept) + repr(engine.journal.written)
    assert engine.journal.story == [(kept.id, "failed")]
    if mode != "async":
        # Those who wait have their answer all the same, and are told.
        assert isinstance(ended, Query)
        assert OWN in str(ended.answer.output.text)  # type: ignore[union-attr]
        assert NOT_STORED in ended.answer.warnings  # type: ignore[union-attr]
        engine.prices.then = None  # type: ignore[attr-defined]
        again = ask(engine, mode, question(timeout_s=28 if mode == "sync" else 600), rule=None)
        assert not isinstance(again, Query) or again.status is QueryStatus.FAILED
        assert len(engine.providers.called) == 1


def assert_lost(told: Query | GatewayError, *, by: type[Exception], outcome: AttemptOutcome) -> None:
    """The caller reads that somebody was paid, and the door what nobody foresaw."""
    assert isinstance(told, AnswerLost)
    assert told.query_id is not None
    assert [(attempt.outcome, attempt.cost_usd) for attempt in told.attempts] == [(outcome, COST)]
    assert isinstance(told.__cause__, by)


@pytest.mark.parametrize("mode", ["sync", "stream"])
def test_an_answer_that_cannot_be_written_is_told_of_as_lost(engine: QueryEngine, mode: str) -> None:
    engine.queries.faults["add" if mode == "sync" else "finish"] = [UNWRITABLE] * 2
    told = ask(engine, mode, question(timeout_s=28), rule=None)
    assert_lost(told, by=UnicodeEncodeError, outcome=AttemptOutcome.OK)
    assert len(engine.providers.called) == 1
    assert is_settled(engine, spent=COST)


@pytest.mark.parametrize("mode", ["sync", "stream"])
def test_a_failure_that_cannot_be_written_tells_of_its_calls(engine: QueryEngine, mode: str) -> None:
    engine.providers.script("a", ProviderRejected("It did not take that."))
    engine.queries.faults["add" if mode == "sync" else "finish"] = [UNWRITABLE] * 2
    told = ask(engine, mode, question(timeout_s=28), rule=None)
    assert type(told) is GatewayError
    assert {attempt.error_code for attempt in told.attempts} == {"validation_failed"}
    assert isinstance(told.__cause__, UnicodeEncodeError)


@pytest.mark.parametrize("fault", [AWAY, UNWRITABLE], ids=["away", "unwritable"])
def test_an_end_that_cannot_be_stored_is_told_of_as_lost(engine: QueryEngine, fault: Exception) -> None:
    engine.queries.faults["finish"] = [fault] * 6
    ended = ask(engine, "async", question(timeout_s=600), rule=None)
    assert isinstance(ended, Query)
    assert ended.problem is not None
    assert (ended.status, ended.problem.code) == (QueryStatus.FAILED, "answer_lost")
    assert len(engine.providers.called) == 1
    assert is_settled(engine, spent=COST)


def test_an_outage_of_half_a_minute_loses_nothing(engine: QueryEngine) -> None:
    engine.queries.faults["finish"] = [AWAY] * 5
    ended = ask(engine, "async", question(timeout_s=600), rule=None)
    assert isinstance(ended, Query)
    assert ended.status is QueryStatus.SUCCEEDED
    assert len(engine.providers.called) == 1


@pytest.mark.parametrize("mode", ["sync", "async"])
def test_an_answer_that_nobody_foresaw_is_lost_and_not_asked_for_again(engine: QueryEngine, mode: str) -> None:
    engine.providers.otherwise = Says(text=5)  # type: ignore[arg-type]
    request = question(timeout_s=28 if mode == "sync" else 600, output=OutputFormat(type="json"))
    told = ask(engine, mode, request, rule=None)
    if mode != "async":
        assert_lost(told, by=AttributeError, outcome=AttemptOutcome.ERROR)
        again = ask(engine, mode, request, rule=None)
        assert isinstance(again, StoredProblem)
        assert again.code == "answer_lost"
    assert len(engine.providers.called) == 1
    assert stored(engine).problem.code == "answer_lost"  # type: ignore[union-attr]
    assert is_settled(engine, spent=COST)


def test_who_took_too_long_is_remembered_although_nothing_can_be_said_of_it(engine: QueryEngine) -> None:
    engine.providers.script("a", ProviderTimeout("It took too long."), ProviderTimeout("It took too long."))
    caller = replace(BOTH, pii=(PiiRule.LOG,))
    query = engine.accept(engine.asked(question(mode="async", timeout_s=600), caller=caller))
    break_detector(engine)
    deliver(engine, query)
    assert len(engine.providers.called) == 2, (
        "a provider that is probably paid each time is asked twice, and then no more"
    )
