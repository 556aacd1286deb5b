"""Answers that are given again: which callers get them, when, and what that saves."""

import pytest

from tests.adapters.gateway_processes import WorkerProcess
from tests.adapters.upstream import Answer, Refusal
from tests.adapters.upstream_wires import Said
from tests.end_to_end.calling import Client, at_once, eventually, question, text_of
from tests.end_to_end.stack import Scripted, Stack

SURE = {"parameters": {"temperature": 0}}


def test_a_deterministic_answer_is_given_again_at_no_cost(client: Client, provider: Scripted) -> None:
    asked = question(provider=provider.id, **SURE)
    first = client.ask(asked | {"metadata": {"a": 1}})
    again = client.ask(asked | {"metadata": {"a": 2}})
    assert first["cache"] == {"hit": False, "age_s": None, "saved_usd": None}
    assert first["cost_usd"] == "0.00041"
    assert again["id"] != first["id"]
    assert (again["output"], again["usage"]) == (first["output"], first["usage"])
    assert (again["cost_usd"], again["attempts"], again["metadata"]) == ("0", [], {"a": 2})
    assert (again["cache"]["hit"], again["cache"]["saved_usd"]) == (True, first["cost_usd"])
    assert 0 <= again["cache"]["age_s"] < 30
    assert provider.calls == 1
    assert client.result(again["id"]) == again


@pytest.mark.parametrize(
    ("changes", "calls"),
    [
        ({}, 2),
        ({"parameters": {"seed": 7}}, 1),
        ({"parameters": {"temperature": 0.1}}, 2),
        ({"cache": "force"}, 1),
        ({"cache": "bypass", **SURE}, 2),
        ({"cache": "refresh", **SURE}, 2),
    ],
)
def test_when_an_answer_is_given_again(changes: dict, calls: int, client: Client, provider: Scripted) -> None:
    for _ in range(2):
        client.ask(question(provider=provider.id, **changes))
    assert provider.calls == calls


def test_a_refreshed_answer_is_what_others_get(client: Client, provider: Scripted) -> None:
    asked = question(provider=provider.id, **SURE)
    client.ask(asked)
    provider.upstream.otherwise = Answer(said=Said(pieces=("Newer",)))
    assert client.ask(asked)["output"]["text"] == "Hello there."
    assert client.ask(asked | {"cache": "refresh"})["output"]["text"] == "Newer"
    hit = client.ask(asked)
    assert (hit["output"]["text"], hit["cache"]["hit"]) == ("Newer", True)
    assert client.ask(asked | {"cache": "bypass"})["cache"]["hit"] is False


def test_whatever_changes_the_answer_changes_the_place(client: Client, provider: Scripted) -> None:
    asked = question(provider=provider.id, cache="force")
    variants = [
        asked,
        asked | {"system": {"text": "Be brief."}},
        asked | {"model": "other"},
        asked | {"parameters": {"max_output_tokens": 5}},
        asked | {"messages": [*asked["messages"], {"role": "assistant", "content": "Yes?"}, asked["messages"][0]]},
    ]
    for variant in variants:
        assert client.ask(variant)["cache"]["hit"] is False
    for variant in variants:
        assert client.ask(variant)["cache"]["hit"] is True
    assert provider.calls == len(variants)


def test_twenty_misses_at_once_make_one_call(client: Client, provider: Scripted) -> None:
    provider.upstream.otherwise = Answer(delay_s=0.5)
    answers = at_once(lambda _: client.ask(question(provider=provider.id, **SURE)), times=20)
    assert provider.calls == 1
    assert len({answer["id"] for answer in answers}) == 20
    assert {answer["output"]["text"] for answer in answers} == {"Hello there."}
    assert sorted(answer["cache"]["hit"] for answer in answers) == [False, *[True] * 19]
    assert sum(answer["cost_usd"] != "0" for answer in answers) == 1


def test_those_who_wait_for_a_miss_that_fails_ask_themselves(client: Client, provider: Scripted) -> None:
    provider.upstream.otherwise = Answer(delay_s=0.3)
    provider.upstream.script(Refusal(status=500))
    asked = question(provider=provider.id, **SURE)
    responses = at_once(lambda _: client.send("POST", "/query", asked), times=10)
    assert sorted(response.status_code for response in responses) == [*[200] * 9, 502]
    assert provider.calls == 2


def test_nobody_is_given_anothers_answer(client: Client, provider: Scripted, stack: Stack) -> None:
    asked = question(provider=provider.id, cache="force")
    client.ask(asked)
    assert stack.client(client.http).ask(asked)["cache"]["hit"] is False
    assert provider.calls == 2


@pytest.mark.parametrize("finish", ["length", "content_filter"])
def test_what_was_cut_short_is_not_kept(finish: str, client: Client, provider: Scripted) -> None:
    provider.upstream.otherwise = Answer(said=Said(finish=finish))
    for _ in range(2):
        assert client.ask(question(provider=provider.id, **SURE))["finish_reason"] == finish
    assert provider.calls == 2


