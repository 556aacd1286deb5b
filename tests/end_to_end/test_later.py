"""Asynchronous queries, with a worker that is slow, held up, sent everything twice, and killed: none is lost."""

from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
from llm_gateway.entrypoints.trace import files, life_of

from tests.adapters.gateway_processes import WorkerProcess
from tests.adapters.upstream import Answer, Refusal, ScriptedUpstream
from tests.end_to_end.calling import Client, at_once, eventually, question
from tests.end_to_end.stack import MOST_RECEIVES, Scripted, Stack, register
from tests.patience import LATE_S

MANY = 50
Make = Callable[..., Scripted]


@pytest.fixture
def idle(worker_process: WorkerProcess) -> WorkerProcess:
    """A worker that a test starts when it wants to."""
    worker_process.kill()
    return worker_process


def accept_many(client: Client, provider: Scripted, *, times: int = MANY) -> list[str]:
    """The ids of queries that ask for their own number."""
    return at_once(lambda number: client.accept(question(str(number), provider=provider.id)), times=times)


def test_a_wait_that_is_too_short_ends_in_time(client: Client, provider: Scripted, idle: WorkerProcess) -> None:
    query_id = client.accept(question(provider=provider.id))
    response = client.send("GET", f"/query/{query_id}/status?wait_s=0.6")
    assert response.json()["status"] == "queued"
    assert 0.5 < response.elapsed.total_seconds() < 0.6 + LATE_S
    assert client.send("POST", f"/query/{query_id}/cancel").status_code == 200


def test_a_queued_query_is_cancelled_at_once(
    client: Client, provider: Scripted, idle: WorkerProcess, stack: Stack
) -> None:
    query_id = client.accept(question(provider=provider.id))
    cancelled = client.send("POST", f"/query/{query_id}/cancel")
    assert (cancelled.status_code, cancelled.json()["status"]) == (200, "cancelled")
    assert client.result(query_id)["status"] == "cancelled"
    idle.start()
    assert eventually(lambda: stack.waiting(stack.settings.queue_url) == 0)
    assert provider.asked() == []


@dataclass(frozen=True, kw_only=True)
class Patience:
    """Queries that take their time, begun while other tests take theirs."""

    client: Client
    limited: Scripted
    limited_ids: list[str]
    failing: Scripted
    failing_id: str


@pytest.fixture(scope="module")
def patience(admin: Client, stack: Stack, worker_process: WorkerProcess) -> Iterator[Patience]:
    # With two deliveries in all, none may go to a worker that was killed.
    worker_process.wait_for_its_polls()
    worker_process.start()
    # The other queue's messages must outlive a worker that is killed.
    urgent = stack.settings.high_queue_url
    stack.give_up_after(2, queue_url=urgent)
    with ScriptedUpstream() as quick, ScriptedUpstream(otherwise=Refusal(status=500)) as broken:
        limited = register(admin, quick, limits={"requests_per_minute": 5})
        failing = register(admin, broken)
        yield Patience(
            client=admin,
            limited=limited,
            limited_ids=accept_many(admin, limited, times=2),
            failing=failing,
            failing_id=admin.accept(question(provider=failing.id, priority="high")),
        )
    stack.give_up_after(MOST_RECEIVES, queue_url=urgent)


@pytest.mark.usefixtures("patience")
def test_is_promised_first_and_answered_later(client: Client, provider: Scripted, worker: WorkerProcess) -> None:
    provider.upstream.otherwise = Answer(delay_s=1.0)
    response = client.send("POST", "/query", question(provider=provider.id, mode="async", metadata={"a": 1}))
    assert response.status_code == 202
    promise = response.json()
    assert promise == {
        "id": promise["id"],
        "status": "queued",
        "status_url": f"/api/v1/llm/query/{promise['id']}/status",
        "result_url": f"/api/v1/llm/query/{promise['id']}/result",
    }
    assert response.headers["location"] == promise["status_url"]

    unfinished = client.send("GET", f"/query/{promise['id']}/result")
    assert unfinished.status_code == 202
    assert int(unfinished.headers["retry-after"]) >= 1
    assert unfinished.json()["status"] in ("queued", "running")
    assert unfinished.json()["completed_at"] is None

    # One long poll, which ends with the query and not with its patience.
    result = client.send("GET", f"/query/{promise['id']}/result?wait_s=20")
    assert result.status_code == 200
    assert result.elapsed.total_seconds() < 15
    answer = result.json()
    assert (answer["status"], answer["output"]["text"]) == ("succeeded", "Hello there.")
    assert answer["metadata"] == {"a": 1}
    status = client.status(promise["id"])
    assert (status["status"], status["attempts"]) == ("succeeded", 1)
    assert status["created_at"] <= status["started_at"] <= status["completed_at"]


def test_messages_that_come_twice_are_answered_once(
    client: Client, provider: Scripted, worker: WorkerProcess, stack: Stack
) -> None:
    provider.upstream.otherwise = Answer(delay_s=0.2)
    query_ids = accept_many(client, provider, times=20)
    for query_id in query_ids:
        stack.aws.sqs.send_message(QueueUrl=stack.settings.queue_url, MessageBody=query_id)
    statuses = [client.ended(query_id) for query_id in query_ids]
    assert {(status["status"], status["attempts"]) for status in statuses} == {("succeeded", 1)}
    assert eventually(lambda: stack.waiting(stack.settings.queue_url) == 0)
    assert sorted(provider.asked(), key=int) == [str(number) for number in range(20)]


def test_what_the_request_itself_is_at_fault_for_is_not_tried_again(
    client: Client, provider: Scripted, worker: WorkerProcess
) -> None:
    provider.upstream.otherwise = Refusal(status=400, type="invalid_request_error")
    status = client.ended(client.accept(question(provider=provider.id)))
    assert (status["status"], status["attempts"], status["error"]["code"]) == ("failed", 1, "validation_failed")
    assert provider.calls == 1


