"""The journal's promise: each query's end is written down once, by the process that ended it, and every call is counted once."""

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import replace
from datetime import timedelta

import pytest
from llm_gateway.domain.faults import ProviderFailed
from llm_gateway.domain.keys import Caller, Role
from llm_gateway.domain.queries import Query, is_sampled
from llm_gateway.errors import DependencyUnavailable, GatewayError, NotDone
from llm_gateway.services.queries.asking import Asked

from tests.adapters.engine import provider, question
from tests.adapters.query_engine import ALICE, QueryEngine
from tests.adapters.scripted_providers import USAGE, Raises

AWAY = DependencyUnavailable("It cannot be reached.")
LEASE_S = 60


@pytest.fixture
def engine() -> QueryEngine:
    return QueryEngine().add(provider("a"))  # type: ignore[return-value]


def queued(engine: QueryEngine, caller: Caller = ALICE, *, timeout_s: float = 25) -> Query:
    return engine.accept(asked(engine, "async", caller, timeout_s=timeout_s))


def asked(engine: QueryEngine, mode: str, caller: Caller = ALICE, *, timeout_s: float = 25) -> Asked:
    return engine.asked(question(mode=mode, timeout_s=timeout_s), caller=caller)


def process(engine: QueryEngine, query: Query, *, count: int = 1) -> bool:
    try:
        engine.worker.process(engine.delivery(query.id, count=count))
    except NotDone:
        return False
    return True


def bury(engine: QueryEngine, query: Query) -> None:
    engine.worker.bury(engine.delivery(query.id))


def cancel(engine: QueryEngine, query: Query) -> None:
    engine.reading.cancel(query.id, caller=ALICE)


def erase(engine: QueryEngine, query: Query) -> None:
    engine.reading.erase(query.id, caller=ALICE)


def dies_at_work(engine: QueryEngine, query: Query) -> None:
    """A worker takes the query up and is never heard of again."""
    assert engine.queries.port.claim(query.id, until=engine.clock.now() + timedelta(seconds=LEASE_S))


def paid_failure() -> Raises:
    return Raises(fault=lambda: ProviderFailed("500", usage=USAGE))


def every_call_is_counted_once(engine: QueryEngine) -> None:
    assert len(engine.journal.calls) == len(engine.providers.called)
    assert len({id(call) for call in engine.journal.calls}) == len(engine.journal.calls)


# Each that may end it


def test_a_queued_query_that_is_cancelled(engine: QueryEngine) -> None:
    query = queued(engine)
    cancel(engine, query)
    cancel(engine, query)
    assert process(engine, query)
    assert engine.journal.story == [(query.id, "cancelled")]
    assert (engine.journal.written[0].mode, engine.journal.written[0].owner) == ("async", ALICE.key_id)


@pytest.mark.parametrize("finder", [process, bury, cancel])
def test_one_to_be_cancelled_whose_holder_died(
    engine: QueryEngine, finder: Callable[[QueryEngine, Query], object]
) -> None:
    query = queued(engine)
    dies_at_work(engine, query)
    cancel(engine, query)
    assert engine.journal.story == []
    engine.clock.sleep(LEASE_S)
    for _ in range(2):
        finder(engine, query)
    assert engine.journal.story == [(query.id, "cancelled")]
    assert engine.providers.called == []


def test_one_to_be_cancelled_whose_holder_lives_is_left_to_him(engine: QueryEngine) -> None:
    query = queued(engine)
    dies_at_work(engine, query)
    cancel(engine, query)
    assert not process(engine, query)
    bury(engine, query)
    assert engine.journal.story == []


def test_a_dead_letter_after_failures_that_cost(engine: QueryEngine) -> None:
    query = queued(engine)
    engine.providers.script("a", *[paid_failure()] * 2)
    for count in (1, 2):
        assert not process(engine, query, count=count)
    assert [what for what, *_ in engine.journal.lines] == ["spent", "spent"]
    for _ in range(2):
        bury(engine, query)
    assert engine.journal.story == [(query.id, "failed")]
    (buried,) = engine.journal.written
    assert buried.problem is not None
    assert buried.problem.code == "provider_error"
    every_call_is_counted_once(engine)


def test_a_dead_letter_of_which_nobody_ever_heard(engine: QueryEngine) -> None:
    query = queued(engine)
    bury(engine, query)
    assert engine.journal.lines == [("ended", query.id, ())]


def test_a_queued_query_that_is_erased(engine: QueryEngine) -> None:
    query = queued(engine)
    erase(engine, query)
    assert process(engine, query)
    bury(engine, query)
    assert engine.journal.story == [(query.id, "cancelled")]


def test_one_whose_time_was_up_is_written_down_as_failed_when_it_is_erased(engine: QueryEngine) -> None:
    query = queued(engine)
    engine.clock.sleep(26)
    erase(engine, query)
    assert engine.journal.story == [(query.id, "failed")]


def test_one_that_is_erased_at_its_end_is_written_down_no_second_time(engine: QueryEngine) -> None:
    query = queued(engine)
    process(engine, query)
    erase(engine, query)
    assert engine.journal.story == [(query.id, "succeeded")]


def test_one_that_is_erased_while_it_is_answered_costs_all_the_same(engine: QueryEngine) -> None:
    query = queued(engine)
    engine.queries.first["finish"] = lambda: erase(engine, query)
    assert process(engine, query)
    assert engine.journal.story == [(query.id, "cancelled")]
    assert [what for what, *_ in engine.journal.lines] == ["ended", "spent"]
    every_call_is_counted_once(engine)


