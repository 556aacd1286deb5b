"""The same request again: answered as before, and paid for once."""

from collections.abc import Callable
from typing import Any

import pytest

from tests.adapters.gateway_processes import WorkerProcess
from tests.adapters.upstream import Answer, Refusal
from tests.end_to_end.calling import Client, at_once, question, text_of
from tests.end_to_end.stack import Scripted, Stack

Make = Callable[..., Scripted]
KEY = {"Idempotency-Key": "an order, once"}


def test_twenty_at_once_make_one_call(client: Client, provider: Scripted) -> None:
    provider.upstream.otherwise = Answer(delay_s=0.5)
    asked = question(provider=provider.id)

    responses = at_once(lambda _: client.send("POST", "/query", asked, headers=KEY), times=20)

    assert provider.calls == 1
    answered = [response for response in responses if response.status_code == 200]
    refused = [response for response in responses if response.status_code != 200]
    assert len(answered) >= 1
    assert len({response.json()["id"] for response in answered}) == 1
    assert {(response.status_code, response.json()["code"]) for response in refused} <= {(409, "query_in_progress")}
    later = client.send("POST", "/query", asked, headers=KEY)
    assert later.json() == answered[0].json()
    assert later.headers["idempotent-replayed"] == "true"
    assert provider.calls == 1


def test_an_answer_is_replayed_as_it_was(client: Client, provider: Scripted) -> None:
    asked = question(provider=provider.id, metadata={"a": 1, "b": 2})
    first = client.send("POST", "/query", asked, headers=KEY)
    assert "idempotent-replayed" not in first.headers
    # The same JSON value, written in another way.
    reordered = dict(reversed(asked.items())) | {"metadata": {"b": 2, "a": 1}}
    again = client.send("POST", "/query", reordered, headers=KEY)
    assert (again.status_code, again.json()) == (200, first.json())
    assert again.headers["idempotent-replayed"] == "true"
    assert client.ask(asked)["id"] != first.json()["id"]
    assert provider.calls == 2


@pytest.mark.parametrize("path", ["/query", "/query/stream"])
def test_another_body_under_the_same_key_is_a_conflict(
    path: str, client: Client, provider: Scripted, stack: Stack
) -> None:
    assert client.send("POST", path, question(provider=provider.id), headers=KEY).status_code == 200
    before = stack.statuses(client)
    response = client.send("POST", path, question("Something else?", provider=provider.id), headers=KEY)
    assert (response.status_code, response.json()["code"]) == (409, "idempotency_conflict")
    assert stack.statuses(client) == before
    assert provider.calls == 1


def test_a_key_is_one_callers_own(client: Client, provider: Scripted, stack: Stack) -> None:
    asked = question(provider=provider.id)
    mine = client.ask(asked, **KEY)
    other = stack.client(client.http).ask(asked, **KEY)
    assert mine["id"] != other["id"]
    assert provider.calls == 2


@pytest.mark.parametrize("key", ["", "x" * 256, "tab\there"])
def test_a_key_that_is_none_is_refused(key: str, client: Client, provider: Scripted) -> None:
    response = client.send("POST", "/query", question(provider=provider.id), headers={"Idempotency-Key": key})
    assert (response.status_code, response.json()["code"]) == (422, "validation_failed")
    assert provider.calls == 0


@pytest.mark.parametrize("path", ["/query", "/query/stream"])
@pytest.mark.parametrize("failure", [Refusal(status=500), Refusal(status=429, headers={"retry-after": "60"})])
def test_what_may_be_tried_again_does_not_use_the_key_up(
    path: str, failure: Refusal, client: Client, scripted: Make
) -> None:
    broken, sound = scripted(otherwise=failure), scripted()
    asked = question(provider=broken.id)
    failed = client.send("POST", path, asked, headers=KEY)
    assert failed.status_code in (429, 502)
    broken.upstream.otherwise = Answer()
    again = client.send("POST", path, asked, headers=KEY)
    # A provider that asked for a pause keeps it: but that is told anew, and not replayed.
    assert again.status_code == (429 if failure.status == 429 else 200)
    assert "idempotent-replayed" not in again.headers
    # Nor is the key taken: the body may even be another.
    if failure.status == 429:
        assert client.send("POST", path, question(provider=sound.id), headers=KEY).status_code == 200


