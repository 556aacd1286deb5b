"""Streams: their grammar, their silences, their ends, who leaves and who comes back."""

import threading
import time
from collections.abc import Callable
from decimal import Decimal
from itertools import pairwise
from pathlib import Path

import httpx2
import pytest

from tests.adapters.gateway_processes import WorkerProcess
from tests.adapters.upstream import Answer, HangUp, Refusal, StreamFault
from tests.adapters.upstream_wires import Said, SaidCall
from tests.end_to_end.calling import Client, Event, eventually, question, text_of
from tests.end_to_end.stack import KEEP_ALIVE_S, Scripted, Stack

Make = Callable[..., Scripted]

WORDS = tuple(f"word{number} " for number in range(30))
SLOW = Answer(said=Said(pieces=WORDS), between_s=0.1)
TOOL = {"type": "function", "function": {"name": "weather", "parameters": {"type": "object", "properties": {}}}}


def names(events: list[Event]) -> list[str]:
    return [event.name for event in events]


def test_its_events_come_in_their_order_and_say_how_far_one_has_read(client: Client, provider: Scripted) -> None:
    with client.streaming(question(provider=provider.id, metadata={"a": "b"})) as reader:
        assert reader.response.headers["content-type"].startswith("text/event-stream")
        assert reader.response.headers["cache-control"] == "no-store"
        assert reader.response.headers["x-request-id"]
        events = list(reader)
    assert names(events) == ["query", "delta", "delta", "delta", "done"]
    opened, *deltas, done = events
    assert opened.data == {"id": opened.data["id"], "provider": provider.id, "model": "small"}
    assert text_of(deltas) == done.data["output"]["text"] == "Hello there."
    assert done.data["id"] == opened.data["id"]
    assert (done.data["status"], done.data["metadata"]) == ("succeeded", {"a": "b"})
    assert len({event.id for event in events}) == len(events)
    assert client.result(opened.data["id"]) == done.data
    assert client.status(opened.data["id"])["status"] == "succeeded"


@pytest.mark.parametrize(
    ("api", "path"), [("responses", "/v1/responses"), ("chat_completions", "/v1/chat/completions")]
)
def test_openai_is_asked_by_the_api_that_its_operator_says(client: Client, scripted: Make, api: str, path: str) -> None:
    """With a model that is asked by the other one otherwise, and with one that nobody knows."""
    provider = scripted(kind="openai", api=api, credentials={"api_key": "sk-a-vendors-own"})
    for model in ("gpt-4.1-mini", "gpt-5", "a-server-of-our-own"):
        asked = question(provider=provider.id, model=model)
        assert text_of(client.stream(asked)[1:-1]) == client.ask(asked)["output"]["text"] == "Hello there."
    assert {request.path for request in provider.upstream.requests} == {path}


def test_tool_calls_come_in_pieces_that_join(client: Client, provider: Scripted) -> None:
    calls = (SaidCall(name="weather"), SaidCall(name="weather", id="call_2", arguments=("{", "}")))
    provider.upstream.otherwise = Answer(said=Said(pieces=(), calls=calls, finish="tool_calls"))
    events = client.stream(question(provider=provider.id, tools=[TOOL]))
    assert set(names(events)) == {"query", "tool_call", "done"}
    joined = {0: "", 1: ""}
    for event in events[1:-1]:
        joined[event.data["index"]] += event.data["arguments"]
    done = events[-1].data
    assert [call["arguments"] for call in done["output"]["tool_calls"]] == [joined[0], joined[1]]
    assert done["output"]["text"] is None
    # A reader that lost the second half of the first call's arguments gets just that, and all of the second call.
    last_read = next(event for event in events if event.name == "tool_call" and event.data["arguments"])
    rest = client.resumed(done["id"], last_read.id)
    resumed = "".join(
        event.data["arguments"] for event in rest if event.name == "tool_call" and not event.data["index"]
    )
    assert last_read.data["arguments"] + resumed == joined[0]


def test_silence_is_filled_with_comments(client: Client, provider: Scripted) -> None:
    stall = StreamFault(kind="stall", after=1, lasting_s=KEEP_ALIVE_S + 0.7)
    provider.upstream.otherwise = Answer(fault=stall)
    started_s = time.monotonic()
    with client.streaming(question(provider=provider.id)) as reader:
        assert names(list(reader)) == ["query", "delta", "delta", "delta", "done"]
    assert set(reader.comments) == {": keep-alive"}
    assert len(reader.comments) <= (time.monotonic() - started_s) / KEEP_ALIVE_S