@pytest.mark.parametrize("leaves", [False, True], ids=["to the end", "leaves"])
def test_a_stream_that_is_erased_costs_all_the_same(engine: QueryEngine, leaves: bool) -> None:
    stream = engine.asking.stream(asked(engine, "stream"))
    opened = next(stream)
    engine.reading.erase(opened.query_id, caller=ALICE)  # type: ignore[union-attr]
    with suppress(GatewayError):
        stream.close() if leaves else list(stream)
    assert engine.journal.story == [(opened.query_id, "cancelled")]  # type: ignore[union-attr]
    assert engine.journal.written[0].mode == "stream"
    every_call_is_counted_once(engine)


# Tries that do not end it


def test_what_was_put_back_is_counted_when_it_was_spent(engine: QueryEngine) -> None:
    query = queued(engine)
    engine.providers.script("a", paid_failure())
    assert not process(engine, query)
    assert process(engine, query, count=2)
    assert engine.journal.story == [(query.id, "succeeded")]
    every_call_is_counted_once(engine)


def test_what_was_cancelled_before_it_was_put_back_ends_with_its_calls(engine: QueryEngine) -> None:
    query = queued(engine)
    engine.providers.script("a", paid_failure())
    engine.queries.first["requeue"] = lambda: cancel(engine, query)
    assert process(engine, query)
    assert engine.journal.story == [(query.id, "cancelled")]
    every_call_is_counted_once(engine)


@pytest.mark.parametrize("write", ["finish", "requeue"])
def test_what_cannot_be_stored_is_counted(engine: QueryEngine, write: str) -> None:
    query = queued(engine, timeout_s=300)
    if write == "requeue":
        engine.providers.script("a", paid_failure())
    engine.queries.faults[write] = AWAY
    # What was answered is handed on as paid, not asked again.
    is_paid = write == "finish"
    assert process(engine, query) is is_paid
    assert engine.journal.story == []
    every_call_is_counted_once(engine)
    engine.queries.faults.clear()
    engine.clock.sleep(LEASE_S)
    engine.worker.process(replace(engine.delivery(query.id, count=2), is_paid=is_paid))
    assert engine.journal.story == [(query.id, "failed" if is_paid else "succeeded")]
    every_call_is_counted_once(engine)


def test_an_end_whose_confirmation_was_lost_is_this_ones(engine: QueryEngine) -> None:
    query = queued(engine)
    engine.queries.late["finish"] = AWAY
    assert process(engine, query)
    assert engine.journal.lines == [("ended", query.id, tuple(engine.journal.calls))]
    every_call_is_counted_once(engine)


def test_what_nobody_foresaw_is_counted(engine: QueryEngine) -> None:
    engine.add(provider("b"))
    query = queued(engine)
    engine.providers.script("a", paid_failure())
    engine.providers.script("b", RuntimeError("Nobody foresaw this."))
    with pytest.raises(RuntimeError):
        process(engine, query)
    assert engine.journal.story == []
    every_call_is_counted_once(engine)


def test_of_two_that_answer_the_second_only_costs(engine: QueryEngine) -> None:
    query = queued(engine, timeout_s=300)

    def another_is_quicker() -> None:
        engine.clock.sleep(LEASE_S)
        assert process(engine, query, count=2)

    engine.queries.first["finish"] = another_is_quicker
    process(engine, query)
    assert engine.journal.story == [(query.id, "succeeded")]
    assert [what for what, *_ in engine.journal.lines] == ["ended", "spent"]
    every_call_is_counted_once(engine)


def test_of_many_that_end_it_at_once_one_writes(engine: QueryEngine) -> None:
    for _ in range(10):
        engine.journal.written.clear()
        query = queued(engine)
        barrier = threading.Barrier(8)

        def end(number: int, query: Query = query, barrier: threading.Barrier = barrier) -> None:
            barrier.wait()
            with suppress(GatewayError, NotDone):
                (cancel, erase, bury, process)[number % 4](engine, query)

        with ThreadPoolExecutor(8) as threads:
            list(threads.map(end, range(8)))
        assert len(engine.journal.written) == 1


# Whether its words are logged


@pytest.mark.parametrize("share", [0, 1])
@pytest.mark.parametrize("mode", ["sync", "stream", "async"])
def test_the_key_decides_and_the_query_carries_it(engine: QueryEngine, mode: str, share: float) -> None:
    caller = Caller(key_id="key_x", role=Role.CALLER, log_bodies=share)
    if mode == "async":
        process(engine, queued(engine, caller))
    elif mode == "sync":
        engine.asking.run(asked(engine, mode, caller))
    else:
        list(engine.asking.stream(asked(engine, mode, caller)))
    (ended,) = engine.journal.written
    assert ended.logs_bodies is bool(share)
    assert isinstance(ended, Query)
    assert replace(ended, logs_bodies=False).answer is not None


def test_a_share_is_drawn_from_the_id(engine: QueryEngine) -> None:
    ids = [f"qry_{number}" for number in range(2000)]
    few, many = ({one for one in ids if is_sampled(one, share=share)} for share in (0.1, 0.5))
    assert 140 < len(few) < 260
    assert 900 < len(many) < 1100
    assert few < many
    assert not any(is_sampled(one, share=0) for one in ids)
    assert all(is_sampled(one, share=1) for one in ids)
