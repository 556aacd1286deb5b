"""Closing: whatever fails while a query ends, it ends, and holds nothing any more."""

from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

import pytest
from llm_gateway.domain.caching import CachedAnswer, Pending
from llm_gateway.domain.chat import Parameters
from llm_gateway.domain.faults import CallCancelled, ProviderFailed
from llm_gateway.domain.providers import ProviderLimits
from llm_gateway.domain.queries import Query, QueryRequest, QueryStatus
from llm_gateway.errors import DependencyUnavailable, NotDone, QueryInProgress
from llm_gateway.services.queries.closing import NOT_STORED

from tests.adapters.engine import provider, question
from tests.adapters.journal import RecordingJournal
from tests.adapters.prices import FlatPrices
from tests.adapters.query_engine import QueryEngine, idempotency
from tests.adapters.recording_gates import RecordingGates
from tests.adapters.scripted_providers import Says, failing

AWAY = DependencyUnavailable("It cannot be reached.")
UNFORESEEN = RuntimeError("Nobody foresaw this.")
# A half of a surrogate pair: no store can write it, and no counter can read it.
UNWRITABLE = UnicodeEncodeError("utf-8", "\ud83d", 0, 1, "surrogates not allowed")


@dataclass
class FailingJournal(RecordingJournal):
    fault: Exception | None = None
    written: list[Any] = field(default_factory=list)
    lines: list[Any] = field(default_factory=list)

    def ended(self, *arguments: Any, **named: Any) -> None:
        super().ended(*arguments, **named)
        if self.fault:
            raise self.fault


class FailingPrices(FlatPrices):
    fault: Exception | None = None

    def cost(self, *arguments: Any, **named: Any) -> Any:
        if self.fault:
            raise self.fault
        return super().cost(*arguments, **named)


def engine_with(fault: Exception, step: str) -> QueryEngine:
    """One whose `step` fails while a query ends, and whose provider has one place."""
    engine = QueryEngine(journal=FailingJournal(), prices=FailingPrices())
    engine.add(provider("a", limits=ProviderLimits(max_concurrent=1)))
    order: dict[str, Callable[[], object]] = {
        "record": lambda: engine.queries.faults.update(finish=[fault] * (6 if fault is AWAY else 1)),
        "first record": lambda: engine.queries.faults.update(add=[fault]),
        "cache": lambda: engine.cache.faults.update(put=fault),
        "idempotency": lambda: engine.keys.faults.update(complete=fault),
        "journal": lambda: setattr(engine.journal, "fault", fault),
        "price": lambda: setattr(engine.prices, "fault", fault),
        "gate": lambda: _fail_to_settle(engine.gates, fault),
    }
    order[step]()
    return engine


def _fail_to_settle(gates: RecordingGates, fault: Exception) -> None:
    """The end is noted, and something fails after that."""
    settle = type(gates).settle

    class Failing(RecordingGates):
        def settle(self, *arguments: Any) -> None:
            settle(self, *arguments)
            raise fault

    gates.__class__ = Failing


STEPS = ["record", "first record", "cache", "idempotency", "journal", "price", "gate"]
FAULTS = [AWAY, UNFORESEEN, UNWRITABLE]
BEHAVIORS = {"answered": Says(), "failed": failing(ProviderFailed), "cancelled": failing(CallCancelled)}


def asking(mode: str) -> QueryRequest:
    parameters = Parameters(temperature=0, max_output_tokens=100)
    return question(mode=mode, timeout_s=25 if mode == "sync" else 300, parameters=parameters)


def ask(engine: QueryEngine, mode: str) -> Query | None:
    """The end of a query under an idempotency key, as its caller reads it; None where that is a problem."""
    asked = engine.asked(asking(mode), idempotency=idempotency())
    with suppress(Exception):
        if mode == "stream":
            *_, end = engine.asking.stream(asked)
            return end if isinstance(end, Query) else None
        if mode == "sync":
            return engine.run(asked)
        query = engine.accept(asked)
        for count in range(1, 9):
            with suppress(NotDone):
                engine.worker.process(engine.delivery(query.id, count=count))
                break
            engine.clock.sleep(60)
    return None


def stored(engine: QueryEngine) -> list[QueryStatus]:
    """How the queries that are kept read now."""
    return [engine.queries.port.get(query_id).status for query_id in engine.queries.port._stored]


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: type(fault).__name__)
@pytest.mark.parametrize("mode", ["sync", "stream", "async"])
@pytest.mark.parametrize("behavior", BEHAVIORS)
@pytest.mark.parametrize("step", STEPS)
def test_it_ends_and_holds_nothing(step: str, behavior: str, mode: str, fault: Exception) -> None:
    if mode == "async" and step == "first record":
        pytest.skip("A queued query has its record before anybody works on it.")
    engine = engine_with(fault, step)
    engine.providers.script("a", *[BEHAVIORS[behavior]] * 3)
    seat = engine.seat_of(asking(mode))

    end = ask(engine, mode)

    # The gate's place is free, and every call was settled.
    assert engine.gates.all_ended_once
    engine.gates.withdraw(engine.gates.gates.admit(engine.store.get("a"), tokens=0, timeout_s=1))
    # Nobody waits for an answer that does not come.
    assert not isinstance(engine.cache.port.peek(seat), Pending)
    # A caller that is told of an end finds it, or is told that it was not kept.
    if end is not None:
        assert end.status is QueryStatus.SUCCEEDED
        assert stored(engine) == [QueryStatus.SUCCEEDED] or NOT_STORED in end.answer.warnings
    if fault is AWAY and step == "record":
        # Nobody could write it: it reads as failed when its time is over.
        engine.clock.advance(1000)
    assert all(status.finished for status in stored(engine))
    # The same request is answered, be it anew: its key is completed or free.
    engine.queries.faults.clear()
    engine.cache.faults.clear()
    engine.keys.faults.clear()
    engine.providers.scripts.clear()
    if mode != "async" and not (step == "idempotency" and fault is AWAY):
        with suppress_problem(behavior):
            assert ask_again(engine, mode).status is QueryStatus.SUCCEEDED


def suppress_problem(behavior: str) -> Any:
    """A failure that counts is told again; one that does not is answered anew. Never is it still on its way."""
    return suppress(*([CallCancelled] if behavior == "cancelled" else []))


def ask_again(engine: QueryEngine, mode: str) -> Query:
    engine.journal.fault = engine.prices.fault = None
    engine.gates.__class__ = RecordingGates
    asked = engine.asked(asking(mode), idempotency=idempotency())
    try:
        found = engine.asking.run(asked) if mode == "sync" else list(engine.asking.stream(asked))[-1]
    except QueryInProgress:
        pytest.fail("The key is still held by a query that has ended.")
    return found if isinstance(found, Query) else found.made


@pytest.mark.parametrize("mode", ["stream", "async"])
def test_an_answer_that_cannot_be_stored_ends_as_a_failure(mode: str) -> None:
    engine = engine_with(UNWRITABLE, "record")
    engine.queries.faults["finish"] = [UNWRITABLE]

    ask(engine, mode)

    (kept,) = engine.queries.port._stored.values()
    assert (kept.query.status, kept.query.problem.code) == (QueryStatus.FAILED, "internal_error")
    assert engine.journal.story == [(kept.query.id, "failed")]
    assert not isinstance(engine.cache.port.peek(engine.seat_of(asking(mode))), CachedAnswer | Pending)
    # It was paid for, and the same answer would end in the same way.
    assert len(engine.providers.called) == 1
