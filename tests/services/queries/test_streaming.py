"""Streamed queries: pieces in their order, one end whatever happens, and going on where a reader stopped."""

import threading
import time
from collections.abc import Generator
from dataclasses import dataclass, field, replace
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from llm_gateway.domain.caching import CachedAnswer, Pending
from llm_gateway.domain.chat import ChatAnswer, FinishReason, Parameters, TextDelta, ToolCall, ToolCallDelta
from llm_gateway.domain.faults import CallCancelled, ProviderFailed, ProviderRejected, ProviderResponseInvalid
from llm_gateway.domain.keys import Caller, Role
from llm_gateway.domain.privacy import Sanitize
from llm_gateway.domain.queries import AttemptOutcome, Query, QueryRequest, QueryStatus, StoredProblem
from llm_gateway.domain.streams import Opened, Position, Waiting
from llm_gateway.errors import DependencyUnavailable, GatewayError, QueryCancelled, QueryInProgress, QueryNotFound
from llm_gateway.ports.providers import Provider
from llm_gateway.ports.system import Cancelled, never
from llm_gateway.services.queries.closing import NOT_STORED

from tests.adapters.engine import provider, question
from tests.adapters.query_engine import ALICE, QueryEngine, idempotency
from tests.adapters.scripted_providers import USAGE, Raises, Says
from tests.patience import PATIENCE_S

AWAY = DependencyUnavailable("It cannot be reached.")


@pytest.fixture
def engine() -> QueryEngine:
    return QueryEngine().add(provider("a"), provider("b"))  # type: ignore[return-value]


def asking(**changes: Any) -> QueryRequest:
    parameters = Parameters(temperature=0, max_output_tokens=100)
    return question(**{"mode": "stream", "timeout_s": 300, "parameters": parameters, **changes})


def stream(engine: QueryEngine, **how: Any) -> Generator[Any, None, None]:
    return engine.asking.stream(engine.asked(asking(), **how))


def stored(engine: QueryEngine, query_id: str) -> Query:
    found = engine.queries.port.get(query_id)
    assert found is not None
    query: Query = found
    return query


def texts(items: list[Any]) -> list[str]:
    return [item.text for item in items if isinstance(item, TextDelta)]


# To the end


def test_opened_then_deltas_then_the_query(engine: QueryEngine) -> None:
    opened, *deltas, query = stream(engine)
    assert opened == Opened(query_id=query.id, provider="a", model="a-model")
    assert texts(deltas) == ["Hello", "there."]
    assert query.status is QueryStatus.SUCCEEDED
    assert query.answer.output.text == "Hello there."
    assert stored(engine, query.id).answer == query.answer
    assert engine.journal.story == [(query.id, "succeeded")]
    assert engine.gates.all_ended_once


def test_a_stream_is_on_record_while_it_runs(engine: QueryEngine) -> None:
    items = stream(engine)
    opened = next(items)
    running = stored(engine, opened.query_id)
    assert (running.status, running.attempts) == (QueryStatus.RUNNING, 1)
    assert running.lease is not None
    assert running.lease.until == engine.clock.now() + timedelta(seconds=60)
    list(items)


def test_nothing_happens_before_somebody_reads(engine: QueryEngine) -> None:
    items = stream(engine, idempotency=idempotency())
    assert engine.gates.admitted == []
    items.close()
    assert engine.queries.asked == []
    assert engine.keys.asked == []
    assert engine.journal.written == []


def test_the_one_that_answers_is_named(engine: QueryEngine) -> None:
    engine.providers.script("a", ProviderFailed("500"))
    opened, *_, query = stream(engine)
    assert (opened.provider, opened.model) == ("b", "b-model")
    assert [attempt.outcome for attempt in query.answer.attempts] == ["error", "ok"]


def test_an_answer_without_a_word_is_opened_too(engine: QueryEngine) -> None:
    engine.providers.script("a", Says(text=""))
    opened, query = stream(engine)
    assert isinstance(opened, Opened)
    assert query.answer.output.text == ""


def test_a_hit_streams_like_an_answer(engine: QueryEngine) -> None:
    list(stream(engine))
    opened, *deltas, query = stream(engine)
    assert opened == Opened(query_id=query.id, provider="a", model="a-model")
    assert texts(deltas) == ["Hello there."]
    assert query.answer.cache.hit
    assert query.answer.cost_usd == Decimal(0)
    assert len(engine.providers.called) == 1
    assert stored(engine, query.id).status is QueryStatus.SUCCEEDED