def test_a_failure_is_not_kept(client: Client, provider: Scripted) -> None:
    provider.upstream.script(Refusal(status=500))
    asked = question(provider=provider.id, **SURE)
    assert client.send("POST", "/query", asked).status_code == 502
    assert client.ask(asked)["cache"]["hit"] is False


def test_a_kept_answer_is_streamed_too_and_a_streamed_one_kept(client: Client, provider: Scripted) -> None:
    asked = question(provider=provider.id, **SURE)
    first = client.stream(asked)
    again = client.stream(asked)
    assert [event.name for event in again] == ["query", "delta", "done"]
    assert text_of(again) == text_of(first)
    assert again[-1].data["cache"]["hit"] is True
    assert client.ask(asked)["cache"]["hit"] is True
    assert client.result(again[0].data["id"]) == again[-1].data
    assert provider.calls == 1


def test_an_erased_answer_is_not_given_again(client: Client, provider: Scripted) -> None:
    asked = question(provider=provider.id, **SURE)
    first = client.ask(asked)
    assert client.send("DELETE", f"/query/{first['id']}").status_code == 204
    assert client.ask(asked)["cache"]["hit"] is False


# Queued


def fetched(client: Client, query_id: str) -> dict:
    """The answer to a queued query that must succeed."""
    assert client.ended(query_id)["status"] == "succeeded"
    return client.result(query_id)


def test_an_answer_is_shared_between_now_and_later(client: Client, provider: Scripted, worker: WorkerProcess) -> None:
    asked = question(provider=provider.id, **SURE)
    first = client.ask(asked)
    hit = fetched(client, client.accept(asked))
    assert (hit["output"], hit["usage"]) == (first["output"], first["usage"])
    assert (hit["cost_usd"], hit["attempts"]) == ("0", [])
    assert (hit["cache"]["hit"], hit["cache"]["saved_usd"]) == (True, first["cost_usd"])
    assert provider.calls == 1
    other = question("Anything else?", provider=provider.id, **SURE)
    assert fetched(client, client.accept(other))["cache"]["hit"] is False
    assert client.ask(other)["cache"]["hit"] is True
    assert provider.calls == 2


def test_queued_misses_at_once_make_one_call(client: Client, provider: Scripted, worker: WorkerProcess) -> None:
    provider.upstream.otherwise = Answer(delay_s=1.5)
    query_ids = at_once(lambda _: client.accept(question(provider=provider.id, **SURE)), times=20)
    answers = [fetched(client, query_id) for query_id in query_ids]
    assert provider.calls == 1
    assert {answer["output"]["text"] for answer in answers} == {"Hello there."}
    assert sorted(answer["cache"]["hit"] for answer in answers) == [False, *[True] * 19]
    assert sum(answer["cost_usd"] != "0" for answer in answers) == 1
    assert {client.status(query_id)["attempts"] for query_id in query_ids} == {1}


def test_misses_now_and_later_at_once_make_one_call(client: Client, provider: Scripted, worker: WorkerProcess) -> None:
    provider.upstream.otherwise = Answer(delay_s=1.0)
    asked = question(provider=provider.id, **SURE)

    def answer(number: int) -> dict:
        return client.ask(asked) if number % 2 else fetched(client, client.accept(asked))

    answers = at_once(answer, times=16)
    assert provider.calls == 1
    assert sorted(answer["cache"]["hit"] for answer in answers) == [False, *[True] * 15]


def test_those_who_wait_in_the_queue_for_a_miss_that_fails_ask_themselves(
    client: Client, provider: Scripted, worker: WorkerProcess
) -> None:
    provider.upstream.otherwise = Answer(delay_s=0.5)
    provider.upstream.script(Refusal(status=400))
    asked = question(provider=provider.id, **SURE)
    query_ids = at_once(lambda _: client.accept(asked), times=8)
    statuses = sorted(client.ended(query_id)["status"] for query_id in query_ids)
    assert statuses == ["failed", *["succeeded"] * 7]
    assert provider.calls == 2


def test_a_worker_that_is_killed_while_others_wait_for_its_answer_gets_it_after_all(
    client: Client, provider: Scripted, worker: WorkerProcess
) -> None:
    provider.upstream.otherwise = Answer(delay_s=2.0)
    asked = question(provider=provider.id, **SURE)
    query_ids = at_once(lambda _: client.accept(asked), times=6)
    assert eventually(lambda: provider.calls == 1)
    worker.kill()
    worker.start()
    answers = [fetched(client, query_id) for query_id in query_ids]
    assert sorted(answer["cache"]["hit"] for answer in answers) == [False, *[True] * 5]
    # The call that died with the worker, and its repetition.
    assert provider.calls == 2


def test_an_erased_answer_that_came_later_is_not_given_again(
    client: Client, provider: Scripted, worker: WorkerProcess
) -> None:
    asked = question(provider=provider.id, **SURE)
    first = fetched(client, client.accept(asked))
    assert client.send("DELETE", f"/query/{first['id']}").status_code == 204
    assert client.ask(asked)["cache"]["hit"] is False
    assert provider.calls == 2