def test_silence_before_the_first_word_is_filled_too(client: Client, provider: Scripted) -> None:
    provider.upstream.otherwise = Answer(delay_s=KEEP_ALIVE_S + 0.7)
    started_s = time.monotonic()
    with client.streaming(question(provider=provider.id)) as reader:
        assert names(list(reader)) == ["query", "delta", "delta", "delta", "done"]
    assert set(reader.comments) == {": keep-alive"}
    assert len(reader.comments) <= (time.monotonic() - started_s) / KEEP_ALIVE_S


@pytest.mark.parametrize("kind", ["disconnect", "truncate", "error", "malformed"])
def test_what_the_provider_cuts_short_is_an_error_and_never_done(kind, client: Client, provider: Scripted) -> None:
    provider.upstream.otherwise = Answer(said=Said(pieces=WORDS), fault=StreamFault(kind=kind, after=3))
    events = client.stream(question(provider=provider.id))
    assert names(events) == ["query", "delta", "delta", "delta", "error"]
    problem = events[-1].data
    assert problem["code"] in ("provider_error", "provider_response_invalid")
    # What the provider's own error says is told as such, and nowhere else.
    assert "SECRET-WORDS" not in problem["detail"]
    assert problem.get("provider_message") == ("SECRET-WORDS" if kind == "error" else None)
    query_id = events[0].data["id"]
    assert problem["query_id"] == query_id
    assert client.status(query_id)["status"] == "failed"
    result = client.send("GET", f"/query/{query_id}/result").json()
    assert (result["status"], result["error"]["code"], result["finish_reason"]) == ("failed", problem["code"], None)
    assert result["output"]["text"] == text_of(events)
    again = client.send("GET", f"/query/{query_id}/stream", headers={"Last-Event-ID": events[-2].id})
    assert (again.status_code, again.json()["code"]) == (problem["status"], problem["code"])
    rest = client.resumed(query_id, events[1].id)
    assert text_of(events[:2]) + text_of(rest) == text_of(events)
    assert (rest[-1].name, rest[-1].data["code"]) == ("error", problem["code"])


def test_another_provider_answers_when_the_first_fails_before_a_word(client: Client, scripted: Make) -> None:
    broken = scripted(otherwise=Answer(fault=StreamFault(kind="disconnect", after=0)))
    sound = scripted()
    events = client.stream(question(provider=broken.id, fallback=[sound.id]))
    assert names(events) == ["query", "delta", "delta", "delta", "done"]
    assert events[0].data["provider"] == events[-1].data["provider"] == sound.id
    attempts = [(attempt["provider"], attempt["outcome"]) for attempt in events[-1].data["attempts"]]
    assert attempts == [(broken.id, "error"), (sound.id, "ok")]


@pytest.mark.parametrize(
    ("behavior", "status", "code"),
    [
        (Refusal(status=500), 502, "provider_error"),
        (Refusal(status=401), 502, "provider_auth_failed"),
        (Refusal(status=429, headers={"retry-after": "7"}), 429, "provider_rate_limited"),
        (HangUp(), 502, "provider_error"),
    ],
)
def test_what_fails_before_a_word_is_an_ordinary_problem(
    behavior, status: int, code: str, client: Client, provider: Scripted
) -> None:
    provider.upstream.otherwise = behavior
    response = client.send("POST", "/query/stream", question(provider=provider.id))
    assert response.headers["content-type"] == "application/problem+json"
    problem = response.json()
    assert (response.status_code, problem["code"]) == (status, code)
    assert client.status(problem["query_id"])["status"] == "failed"
    if status == 429:
        assert int(response.headers["retry-after"]) >= 7


def test_a_client_that_leaves_stops_the_provider_and_pays_for_what_was_said(
    client: Client, provider: Scripted, gateway_log: Path
) -> None:
    provider.upstream.otherwise = SLOW
    read: list[Event] = []
    with client.streaming(question(provider=provider.id)) as reader:
        for event in reader:
            read.append(event)
            if len(read) == 5:
                break
    assert provider.upstream.requests[0].left.wait(15)
    query_id = read[0].data["id"]
    assert client.ended(query_id)["status"] == "cancelled"
    result = client.result(query_id)
    said = result["output"]["text"]
    assert "".join(WORDS).startswith(said)
    assert len(text_of(read)) <= len(said) < len("".join(WORDS)) / 2
    usage = result["usage"]
    assert usage["estimated"] is True
    assert 0 < usage["output_tokens"] <= len(said)
    cost = (Decimal(usage["input_tokens"]) * 10 + Decimal(usage["output_tokens"]) * 30) / 1_000_000
    assert Decimal(result["cost_usd"]) == cost
    assert [attempt["outcome"] for attempt in result["attempts"]] == ["cancelled"]
    assert provider.calls == 1
    # The request is over, which is when it is logged: nothing goes on talking to nobody.
    request_id = reader.response.headers["x-request-id"]
    assert eventually(lambda: request_id in gateway_log.read_text(), within_s=15)