def test_a_running_query_is_cancelled_soon_and_its_call_broken_off(
    client: Client, provider: Scripted, worker: WorkerProcess
) -> None:
    provider.upstream.otherwise = Answer(delay_s=25.0)
    query_id = client.accept(question(provider=provider.id))
    assert eventually(lambda: provider.calls == 1)
    client.send("POST", f"/query/{query_id}/cancel")
    assert provider.upstream.requests[0].left.wait(15)
    assert client.ended(query_id)["status"] == "cancelled"
    result = client.result(query_id)
    assert [attempt["outcome"] for attempt in result["attempts"]] == ["cancelled"]
    assert provider.calls == 1


def test_what_is_urgent_goes_first(client: Client, provider: Scripted, worker: WorkerProcess) -> None:
    provider.upstream.otherwise = Answer(delay_s=0.5)
    normal = accept_many(client, provider, times=40)
    urgent = [client.accept(question("urgent", provider=provider.id, priority="high")) for _ in range(3)]
    assert {client.ended(query_id)["status"] for query_id in (*urgent, *normal)} == {"succeeded"}
    # Accepted last, and asked while others that were there before still waited.
    positions = [position for position, asked in enumerate(provider.asked()) if asked == "urgent"]
    assert max(positions) < 40 - 8


def test_a_provider_that_was_just_registered_is_known_to_a_worker_that_knew_another(
    client: Client, scripted: Make, worker: WorkerProcess
) -> None:
    first = scripted()
    assert client.ended(client.accept(question(provider=first.id)))["status"] == "succeeded"
    second = scripted()
    assert client.ended(client.accept(question(provider=second.id)))["status"] == "succeeded"


def test_a_providers_limit_delays_and_is_no_failure(patience: Patience) -> None:
    statuses = [patience.client.ended(query_id) for query_id in patience.limited_ids]
    # The second was taken up, put back, and taken up again; that counts once.
    assert [(status["status"], status["attempts"], status["error"]) for status in statuses] == [
        ("succeeded", 1, None)
    ] * 2
    accepted = min(datetime.fromisoformat(status["created_at"]) for status in statuses)
    last = max(datetime.fromisoformat(status["completed_at"]) for status in statuses)
    # 5 in any minute, one at once: 12 s from one to the next.
    assert (last - accepted).total_seconds() >= 12
    assert patience.limited.calls == 2


def test_what_always_fails_ends_among_the_dead_letters_and_says_why(
    patience: Patience, stack: Stack, gateway_log: Path, worker_process: WorkerProcess
) -> None:
    client, failing = patience.client, patience.failing
    status = client.ended(patience.failing_id)
    assert (status["status"], status["attempts"]) == ("failed", 2)
    assert (status["error"]["code"], status["error"]["status"]) == ("provider_error", 502)
    assert status["error"]["provider"] == failing.id
    assert failing.calls == 2
    result = client.result(patience.failing_id)
    assert (result["status"], result["error"]) == ("failed", status["error"])
    assert eventually(lambda: stack.waiting(stack.settings.dead_letters_url) == 0)

    def told(message: str) -> list[dict[str, Any]]:
        life = life_of(patience.failing_id, files([gateway_log, worker_process.log]))
        return [line.document for line in life if line.document["message"] == message]

    # Its trace leads from the request that it came with over the urgent queue to that of the dead letters.
    assert eventually(lambda: len(told("delivery")) == 4)
    urls = (stack.settings.high_queue_url, stack.settings.dead_letters_url, stack.settings.queue_url)
    urgent, dead, normal = (url.rpartition("/")[2] for url in urls)
    assert [(line["queue"], line["outcome"]) for line in told("delivery")] == [
        *((urgent, "not_done"),) * 2,
        (dead, "done"),
        # The worker once more: it sees to the words of a query that has no answer.
        (normal, "done"),
    ]
    (accepted,) = (line for line in told("request") if line["status"] == 202)
    assert {line["request_id"] for line in told("delivery")} == {accepted["request_id"]}


def test_a_worker_that_is_told_to_stop_ends_what_it_has_begun(
    client: Client, provider: Scripted, worker: WorkerProcess
) -> None:
    provider.upstream.otherwise = Answer(delay_s=1.0)
    query_id = client.accept(question(provider=provider.id))
    assert eventually(lambda: provider.calls == 1)
    assert worker.stop() == 0
    assert client.status(query_id)["status"] == "succeeded"


def test_a_killed_worker_loses_nothing_and_repeats_nothing_that_is_stored(
    client: Client, provider: Scripted, idle: WorkerProcess
) -> None:
    provider.upstream.otherwise = Answer(delay_s=0.4)
    query_ids = accept_many(client, provider)
    idle.start()
    assert eventually(lambda: provider.calls >= MANY // 2)

    idle.kill()

    stored = [number for number, query_id in enumerate(query_ids) if client.status(query_id)["status"] == "succeeded"]
    calls_before = Counter(provider.asked())
    assert 0 < len(stored) < MANY
    idle.start()
    statuses = [client.ended(query_id) for query_id in query_ids]
    assert [status["status"] for status in statuses] == ["succeeded"] * MANY

    calls = Counter(provider.asked())
    assert {calls[str(number)] for number in stored} == {1}
    # Whatever was asked again was under way when the worker died, and is asked once more.
    assert all(calls[str(number)] - calls_before[str(number)] <= 1 for number in range(MANY))
    assert calls.total() - MANY <= 12
    answers = [client.result(query_id) for query_id in query_ids]
    assert len({answer["id"] for answer in answers}) == MANY
    assert {len(answer["attempts"]) for answer in answers} == {1}