def test_a_replay_streams_the_first_answer(engine: QueryEngine) -> None:
    *_, first = stream(engine, idempotency=idempotency())
    opened, *deltas, again = stream(engine, idempotency=idempotency())
    assert opened == Opened(query_id=first.id, provider="a", model="a-model", replayed=True)
    assert texts(deltas) == ["Hello there."]
    assert again.answer == first.answer


# Failures


@pytest.mark.parametrize("fault", [ProviderFailed("500"), ProviderRejected("No.")])
def test_a_failure_before_the_first_word_is_raised_at_once(engine: QueryEngine, fault: Exception) -> None:
    engine.store.delete("b", expected_revision=None)
    engine.providers.script("a", fault)
    items = stream(engine)
    with pytest.raises(type(fault)) as caught:
        next(items)
    ended = stored(engine, caught.value.query_id)
    assert ended.status is QueryStatus.FAILED
    assert ended.problem is not None
    assert [attempt.outcome for attempt in ended.problem.attempts] == ["error"]
    assert engine.journal.story == [(ended.id, "failed")]


def test_a_failure_after_the_first_word_is_raised_after_it(engine: QueryEngine) -> None:
    engine.providers.script("a", Raises(fault=lambda: ProviderResponseInvalid("cut short"), words=("Hel", "lo")))
    items = stream(engine)
    assert isinstance(next(items), Opened)
    assert texts([next(items), next(items)]) == ["Hel", "lo"]
    with pytest.raises(ProviderResponseInvalid) as caught:
        next(items)
    ended = stored(engine, caught.value.query_id or "")
    assert ended.status is QueryStatus.FAILED
    assert engine.providers.order == ["a"]
    assert engine.journal.story == [(ended.id, "failed")]
    assert engine.cache.port.peek(engine.seat_of(asking())) is None


@pytest.mark.parametrize("leaves", [False, True], ids=["it fails", "its caller leaves"])
def test_what_was_broken_off_warns_of_its_links_and_of_its_request(engine: QueryEngine, leaves: bool) -> None:
    fault = Raises(
        fault=lambda: ProviderResponseInvalid("cut short"), words=("![x](https://evil.example/a?b=c)", " is")
    )
    engine.providers.script("a", fault)
    request = replace(asking(), sanitize=Sanitize(links="flag"), notes=("What was seen in it.",))
    items = engine.asking.stream(engine.asked(request))
    opened = next(items)
    next(items)
    if leaves:
        items.close()
    else:
        with pytest.raises(ProviderResponseInvalid):
            list(items)
    answer = stored(engine, opened.query_id).answer
    assert answer is not None
    noted, flagged = answer.warnings
    assert noted == "What was seen in it."
    assert flagged.startswith("The answer has an image of evil.example ")


def test_what_a_failed_one_said_is_kept_and_told_again(engine: QueryEngine) -> None:
    engine.providers.script("a", Raises(fault=lambda: ProviderResponseInvalid("cut short"), words=("Hel", "lo")))
    items = stream(engine)
    opened = next(items)
    with pytest.raises(ProviderResponseInvalid):
        list(items)
    answer = stored(engine, opened.query_id).answer
    assert answer is not None
    assert (answer.output.text, answer.finish_reason) == ("Hello", None)
    assert answer.usage.estimated
    assert answer.usage.output_tokens > 0
    assert answer.cost_usd is None  # Nobody says what it was billed.
    for position, told in ((Position(), ["Hello"]), (Position(text=4), ["o"]), (Position(text=5), []), (None, [])):
        again = engine.reading.resume(opened.query_id, position, caller=ALICE)
        seen: list[Any] = []
        with pytest.raises(StoredProblem):
            seen.extend(iter(lambda again=again: next(again), None))  # type: ignore[misc]
        assert texts(seen) == told


def test_what_nobody_foresaw_is_an_end_too(engine: QueryEngine) -> None:
    engine.providers.script("a", Raises(fault=lambda: ZeroDivisionError(), words=("Hello",)))
    items = stream(engine, idempotency=idempotency())
    opened = next(items)
    next(items)
    with pytest.raises(GatewayError) as broken:
        next(items)
    assert isinstance(broken.value.__cause__, ZeroDivisionError)
    assert (broken.value.query_id, len(broken.value.attempts)) == (opened.query_id, 1)
    ended = stored(engine, opened.query_id)
    assert ended.status is QueryStatus.FAILED
    assert ended.problem is not None
    assert (ended.problem.status, ended.problem.code) == (500, "internal_error")
    assert engine.gates.all_ended_once
    assert engine.keys.count("release") == 1