def test_what_never_reached_a_provider_does_not_use_the_key_up(client: Client, scripted: Make) -> None:
    limited = scripted(limits={"requests_per_minute": 1})
    client.ask(question(provider=limited.id))
    refused = client.send("POST", "/query", question(provider=limited.id), headers=KEY)
    assert (refused.status_code, refused.json()["code"]) == (429, "provider_rate_limited")
    unknown = client.send("POST", "/query", question(provider="nobody"), headers=KEY)
    assert (unknown.status_code, unknown.json()["code"]) == (404, "provider_not_found")
    assert client.send("POST", "/query", question(provider=scripted().id), headers=KEY).status_code == 200


def test_what_the_provider_refused_is_replayed(client: Client, provider: Scripted) -> None:
    provider.upstream.otherwise = Refusal(status=400)
    responses = [client.send("POST", "/query", question(provider=provider.id), headers=KEY) for _ in range(2)]
    first, again = (response.json() for response in responses)
    assert [response.status_code for response in responses] == [422, 422]
    assert {name: first[name] for name in first if name != "request_id"} == {
        name: again[name] for name in again if name != "request_id"
    }
    assert responses[1].headers["idempotent-replayed"] == "true"
    assert provider.calls == 1


def test_a_stream_is_replayed_as_a_stream(client: Client, provider: Scripted) -> None:
    asked = question(provider=provider.id)
    first = client.stream(asked, **KEY)
    with client.streaming(asked, **KEY) as reader:
        again = list(reader)
    assert reader.response.headers["idempotent-replayed"] == "true"
    assert again[0].data["id"] == first[0].data["id"]
    assert text_of(again) == text_of(first)
    assert again[-1] == first[-1]
    assert provider.calls == 1


def test_a_stream_that_still_runs_is_in_progress(client: Client, provider: Scripted) -> None:
    provider.upstream.otherwise = Answer(between_s=0.3)
    asked = question(provider=provider.id)
    with client.streaming(asked, **KEY) as reader:
        events = iter(reader)
        next(events)
        meanwhile = client.send("POST", "/query/stream", asked, headers=KEY)
        assert (meanwhile.status_code, meanwhile.json()["code"]) == (409, "query_in_progress")
        assert list(events)[-1].name == "done"
    assert provider.calls == 1


def test_a_query_for_later_is_accepted_once(client: Client, provider: Scripted, worker: WorkerProcess) -> None:
    asked: dict[str, Any] = question(provider=provider.id, mode="async")
    responses = at_once(lambda _: client.send("POST", "/query", asked, headers=KEY), times=10)
    accepted = [response for response in responses if response.status_code == 202]
    assert len({response.json()["id"] for response in accepted}) == 1
    assert {response.status_code for response in responses} <= {202, 409}
    query_id = accepted[0].json()["id"]
    assert client.ended(query_id)["status"] == "succeeded"
    again = client.send("POST", "/query", asked, headers=KEY)
    assert (again.status_code, again.json()["id"]) == (202, query_id)
    assert again.headers["idempotent-replayed"] == "true"
    assert again.headers["location"] == f"/api/v1/llm/query/{query_id}/status"
    assert provider.calls == 1


def test_a_query_that_was_erased_is_not_replayed(client: Client, provider: Scripted) -> None:
    asked = question(provider=provider.id)
    first = client.ask(asked, **KEY)
    assert client.send("DELETE", f"/query/{first['id']}").status_code == 204
    assert client.ask(asked, **KEY)["id"] != first["id"]
    assert provider.calls == 2
