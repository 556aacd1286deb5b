"""AWS as it is on a bad day: each fault degrades what it must, none lies, and no accepted query is lost."""

import random
import string
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx2
import pytest
from llm_gateway.domain.keys import Role
from llm_gateway.services.queries.closing import NOT_STORED

from tests.adapters.faulty_aws import BROKEN, HANGING, LOST, REFUSED, THROTTLED, Fault, FaultyAws
from tests.adapters.gateway_processes import WorkerProcess, environment_of, running_gateway
from tests.adapters.upstream import Answer
from tests.adapters.upstream_wires import Said
from tests.end_to_end.calling import Client, eventually, question, text_of
from tests.end_to_end.stack import Scripted, Stack

Make = Callable[..., Scripted]
KEY = {"Idempotency-Key": "an order, once"}
SURE = {"parameters": {"temperature": 0}}
# Two tries, each cut off after two seconds, and some room.
SOON_S = 8


@pytest.fixture(scope="module")
def aws(stack: Stack) -> Iterator[FaultyAws]:
    with FaultyAws(stack.endpoint) as aws:
        yield aws


@pytest.fixture(scope="module")
def http(aws: FaultyAws, stack: Stack, folder: Path) -> Iterator[httpx2.Client]:
    """A gateway that reaches AWS through the proxy, and so do the clients of this module's tests."""
    environment = environment_of(stack.settings, endpoint=aws.url)
    with (
        running_gateway(environment, log=folder / "shaky-gateway.log") as base_url,
        httpx2.Client(base_url=base_url, trust_env=False, timeout=60) as http,
    ):
        yield http


@pytest.fixture(scope="module")
def admin(stack: Stack, http: httpx2.Client) -> Client:
    return stack.client(http, Role.ADMIN)


@pytest.fixture
def shaky_worker(aws: FaultyAws, stack: Stack, worker_process: WorkerProcess, folder: Path) -> Iterator[WorkerProcess]:
    """A worker that reaches AWS through the proxy; there is no other meanwhile."""
    worker_process.kill()
    environment = environment_of(stack.settings, endpoint=aws.url)
    worker = WorkerProcess(environment=environment, log=folder / "shaky-worker.log")
    yield worker
    worker.kill()


def table(name: str, operation: str = "*") -> str:
    return f"dynamodb/*-{name}/{operation}"


def unavailable(response: httpx2.Response) -> dict[str, Any]:
    problem: dict[str, Any] = response.json()
    assert (response.status_code, problem["code"]) == (503, "dependency_unavailable"), problem
    assert response.headers["content-type"] == "application/problem+json"
    assert int(response.headers["retry-after"]) >= 1
    assert response.elapsed.total_seconds() < SOON_S
    return problem


# It does not compress well.
LARGE = "".join(random.Random(1).choices(string.ascii_letters + string.digits, k=700_000))  # noqa: S311


@pytest.mark.parametrize("fault", [THROTTLED, BROKEN, REFUSED, HANGING], ids=lambda fault: fault.kind)
def test_without_the_keys_nobody_gets_in(fault: Fault, aws: FaultyAws, client: Client, provider: Scripted) -> None:
    with aws.failing(table("keys"), fault):
        unavailable(client.send("POST", "/query", question(provider=provider.id)))
    assert provider.calls == 0
    client.ask(question(provider=provider.id))


@pytest.mark.parametrize("path", ["/query", "/query/stream"])
def test_without_the_limits_no_provider_is_asked(path: str, aws: FaultyAws, client: Client, provider: Scripted) -> None:
    with aws.failing(table("limits"), THROTTLED):
        unavailable(client.send("POST", path, question(provider=provider.id)))
    assert provider.calls == 0
    client.ask(question(provider=provider.id))


def test_without_the_providers_book_nobody_is_asked(aws: FaultyAws, client: Client, provider: Scripted) -> None:
    with aws.failing(table("providers"), BROKEN):
        # What was read before may serve for some seconds, as in any other process.
        assert eventually(
            lambda: client.send("POST", "/query", question(provider=provider.id)).status_code == 503, within_s=20
        )
        unavailable(client.send("GET", "/providers"))
    client.ask(question(provider=provider.id))


@pytest.mark.parametrize("fault", [THROTTLED, REFUSED], ids=lambda fault: fault.kind)
def test_without_the_cache_every_answer_is_a_miss(
    fault: Fault, aws: FaultyAws, client: Client, provider: Scripted
) -> None:
    asked = question(provider=provider.id, **SURE)
    client.ask(asked)
    with aws.failing(table("cache"), fault):
        answer = client.ask(asked)
        assert (answer["cache"]["hit"], answer["output"]["text"]) == (False, "Hello there.")
        assert client.stream(asked)[-1].name == "done"
    assert client.ask(asked)["cache"]["hit"] is True
    assert provider.calls == 3