# Somebody leaves


@pytest.mark.parametrize("read", [1, 2, 3])
def test_closing_it_cancels_with_what_was_generated(engine: QueryEngine, read: int) -> None:
    items = stream(engine, idempotency=idempotency())
    opened, *_ = [next(items) for _ in range(read)]
    items.close()
    ended = stored(engine, opened.query_id)
    assert ended.status is QueryStatus.CANCELLED
    assert ended.completed_at == engine.clock.now()
    assert ended.answer is not None
    assert ended.answer.output.text == ["Hello", "Hello", "Hellothere."][read - 1]
    (attempt,) = ended.answer.attempts
    assert attempt.outcome is AttemptOutcome.CANCELLED
    assert ended.answer.usage.estimated
    assert ended.answer.cost_usd == attempt.cost_usd
    assert attempt.cost_usd is not None
    assert attempt.cost_usd > 0
    assert engine.providers.left == ["a"]
    assert engine.journal.story == [(ended.id, "cancelled")]
    assert engine.gates.all_ended_once
    assert engine.keys.count("release") == 1
    assert engine.cache.port.peek(engine.seat_of(asking())) is None


def test_closing_it_after_the_query_came_changes_nothing(engine: QueryEngine) -> None:
    items = stream(engine, idempotency=idempotency())
    query = next(item for item in items if isinstance(item, Query))
    items.close()
    assert stored(engine, query.id).status is QueryStatus.SUCCEEDED
    assert engine.journal.story == [(query.id, "succeeded")]
    assert engine.gates.all_ended_once
    assert isinstance(engine.cache.port.peek(engine.seat_of(asking())), CachedAnswer)
    assert engine.keys.count("complete", "release") == 1


@dataclass
class Slow(Provider):
    """Says a word and then waits, until nobody wants the answer or `end` comes."""

    spoke: threading.Event = field(default_factory=threading.Event)
    end: threading.Event = field(default_factory=threading.Event)

    def open(self, *_: object) -> Provider:
        return self

    def stream(self, request, *, timeouts, cancelled: Cancelled = never):  # type: ignore[no-untyped-def]
        yield TextDelta(text="Hello")
        self.spoke.set()
        while not self.end.wait(0.005):
            if cancelled():
                raise CallCancelled("The call was broken off.")
        yield ChatAnswer(text="Hello", finish_reason=FinishReason.STOP, model="a-model", usage=USAGE)


@pytest.fixture
def slow() -> QueryEngine:
    engine = QueryEngine(real_providers=Slow(), lease=timedelta(seconds=0.24))  # type: ignore[arg-type]
    return engine.add(provider("a"))  # type: ignore[return-value]


def test_a_stream_that_is_cancelled_by_its_id_stops_soon(slow: QueryEngine) -> None:
    items = stream(slow, idempotency=idempotency())
    opened = next(items)
    next(items)
    assert slow.reading.cancel(opened.query_id, caller=ALICE).cancel_requested
    with pytest.raises(QueryCancelled) as caught:
        next(items)
    assert caught.value.query_id == opened.query_id
    ended = stored(slow, opened.query_id)
    assert ended.status is QueryStatus.CANCELLED
    assert ended.answer is not None
    assert ended.answer.output.text == "Hello"
    assert slow.journal.story == [(ended.id, "cancelled")]
    assert slow.keys.count("release") == 1


def test_a_cancellation_is_heard_of_long_before_the_lease_is_over() -> None:
    engine = QueryEngine(real_providers=Slow(), lease=timedelta(minutes=15)).add(provider("a"))  # type: ignore[arg-type]
    items = stream(engine)  # type: ignore[arg-type]
    opened = next(items)
    next(items)
    engine.reading.cancel(opened.query_id, caller=ALICE)  # type: ignore[attr-defined]
    with pytest.raises(QueryCancelled):
        next(items)
    assert engine.queries.count("renew") == 0


def test_a_stream_that_is_erased_stops_soon_and_leaves_nothing(slow: QueryEngine) -> None:
    items = stream(slow)
    opened = next(items)
    next(items)
    slow.reading.erase(opened.query_id, caller=ALICE)
    with pytest.raises(QueryCancelled):
        next(items)
    assert slow.queries.port.get(opened.query_id) is None
    assert slow.cache.port.peek(slow.seat_of(asking())) is None
    assert slow.gates.all_ended_once


def test_a_client_that_has_left_stops_the_call_between_two_words(slow: QueryEngine) -> None:
    left: list[bool] = []
    items = stream(slow, cancelled=lambda: bool(left))
    opened = next(items)
    next(items)
    left.append(True)
    with pytest.raises(QueryCancelled):
        next(items)
    assert stored(slow, opened.query_id).status is QueryStatus.CANCELLED


