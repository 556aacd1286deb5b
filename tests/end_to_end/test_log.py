"""What the processes write to their logs: the end of every query, and no word of it unless its key says so."""

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from uuid import uuid4

import httpx2
import pytest
from llm_gateway.domain.keys import KeySpec, Role
from llm_gateway.entrypoints.trace import files, life_of

from tests.adapters.authors import BY
from tests.adapters.gateway_processes import WorkerProcess
from tests.adapters.upstream import Answer, Refusal, StreamFault
from tests.adapters.upstream_wires import Said
from tests.end_to_end.calling import Client, eventually, question
from tests.end_to_end.stack import Scripted, Stack

SECRET = "sk-" + "proj-abcDEF123456_7890-ghijklmnop"


@pytest.fixture
def logs(gateway_log: Path, worker: WorkerProcess) -> list[Path]:
    return [gateway_log, worker.log]


@pytest.fixture
def logged(stack: Stack, http: httpx2.Client) -> Client:
    """A caller all of whose queries have their words logged."""
    secret = stack.keys.create(KeySpec(name="logged", role=Role.CALLER, log_bodies=1), by=BY).secret
    return Client(http, secret)


@pytest.fixture
def canary() -> str:
    return f"canary-{uuid4().hex}"


def lines(logs: list[Path], message: str, query_id: str) -> list[dict[str, Any]]:
    """The log's lines of one kind about a query."""
    found = (line for log in logs for line in log.read_text().splitlines() if query_id in line and line.startswith("{"))
    return [line for line in map(json.loads, found) if line["message"] == message and line["query_id"] == query_id]


def asked_in_every_way(client: Client, provider: Scripted, text: str) -> Iterator[tuple[str, str, str | None]]:
    """Queries with `text` in question and answer: the id of each, the status it ends with, and what was answered by then."""
    whole = f"{text} and more"
    asked = question(text, provider=provider.id, system={"text": text}, metadata={"m": text})
    provider.upstream.otherwise = Answer(said=Said(pieces=(text, " and", " more")))
    yield client.ask(asked)["id"], "succeeded", whole
    yield client.stream(asked)[-1].data["id"], "succeeded", whole
    later = client.accept(asked)
    # Before the script goes on: the worker asks when it likes.
    client.ended(later)
    yield later, "succeeded", whole
    provider.upstream.script(Refusal(status=400, body=json.dumps({"error": {"message": text}}).encode()))
    yield client.send("POST", "/query", asked).json()["query_id"], "failed", None
    provider.upstream.script(Answer(said=Said(pieces=(text,) * 4), fault=StreamFault(kind="truncate", after=1)))
    yield client.stream(asked)[-1].data["query_id"], "failed", text
    provider.upstream.script(Answer(said=Said(pieces=(text,))))
    wrong = asked | {"output": {"type": "json"}}
    yield client.send("POST", "/query", wrong).json()["query_id"], "failed", None


def test_every_end_is_written_down_once_and_not_a_word_of_the_query(
    client: Client, provider: Scripted, logs: list[Path], canary: str
) -> None:
    ends = list(asked_in_every_way(client, provider, canary))
    for query_id, status, _ in ends:
        client.ended(query_id)
        assert eventually(lambda query_id=query_id: lines(logs, "query", query_id))  # type: ignore[misc]
        (record,) = lines(logs, "query", query_id)
        assert record["status"] == status
    for log in logs:
        assert canary not in log.read_text()


def test_a_key_may_say_that_the_words_are_logged_but_never_credentials(
    logged: Client, provider: Scripted, logs: list[Path], canary: str
) -> None:
    for query_id, _, answered in asked_in_every_way(logged, provider, f"{canary} {SECRET}"):
        logged.ended(query_id)
        assert eventually(lambda query_id=query_id: lines(logs, "query_bodies", query_id))  # type: ignore[misc]
        (line,) = lines(logs, "query_bodies", query_id)
        assert [message["text"] for message in line["messages"]] == [f"{canary} [redacted]"]
        assert line["system"] == f"{canary} [redacted]"
        said = line["answer"] and line["answer"]["text"]
        assert said == (answered and answered.replace(SECRET, "[redacted]"))
    for log in logs:
        assert SECRET not in log.read_text()


def test_from_a_requests_id_every_line_of_its_query_is_found(
    client: Client, provider: Scripted, logs: list[Path], worker: WorkerProcess
) -> None:
    """Through the gateway, the queue, and two tries of the worker: one trace, the caller's own."""
    provider.upstream.script(Refusal(status=503), Answer())
    trace_id = uuid4().hex
    accepted = client.send(
        "POST",
        "/query",
        question(provider=provider.id) | {"mode": "async", "timeout_s": 60},
        headers={"traceparent": f"00-{trace_id}-b7ad6b7169203331-01"},
    )
    request_id, query_id = accepted.headers["X-Request-Id"], accepted.json()["id"]
    assert client.ended(query_id)["status"] == "succeeded"

    def life() -> list[dict[str, Any]]:
        return [line.document for line in life_of(request_id, files(logs))]

    assert eventually(lambda: [line["outcome"] for line in life() if line["message"] == "delivery"][-1:] == ["done"])
    own = [line for line in life() if line["request_id"] == request_id]
    assert {line["query_id"] for line in own} == {query_id}
    assert {line["trace_id"] for line in own} == {trace_id}
    messages = [line["message"] for line in own]
    assert messages[0] == "request"
    assert {"request", "not_done", "delivery", "query"} <= set(messages)
    (end,) = (line for line in own if line["message"] == "query")
    assert (end["mode"], end["status"], end["kind"]) == ("async", "succeeded", "performance")
    # Nothing that was logged of the query anywhere is left out: only who read it has a request of their own.
    everything = [json.loads(text) for log in logs for text in log.read_text().splitlines() if query_id in text]
    assert [line for line in everything if line not in life()] == []
    assert life_of(query_id, files(logs)) == life_of(request_id, files(logs))


@pytest.mark.parametrize("how", ["cancel", "erase"])
def test_a_query_that_nobody_worked_on_is_written_down_too(
    client: Client, provider: Scripted, worker_process: WorkerProcess, gateway_log: Path, how: str
) -> None:
    worker_process.kill()
    query_id = client.accept(question(provider=provider.id))
    act: dict[str, Callable[[], httpx2.Response]] = {
        "cancel": lambda: client.send("POST", f"/query/{query_id}/cancel"),
        "erase": lambda: client.send("DELETE", f"/query/{query_id}"),
    }
    assert act[how]().status_code < 300
    (record,) = lines([gateway_log], "query", query_id)
    assert (record["status"], record["mode"], record["CostUsd"]) == ("cancelled", "async", 0)
    assert provider.calls == 0