def test_a_stream_that_is_to_finish_can_be_resumed_after_its_connection_broke(
    client: Client, provider: Scripted
) -> None:
    provider.upstream.otherwise = SLOW
    read = []
    with client.streaming(question(provider=provider.id, on_disconnect="finish")) as reader:
        for event in reader:
            read.append(event)
            if len(read) == 5:
                break
    query_id = reader.response.headers["X-Gateway-Query-Id"]
    assert query_id == read[0].data["id"]
    rest = client.resumed(query_id, read[-1].id)
    assert rest[-1].name == "done"
    assert text_of(read) + text_of(rest) == "".join(WORDS)
    assert provider.calls == 1


@pytest.mark.parametrize("path", ["/query", "/query/stream"])
def test_a_client_that_leaves_before_a_word_stops_the_provider_too(
    path: str, client: Client, provider: Scripted, stack: Stack
) -> None:
    provider.upstream.otherwise = Answer(delay_s=20)
    with pytest.raises(httpx2.ReadTimeout):
        client.send("POST", path, question(provider=provider.id), timeout_s=0.7)
    assert eventually(lambda: provider.calls == 1)
    assert provider.upstream.requests[0].left.wait(15)
    assert eventually(lambda: stack.statuses(client) == ["cancelled"])


def test_a_stream_is_cancelled_like_any_other_query(client: Client, provider: Scripted) -> None:
    provider.upstream.otherwise = SLOW
    with client.streaming(question(provider=provider.id)) as reader:
        events = iter(reader)
        query_id = next(events).data["id"]
        assert client.send("POST", f"/query/{query_id}/cancel").status_code == 200
        rest = list(events)
    assert rest[-1].name == "error"
    assert rest[-1].data["query_id"] == query_id
    assert client.ended(query_id)["status"] == "cancelled"
    assert eventually(provider.upstream.requests[0].left.is_set)


def test_one_that_is_over_is_continued_without_another_call(client: Client, provider: Scripted) -> None:
    provider.upstream.otherwise = Answer(said=Said(pieces=WORDS))
    events = client.stream(question(provider=provider.id))
    query_id, done = events[0].data["id"], events[-1]
    for position in (0, 1, 7, len(events) - 2):
        rest = client.resumed(query_id, events[position].id)
        assert text_of(events[: position + 1]) + text_of(rest) == "".join(WORDS)
        assert rest[-1] == done
    assert client.resumed(query_id, done.id) == [done]
    whole = client.resumed(query_id, None)
    assert names(whole)[0] == "query"
    assert text_of(whole) == "".join(WORDS)
    assert provider.calls == 1
    # Wherever a reader stops on the way, the ids lead on from there.
    assert all(earlier.id != later.id for earlier, later in pairwise(whole))
    refused = client.send("GET", f"/query/{query_id}/stream", headers={"Last-Event-ID": "no-such-id"})
    assert (refused.status_code, refused.json()["code"]) == (400, "malformed_request")


def test_one_that_still_runs_goes_on_for_a_second_reader(client: Client, provider: Scripted) -> None:
    provider.upstream.otherwise = SLOW
    rest: list[Event] = []
    with client.streaming(question(provider=provider.id)) as reader:
        events = iter(reader)
        read = [next(events) for _ in range(4)]
        query_id = read[0].data["id"]
        second = threading.Thread(target=lambda: rest.extend(client.resumed(query_id, read[-1].id)))
        second.start()
        done = list(events)[-1]
        second.join(20)
    assert text_of(read) + text_of(rest) == "".join(WORDS)
    assert rest[-1] == done
    assert provider.calls == 1


def test_a_query_that_is_answered_later_can_be_read_as_a_stream(
    client: Client, provider: Scripted, worker: WorkerProcess
) -> None:
    provider.upstream.otherwise = Answer(delay_s=0.5)
    query_id = client.accept(question(provider=provider.id))
    events = client.resumed(query_id, None)
    assert names(events) == ["query", "delta", "done"]
    assert text_of(events) == "Hello there."


def test_a_reader_who_is_slow_gets_all_of_it(client: Client, provider: Scripted) -> None:
    provider.upstream.otherwise = Answer(said=Said(pieces=tuple("x" * 10_000 for _ in range(200))))
    with client.streaming(question(provider=provider.id)) as reader:
        events = iter(reader)
        first = next(events)
        time.sleep(0.5)
        rest = list(events)
    assert first.name == "query"
    assert rest[-1].name == "done"
    assert len(text_of(rest)) == 2_000_000