def test_a_stream_without_a_record_is_not_taken_for_an_erased_one(slow: QueryEngine) -> None:
    slow.queries.faults["add"] = [AWAY]
    items = stream(slow)
    next(items)
    next(items)
    # As long as several renewals would take.
    time.sleep(0.15)
    assert isinstance(slow.real_providers, Slow)
    slow.real_providers.end.set()
    (query,) = items
    assert slow.queries.count("renew") == 0
    assert query.answer.warnings == ()
    assert stored(slow, query.id).status is QueryStatus.SUCCEEDED


def test_a_stream_that_can_be_stored_nowhere_says_so(engine: QueryEngine) -> None:
    engine.queries.faults["add"] = AWAY
    *_, query = stream(engine)
    assert query.answer.warnings == (NOT_STORED,)


def test_a_lease_is_kept_up_while_it_runs(slow: QueryEngine) -> None:
    items = stream(slow)
    opened = next(items)
    first = stored(slow, opened.query_id).lease
    slow.clock.sleep(0.1)
    until = time.monotonic() + PATIENCE_S
    while slow.queries.count("renew") < 2 and time.monotonic() < until:
        time.sleep(0.005)
    renewed = stored(slow, opened.query_id).lease
    assert first is not None
    assert renewed is not None
    assert renewed.until > first.until
    items.close()
    assert "lease" not in [thread.name for thread in threading.enumerate()]


# Going on


def resume(engine: QueryEngine, query_id: str, position: Position | None, **how: Any) -> list[Any]:
    return list(engine.reading.resume(query_id, position, **{"caller": ALICE, **how}))


def test_a_reader_goes_on_where_it_stopped(engine: QueryEngine) -> None:
    *_, query = stream(engine)
    calls = len(engine.providers.called)
    opened, delta, last = resume(engine, query.id, Position())
    assert opened == Opened(query_id=query.id, provider="a", model="a-model")
    assert (delta.text, last.answer) == ("Hello there.", query.answer)
    delta, last = resume(engine, query.id, Position(text=6))
    assert (delta.text, last.answer) == ("there.", query.answer)
    assert [item.answer for item in resume(engine, query.id, Position(text=12))] == [query.answer]
    assert [item.answer for item in resume(engine, query.id, None)] == [query.answer]
    assert len(engine.providers.called) == calls


def test_tool_calls_go_on_too(engine: QueryEngine) -> None:
    *_, query = stream(engine)
    call = ToolCall(id="call_1", name="weather", arguments='{"city": "Bern"}')
    answer = replace(query.answer, output=replace(query.answer.output, tool_calls=(call,)))
    engine.queries.port.erase(query.id)
    engine.queries.port.add(replace(query, answer=answer, lease=None))
    deltas = resume(engine, query.id, Position(text=12))[:-1]
    assert deltas == [ToolCallDelta(index=0, id="call_1", name="weather", arguments='{"city": "Bern"}')]
    deltas = resume(engine, query.id, Position(text=12, arguments=(9,)))[:-1]
    assert deltas == [ToolCallDelta(index=0, arguments='"Bern"}')]


def test_a_reader_waits_for_one_that_still_runs(engine: QueryEngine) -> None:
    items = stream(engine)
    opened = next(items)
    engine.events.extend([lambda: None, lambda: None, lambda: list(items)])
    *_, last = resume(engine, opened.query_id, Position(text=5))
    assert last.status is QueryStatus.SUCCEEDED
    # A look at where it stands is small; what was asked need not be read each time.
    assert engine.queries.count("get") == 2
    assert engine.queries.count("summary") >= 3


def test_a_reader_who_leaves_waits_no_longer(engine: QueryEngine) -> None:
    items = stream(engine)
    opened = next(items)
    left: list[bool] = []
    engine.events.append(lambda: left.append(True))
    with pytest.raises(QueryInProgress):
        resume(engine, opened.query_id, Position(), left=lambda: bool(left))
    assert engine.clock.slept_s == [0.5]  # type: ignore[attr-defined]
    items.close()


def test_a_reader_of_one_that_is_queued_for_long_is_told_so(engine: QueryEngine) -> None:
    """Nobody knows when it will be taken up, and a function waits with its reader."""
    query = engine.accept(engine.asked(question(mode="async", timeout_s=300)))
    with pytest.raises(QueryInProgress) as caught:
        resume(engine, query.id, Position())
    assert engine.clock.monotonic_s() == 30
    assert caught.value.retry_after_s == 10