@pytest.mark.parametrize("changes", [{}, {"mode": "async"}])
def test_what_must_be_done_once_is_refused_where_that_cannot_be_kept(
    changes: dict[str, str], aws: FaultyAws, client: Client, provider: Scripted, stack: Stack
) -> None:
    asked = question(provider=provider.id, **changes)
    with aws.failing(table("cache"), THROTTLED):
        unavailable(client.send("POST", "/query", asked, headers=KEY))
    assert provider.calls == 0
    assert stack.statuses(client) == []
    done = client.send("POST", "/query", asked, headers=KEY)
    assert done.status_code in (200, 202)
    assert client.send("POST", f"/query/{done.json()['id']}/cancel").status_code == 200


def test_an_answer_that_cannot_be_stored_is_given_all_the_same(
    aws: FaultyAws, client: Client, provider: Scripted, stack: Stack
) -> None:
    with aws.failing(table("queries"), THROTTLED):
        answer = client.ask(question(provider=provider.id))
        events = client.stream(question(provider=provider.id))
    assert (answer["status"], answer["output"]["text"]) == ("succeeded", "Hello there.")
    assert answer["warnings"] == [NOT_STORED]
    assert text_of(events) == "Hello there."
    assert events[-1].data["warnings"] == [NOT_STORED]
    missing = client.send("GET", f"/query/{answer['id']}/result")
    assert (missing.status_code, missing.json()["code"]) == (404, "query_not_found")
    assert stack.statuses(client) == []
    assert provider.calls == 2


def test_a_query_that_cannot_be_read_is_not_said_to_be_gone(aws: FaultyAws, client: Client, provider: Scripted) -> None:
    query_id = client.ask(question(provider=provider.id))["id"]
    with aws.failing(table("queries"), THROTTLED):
        for path in ("status", "result", "stream"):
            unavailable(client.send("GET", f"/query/{query_id}/{path}"))
        unavailable(client.send("DELETE", f"/query/{query_id}"))
    assert client.status(query_id)["status"] == "succeeded"


def test_a_write_whose_answer_is_lost_is_done_once(
    aws: FaultyAws, client: Client, provider: Scripted, stack: Stack
) -> None:
    with aws.failing(table("queries"), Fault(kind="lost", every=2)):
        answer = client.ask(question(provider=provider.id))
        events = client.stream(question(provider=provider.id))
    assert (answer["warnings"], events[-1].data["warnings"]) == ([], [])
    assert client.result(answer["id"]) == answer
    assert client.result(events[0].data["id"]) == events[-1].data
    assert stack.statuses(client) == ["succeeded"] * 2
    assert provider.calls == 2


@pytest.mark.parametrize("fault", [BROKEN, REFUSED], ids=lambda fault: fault.kind)
def test_without_s3_small_answers_do_not_notice_and_large_ones_are_given_and_not_kept(
    fault: Fault, aws: FaultyAws, client: Client, provider: Scripted
) -> None:
    with aws.failing("s3/*", fault):
        small = client.ask(question(provider=provider.id))
        assert small["warnings"] == []
        assert client.result(small["id"]) == small
        provider.upstream.otherwise = Answer(said=Said(pieces=(LARGE,)))
        large = client.ask(question(provider=provider.id, **SURE))
        assert (large["output"]["text"], large["warnings"]) == (LARGE, [NOT_STORED])
        events = client.stream(question(provider=provider.id))
        assert text_of(events) == LARGE
        assert events[-1].data["warnings"] == [NOT_STORED]
    # It was not kept in the cache either.
    kept = client.ask(question(provider=provider.id, **SURE))
    assert kept["cache"]["hit"] is False
    with aws.failing("s3/*", fault):
        unavailable(client.send("GET", f"/query/{kept['id']}/result"))
        assert client.status(kept["id"])["status"] == "succeeded"
    assert client.result(kept["id"])["output"]["text"] == LARGE