def test_a_reader_of_one_that_runs_for_long_is_told_so(engine: QueryEngine) -> None:
    """Before its Lambda is killed, and the stream ends without a word."""
    query = engine.accept(engine.asked(question(mode="async", timeout_s=840)))
    until = engine.clock.now() + timedelta(seconds=3600)
    assert engine.queries.port.claim(query.id, until=until)
    items = engine.reading.resume(query.id, Position(), caller=ALICE)
    assert next(items) == Waiting()
    with pytest.raises(QueryInProgress):
        next(items)
    assert engine.clock.monotonic_s() == 870


def test_a_reader_waits_on_once_somebody_works_on_it(engine: QueryEngine) -> None:
    query = engine.accept(engine.asked(question(mode="async", timeout_s=300)))
    engine.events.extend([lambda: None] * 58)
    engine.events.append(lambda: engine.worker.process(engine.delivery(query.id)))
    *_, done = resume(engine, query.id, Position())
    assert done.status is QueryStatus.SUCCEEDED


def test_the_problem_of_a_failed_one_is_told_again(engine: QueryEngine) -> None:
    engine.providers.script("a", ProviderRejected("No."))
    with pytest.raises(ProviderRejected) as caught:
        list(stream(engine))
    with pytest.raises(StoredProblem) as again:
        resume(engine, caught.value.query_id or "", Position())
    assert (again.value.status, again.value.code, again.value.detail) == (422, "validation_failed", "No.")
    assert again.value.headers == {}


def test_a_cancelled_one_tells_what_it_got_and_that_it_was_cancelled(engine: QueryEngine) -> None:
    items = stream(engine)
    opened = next(items)
    next(items)
    items.close()
    told = engine.reading.resume(opened.query_id, Position(), caller=ALICE)
    assert isinstance(next(told), Opened)
    assert next(told) == TextDelta(text="Hello")
    with pytest.raises(QueryCancelled):
        next(told)


def test_one_that_was_cancelled_before_a_word_has_nothing_to_tell(engine: QueryEngine) -> None:
    engine.providers.script("a", CallCancelled("Nobody wants it."))
    with pytest.raises(QueryCancelled) as caught:
        next(stream(engine))
    query = stored(engine, caught.value.query_id or "")
    assert query.answer is not None
    assert query.answer.output.is_empty
    with pytest.raises(QueryCancelled):
        next(engine.reading.resume(query.id, Position(), caller=ALICE))


@pytest.mark.parametrize("role", [Role.CALLER, Role.PROMPT_EDITOR, Role.AUDITOR])
def test_nobody_goes_on_with_anothers_stream(engine: QueryEngine, role: Role) -> None:
    *_, query = stream(engine)
    with pytest.raises(QueryNotFound):
        resume(engine, query.id, Position(), caller=Caller(key_id="key_bob", role=role))
    assert resume(engine, query.id, None, caller=Caller(key_id="key_root", role=Role.ADMIN))[-1].answer == query.answer


def test_a_place_in_the_cache_is_held_while_it_runs(engine: QueryEngine) -> None:
    items = stream(engine)
    opened = next(items)
    found = engine.cache.port.peek(engine.seat_of(asking()))
    assert isinstance(found, Pending)
    assert found.holder == opened.query_id
    list(items)


@dataclass
class Calling(Provider):
    """Writes two tool calls, piece by piece."""

    def open(self, *_: object) -> Provider:
        return self

    def stream(self, *_: object, **__: object):  # type: ignore[no-untyped-def]
        yield ToolCallDelta(index=0, id="call_1", name="weather", arguments='{"city":')
        yield ToolCallDelta(index=1, id="call_2", name="tide")
        yield ToolCallDelta(index=0, arguments=' "Bern"}')
        yield ToolCallDelta(index=1, arguments="{")


def test_tool_calls_of_a_stream_that_was_left_are_kept_as_far_as_they_came() -> None:
    engine = QueryEngine(real_providers=Calling())  # type: ignore[arg-type]
    engine.add(provider("a"))
    items = stream(engine)
    opened = next(items)
    for _ in range(4):
        next(items)
    items.close()
    ended = stored(engine, opened.query_id)
    assert ended.answer is not None
    assert ended.answer.output.text is None
    assert ended.answer.output.tool_calls == (
        ToolCall(id="call_1", name="weather", arguments='{"city": "Bern"}'),
        ToolCall(id="call_2", name="tide", arguments="{"),
    )