@pytest.mark.parametrize("fault", [REFUSED, LOST], ids=lambda fault: fault.kind)
def test_what_cannot_be_queued_is_not_accepted(
    fault: Fault, aws: FaultyAws, client: Client, provider: Scripted, stack: Stack, shaky_worker: WorkerProcess
) -> None:
    asked = question(provider=provider.id, mode="async")
    before = stack.stored()
    with aws.failing("sqs/*/SendMessage", fault):
        unavailable(client.send("POST", "/query", asked, headers=KEY))
    after = stack.stored()
    for place in (stack.settings.queries_table, stack.settings.cache_table, "bodies"):
        assert after[place] == before[place]
    accepted = client.send("POST", "/query", asked, headers=KEY)
    assert accepted.status_code == 202
    shaky_worker.start()
    assert client.ended(accepted.json()["id"])["status"] == "succeeded"
    # Nor is what was refused asked for, where its message went out although nobody heard so.
    assert eventually(lambda: stack.waiting(stack.settings.queue_url) == 0)
    assert provider.calls == 1


def test_a_large_question_that_cannot_be_stored_is_not_accepted(
    aws: FaultyAws, client: Client, provider: Scripted, stack: Stack
) -> None:
    before = stack.stored()
    with aws.failing("s3/*", BROKEN):
        unavailable(client.send("POST", "/query", question(LARGE, provider=provider.id, mode="async")))
    after = stack.stored()
    for place in (stack.settings.queries_table, "bodies", "queued"):
        assert after[place] == before[place]


def test_a_slow_secret_is_waited_for_and_a_known_one_needs_no_asking(
    aws: FaultyAws, client: Client, scripted: Make
) -> None:
    provider = scripted(credentials={"api_key": "a-secret"})
    with aws.failing("secretsmanager/*/GetSecretValue", Fault(kind="slow", lasting_s=1.0)):
        answer = client.ask(question(provider=provider.id))
    assert answer["output"]["text"] == "Hello there."
    assert answer["latency_ms"]["overhead"] >= 1000
    with aws.failing("secretsmanager/*", HANGING):
        started_at_s = time.monotonic()
        client.ask(question(provider=provider.id))
        assert time.monotonic() - started_at_s < SOON_S


def test_a_secret_that_cannot_be_had_is_said_or_somebody_else_answers(
    aws: FaultyAws, client: Client, scripted: Make
) -> None:
    locked, free = scripted(credentials={"api_key": "a-secret"}), scripted()
    with aws.failing("secretsmanager/*", REFUSED):
        unavailable(client.send("POST", "/query", question(provider=locked.id)))
        answer = client.ask(question(provider=locked.id, fallback=[free.id]))
    assert answer["provider"] == free.id
    assert [attempt["outcome"] for attempt in answer["attempts"]] == ["skipped", "ok"]
    assert locked.calls == 0
    assert client.ask(question(provider=locked.id))["provider"] == locked.id


def test_a_credential_that_cannot_be_stored_registers_no_provider(
    aws: FaultyAws, admin: Client, provider: Scripted
) -> None:
    body = {
        "id": "half-made",
        "name": "Half made",
        "kind": "openai_compatible",
        "base_url": provider.upstream.openai_base_url,
        "default_model": "small",
        "credentials": {"api_key": "a-secret"},
    }
    with aws.failing("secretsmanager/*", REFUSED):
        unavailable(admin.send("POST", "/providers", body))
    assert admin.send("GET", "/providers/half-made").status_code == 404
    assert admin.send("POST", "/providers", body).status_code == 201


def test_an_accepted_query_outlives_an_outage_of_everything(
    aws: FaultyAws, client: Client, provider: Scripted, shaky_worker: WorkerProcess
) -> None:
    provider.upstream.otherwise = Answer(delay_s=0.3)
    query_ids = [client.accept(question(str(number), provider=provider.id)) for number in range(20)]
    shaky_worker.start()
    assert eventually(lambda: provider.calls >= 5)
    with aws.failing("*", BROKEN):
        time.sleep(2)
    assert [client.ended(query_id)["status"] for query_id in query_ids] == ["succeeded"] * 20
    # The worker of that time kept its answer until it could be stored.
    assert Counter(provider.asked()).total() == 20


def test_no_accepted_query_is_lost_where_every_third_request_fails(
    aws: FaultyAws, client: Client, provider: Scripted, shaky_worker: WorkerProcess, stack: Stack
) -> None:
    query_ids = [client.accept(question(str(number), provider=provider.id)) for number in range(20)]
    with (
        aws.failing(table("queries"), Fault(kind="throttled", every=3)),
        aws.failing(table("limits"), Fault(kind="lost", every=5)),
        aws.failing("sqs/*", Fault(kind="refused", every=4)),
    ):
        shaky_worker.start()
        time.sleep(3)
    assert [client.ended(query_id)["status"] for query_id in query_ids] == ["succeeded"] * 20
    assert {client.result(query_id)["output"]["text"] for query_id in query_ids} == {"Hello there."}
    assert eventually(lambda: stack.waiting(stack.settings.queue_url) == 0)
