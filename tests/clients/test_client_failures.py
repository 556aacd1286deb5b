"""What the Python client makes of failures: a tree of exceptions, retries that keep to what they are told."""

import asyncio
import json
import socket
import subprocess
import sys
from collections.abc import Iterator
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import httpx
import llm_gateway_client
import pytest
from llm_gateway import errors as gateways
from llm_gateway.domain import faults
from llm_gateway_client import AsyncGatewayClient, GatewayClient, Retries, calls, errors
from llm_gateway_client.address import KeyAuth, address_of, auth_of
from llm_gateway_client.answered import retry_after_s
from llm_gateway_client.events import EventDecoder

from tests.adapters.scripted_server import Reply, ScriptedServer, problem, scripted_server

HEALTH = Reply(body={"status": "ok"})
SHORT = Retries(draw=lambda: -0.99)
CODES = {
    kind.code
    for module in (gateways, faults)
    for kind in vars(module).values()
    if isinstance(kind, type) and issubclass(kind, gateways.GatewayError)
}


@pytest.fixture
def server() -> Iterator[ScriptedServer]:
    with scripted_server(otherwise=HEALTH) as server:
        yield server


@pytest.fixture
def client(server: ScriptedServer) -> Iterator[GatewayClient]:
    with GatewayClient(server.url, "llmgw_key", retries=SHORT) as client:
        yield client


@pytest.mark.parametrize(("event", "size"), [("started", 10), ("complete", 100_000)])
def test_a_query_that_is_given_up_as_it_goes_out_is_cancelled(event: str, size: int) -> None:
    """An interruption between its last byte and what tells of that: the gateway may have it."""
    asked: list[tuple[str, str | None]] = []

    def answer(request: httpx.Request) -> httpx.Response:
        asked.append((request.url.path, request.headers.get("Idempotency-Key")))
        if len(asked) == 1:
            request.extensions["trace"](f"http11.send_request_body.{event}", {})
            raise KeyboardInterrupt
        if request.url.path.endswith("/cancel"):
            return httpx.Response(200, json={})
        return httpx.Response(409, json={"code": "query_in_progress", "detail": "Wait.", "query_id": "qry_1"})

    http = httpx.Client(transport=httpx.MockTransport(answer))
    client = GatewayClient("https://gateway.example", "llmgw_key", retries=SHORT, http=http)
    with http, pytest.raises(KeyboardInterrupt), client.stream("x" * size):
        pytest.fail("It was given up.")
    stream, again, cancel = asked
    assert (stream, stream[1]) == (again, again[1])
    assert stream[1] is not None
    assert cancel[0] == "/api/v1/llm/query/qry_1/cancel"


def test_a_long_query_that_is_given_up_while_it_goes_out_is_not_sent_again() -> None:
    asked: list[str] = []

    def answer(request: httpx.Request) -> httpx.Response:
        asked.append(request.url.path)
        request.extensions["trace"]("http11.send_request_body.started", {})
        raise KeyboardInterrupt

    http = httpx.Client(transport=httpx.MockTransport(answer))
    client = GatewayClient("https://gateway.example", "llmgw_key", retries=SHORT, http=http)
    with http, pytest.raises(KeyboardInterrupt), client.stream("x" * 100_000):
        pytest.fail("It was given up.")
    assert asked == ["/api/v1/llm/query/stream"]


@pytest.mark.parametrize("code", sorted(CODES - {"circuit_open", "provider_disabled", "cancelled"}))
def test_every_code_of_the_gateways_has_its_exception(code: str) -> None:
    raised = errors.refusal({"code": code, "detail": "So it is."}, status=499)
    assert type(raised).code == code
    assert str(raised) == f"So it is. ({code})"


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (400, errors.BadRequest),
        (403, errors.NotAllowed),
        (404, errors.NotFound),
        (422, errors.Unprocessable),
        (429, errors.TooManyRequests),
        (502, errors.ProviderFailed),
        (503, errors.Unavailable),
        (504, errors.OutOfTime),
        (599, errors.GatewayFailed),
        (418, errors.Refused),
    ],
)
def test_a_code_that_is_newer_is_told_by_its_status(status: int, kind: type[errors.Refused]) -> None:
    raised = errors.refusal({"code": "of_tomorrow"}, status=status)
    assert type(raised) is kind
    assert (raised.actual_code, raised.status) == ("of_tomorrow", status)


def test_a_problem_is_told_whole(server: ScriptedServer, client: GatewayClient) -> None:
    more = {
        "errors": [{"field": "messages.0", "message": "is empty"}],
        "query_id": "qry_1",
        "provider": "local",
        "provider_message": "no such model",
        "attempts": [{"provider": "local"}],
    }
    server.script.append(problem(422, "validation_failed", **more))
    with pytest.raises(errors.ValidationFailed) as refused:
        client.health()
    raised = refused.value
    assert raised.errors == (("messages.0", "is empty"),)
    assert (raised.query_id, raised.provider, raised.provider_message) == ("qry_1", "local", "no such model")
    assert (raised.request_id, raised.attempts) == ("req-1", ({"provider": "local"},))


@pytest.mark.parametrize("body", ['{"code": 7, "errors": 3, "detail": []}', '{"code": "x", "errors": ["y", {}]}'])
def test_a_problem_of_another_form_is_no_crash(server: ScriptedServer, client: GatewayClient, body: str) -> None:
    server.script.append(Reply(status=400, body=body))
    with pytest.raises(errors.BadRequest) as refused:
        client.health()
    assert refused.value.problem == json.loads(body)


@pytest.mark.parametrize(
    "reply",
    [
        problem(429, "rate_limited", retry_after_s=0),
        problem(429, "provider_rate_limited", retry_after_s=0),
        problem(503, "no_provider_available", retry_after_s=0),
        problem(503, "dependency_unavailable"),
        problem(500, "internal_error"),
        Reply(status=429, body={"message": "Too Many Requests"}),
        Reply(status=502, body="<html>Bad gateway</html>"),
        Reply(status=503, body={"message": "Service Unavailable"}),
        Reply(hangs_up=True),
    ],
)
def test_what_may_pass_is_tried_again(server: ScriptedServer, client: GatewayClient, reply: Reply) -> None:
    server.script.append(reply)
    assert client.health().status == "ok"
    assert len(server.seen) == 2


@pytest.mark.parametrize(
    "reply",
    [
        problem(401, "unauthenticated"),
        problem(422, "validation_failed"),
        problem(429, "budget_exceeded", retry_after_s=1),
        problem(429, "rate_limited", retry_after_s=3600),
        problem(502, "provider_error"),
        problem(504, "provider_timeout"),
        Reply(status=404, body="<html>Not here</html>"),
        Reply(status=302, headers={"Location": "https://elsewhere.example.com"}),
        Reply(body="<html>Welcome</html>"),
    ],
)
def test_what_would_fail_again_is_told_at_once(server: ScriptedServer, client: GatewayClient, reply: Reply) -> None:
    server.script.append(reply)
    with pytest.raises(errors.GatewayError):
        client.health()
    assert len(server.seen) == 1


def test_retry_after_is_kept(server: ScriptedServer) -> None:
    policy = Retries()
    refused = errors.refusal({"code": "rate_limited"}, status=429, retry_after_s=17)
    assert policy.wait_s(refused, calls.get("health"), tries=1) == 17
    assert policy.wait_s(refused, calls.get("health"), tries=3) is None
    assert Retries(longest_wait_s=10).wait_s(refused, calls.get("health"), tries=1) is None
    unknown = errors.refusal({"code": "dependency_unavailable"}, status=503)
    waits = [Retries(most=9, draw=lambda: 1).wait_s(unknown, calls.get("health"), tries=tries) for tries in range(1, 8)]
    assert waits == [0.5, 1, 2, 4, 8, 8, 8]


def test_every_try_of_a_question_has_one_idempotency_key(server: ScriptedServer, client: GatewayClient) -> None:
    server.script += [Reply(hangs_up=True), problem(409, "query_in_progress", retry_after_s=0)]
    server.script.append(Reply(status=202, body={"id": "q", "status": "queued", "status_url": "s", "result_url": "r"}))
    assert client.submit("Hi").id == "q"
    keys = [seen.headers["idempotency-key"] for seen in server.seen]
    assert len(keys) == 3
    assert len(set(keys)) == 1
    server.script.append(Reply(status=202, body={"id": "q", "status": "queued", "status_url": "s", "result_url": "r"}))
    client.submit("Hi")
    assert server.seen[-1].headers["idempotency-key"] != keys[0]


def test_a_change_that_may_have_happened_is_not_made_twice(server: ScriptedServer, client: GatewayClient) -> None:
    for change in (lambda: client.keys.revoke("key_1"), lambda: client.keys.update("key_1", {"name": "x"}, if_match=3)):
        server.script.append(Reply(hangs_up=True))
        server.seen.clear()
        with pytest.raises(errors.ConnectionFailed):
            change()
        assert len(server.seen) == 1
    assert server.seen[0].headers["if-match"] == '"3"'


def test_no_retries_where_none_are_wanted(server: ScriptedServer) -> None:
    server.script += [problem(503, "dependency_unavailable", retry_after_s=0)] * 2
    with GatewayClient(server.url, "key", retries=Retries(most=0)) as client, pytest.raises(errors.Unavailable):
        client.health()
    assert len(server.seen) == 1


def test_nobody_there() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    client = GatewayClient(f"http://127.0.0.1:{port}", "key", retries=SHORT)
    with client, pytest.raises(errors.ConnectionFailed, match="cannot be reached"):
        client.health()


def test_a_list_without_an_end_is_given_up(server: ScriptedServer, client: GatewayClient) -> None:
    server.otherwise = Reply(body={"items": [], "next_cursor": "again"})
    with pytest.raises(errors.AnswerUnreadable, match="no end"):
        list(client.keys.list())
    assert len(server.seen) == 2


def test_too_slow(server: ScriptedServer) -> None:
    server.otherwise = Reply(after_s=5)
    client = GatewayClient(server.url, "key", timeout_s=0.05, retries=Retries(most=0))
    with client, pytest.raises(errors.TimedOut):
        client.health()


def streamed(server: ScriptedServer, *, is_asynchronous: bool) -> list[Any]:
    """What either client makes of a stream."""
    if not is_asynchronous:
        with GatewayClient(server.url, "llmgw_key", retries=SHORT) as client, client.stream("Hi") as events:
            return list(events)

    async def read() -> list[Any]:
        async with AsyncGatewayClient(server.url, "llmgw_key", retries=SHORT) as client, client.stream("Hi") as events:
            return [event async for event in events]

    return asyncio.run(read())


both_clients = pytest.mark.parametrize("is_asynchronous", [False, True], ids=["synchronous", "asynchronous"])


@both_clients
@pytest.mark.parametrize(
    ("stream", "kind"),
    [
        ("event: query\nid: 1\ndata: []\n\n", errors.AnswerUnreadable),
        ('event: error\nid: 1\ndata: {"status": 502, "code": "provider_error"}\n\n', errors.ProviderError),
        ("event: error\nid: 1\ndata: []\n\n", errors.GatewayFailed),
        ("event: of-tomorrow\nid: 1\ndata: {}\n\n", errors.StreamBroken),
        ("", errors.StreamBroken),
    ],
)
def test_streams_that_end_badly(
    server: ScriptedServer, stream: str, kind: type[errors.GatewayError], is_asynchronous: bool
) -> None:
    server.script.append(Reply(body=stream, headers={"Content-Type": "text/event-stream"}))
    with pytest.raises(kind):
        streamed(server, is_asynchronous=is_asynchronous)


@both_clients
def test_resuming_waits_for_what_still_runs_and_tells_what_failed(
    server: ScriptedServer, is_asynchronous: bool
) -> None:
    begun = 'event: query\nid: 7\ndata: {"id": "qry_1", "provider": "p", "model": "m"}\n\n'
    server.script += [Reply(body=begun), problem(409, "query_in_progress", retry_after_s=0)]
    server.script.append(problem(502, "provider_error"))
    with pytest.raises(errors.ProviderError):
        streamed(server, is_asynchronous=is_asynchronous)
    assert [seen.path.rpartition("/query/")[2] for seen in server.seen] == ["stream", "qry_1/stream", "qry_1/stream"]
    assert server.seen[1].headers["last-event-id"] == "7"


def test_an_error_event_that_cannot_be_read(server: ScriptedServer, client: GatewayClient) -> None:
    server.script.append(
        Reply(body='event: error\nid: 1\ndata: {"code\n\n', headers={"Content-Type": "text/event-stream"})
    )
    with pytest.raises(errors.AnswerUnreadable), client.stream("Hi") as events:
        list(events)


@both_clients
def test_resuming_without_anybody_there(server: ScriptedServer, is_asynchronous: bool) -> None:
    begun = 'event: query\nid: 7\ndata: {"id": "qry_1", "provider": "p", "model": "m"}\n\n'
    server.script.append(Reply(body=begun))
    server.otherwise = Reply(hangs_up=True)
    with pytest.raises(errors.StreamBroken):
        streamed(server, is_asynchronous=is_asynchronous)


@both_clients
@pytest.mark.parametrize("query_id", [None, "qry_1"])
def test_a_stream_under_a_key_whose_query_runs_already_is_that_querys(
    server: ScriptedServer, query_id: str | None, is_asynchronous: bool
) -> None:
    """Of a first try whose answer was lost."""
    running = problem(409, "query_in_progress", **({"query_id": query_id} if query_id else {}))
    server.script += [Reply(hangs_up=True), *[running] * 33]
    server.otherwise = problem(502, "provider_error")
    with pytest.raises(errors.QueryInProgress if query_id is None else errors.ProviderError):
        streamed(server, is_asynchronous=is_asynchronous)
    assert (server.seen[-1].path.rpartition("/query/")[2] == f"{query_id}/stream") is (query_id is not None)


@pytest.mark.parametrize("size", [1, 2, 3, 7, 1000])
def test_events_come_in_whatever_pieces(size: int) -> None:
    told = (
        ": hello\r\n\r\nevent: delta\r\nid: 1\r\ndata: {\r\ndata: }\r\n\r\nid:2\ndata: é\u2028\n\nretry: 3\n\n".encode()
    )
    decoder = EventDecoder()
    events = [event for start in range(0, len(told), size) for event in decoder.feed(told[start : start + size])]
    assert [(event.name, event.id, event.data) for event in events] == [("delta", "1", "{\n}"), ("", "2", "é\u2028")]


def test_the_asynchronous_client_fails_alike(server: ScriptedServer) -> None:
    async def ask() -> Any:
        async with AsyncGatewayClient(server.url, "key", retries=SHORT) as client:
            return await client.health()

    server.script.append(problem(429, "rate_limited", retry_after_s=0))
    assert asyncio.run(ask()).status == "ok"
    server.script.append(problem(401, "unauthenticated"))
    with pytest.raises(errors.Unauthenticated):
        asyncio.run(ask())


@pytest.mark.parametrize(
    "url",
    [
        "",
        "gateway.example.com",
        "ftp://gateway",
        "https://",
        "https://host?a=1",
        "https://host#here",
        "http://h:x",
    ],
)
def test_addresses_that_are_none(url: str) -> None:
    with pytest.raises(ValueError):
        address_of(url, {})


@pytest.mark.parametrize(
    "url",
    [
        "https://me:hunter2@host",
        "https://hunter2@host",
        "https://:hunter2@host",
        "https://me:hunter2@host:x",
        "me:hunter2@host",
        "https://host?token=hunter2",
    ],
)
def test_a_secret_in_an_address_is_refused_and_not_repeated(url: str) -> None:
    with pytest.raises(ValueError) as refused:
        address_of(url, {}, allow_http=True)
    assert "hunter2" not in str(refused.value)
    assert refused.value.__cause__ is None
    with pytest.raises(ValueError, match="say https://host"):
        address_of(None, {"GATEWAY_URL": url})


@pytest.mark.parametrize(
    "host", ["gateway.example.com", "10.0.0.3", "localhost.example.com", "[2001:db8::1]", "0.0.0.0"]
)
def test_a_key_crosses_no_network_in_the_clear_unless_that_is_said(host: str) -> None:
    for client in (GatewayClient, AsyncGatewayClient):
        with pytest.raises(ValueError, match="allow_http"):
            client(f"http://{host}:8000", "llmgw_abc")
        assert client(f"http://{host}:8000", "llmgw_abc", allow_http=True).url == f"http://{host}:8000"
        assert client(f"https://{host}:8000", "llmgw_abc").url == f"https://{host}:8000"


@pytest.mark.parametrize("host", ["127.0.0.1", "127.8.9.1", "localhost", "LOCALHOST", "[::1]"])
def test_what_stays_on_this_machine_needs_no_https(host: str) -> None:
    assert address_of(f"http://{host}:8000", {}).port == 8000


def test_an_address_with_the_apis_own_path_is_told_of() -> None:
    for end in ("", "/"):
        with pytest.raises(ValueError, match="leave /api/v1/llm out"):
            address_of(f"https://gateway.example.com/prod/api/v1/llm{end}", {})


def test_address_and_key_come_from_the_environment() -> None:
    told = {"GATEWAY_URL": "https://gateway.example.com/prod/", "GATEWAY_KEY": "llmgw_abc"}
    assert str(address_of(None, told)) == "https://gateway.example.com/prod"
    request = next(auth_of(None, None, told).sync_auth_flow(httpx.Request("GET", "https://gateway.example.com")))
    assert request.headers["Authorization"] == "Bearer llmgw_abc"
    assert "llmgw_abc" not in repr(auth_of(None, None, told))


@pytest.mark.parametrize(
    ("home", "url", "is_sent"),
    [
        ("https://gateway.example.com", None, True),
        ("https://gateway.example.com/", "https://GATEWAY.example.com:443", True),
        ("https://gateway.example.com", "https://gateway.example.com/prod", False),
        ("https://gateway.example.com", "https://elsewhere.example.com", False),
        ("https://gateway.example.com", "https://gateway.example.com:8443", False),
        ("http://h:x", "https://gateway.example.com", False),
        ("", "https://gateway.example.com", True),
    ],
)
def test_the_environments_key_goes_to_the_environments_gateway_alone(home: str, url: str | None, is_sent: bool) -> None:
    told = {"GATEWAY_URL": home, "GATEWAY_KEY": "llmgw_abc"}
    if is_sent:
        assert isinstance(auth_of(None, None, told, url=url), KeyAuth)
    else:
        with pytest.raises(ValueError, match="another one"):
            auth_of(None, None, told, url=url)
    assert isinstance(auth_of("llmgw_of_elsewhere", None, told, url=url), KeyAuth)


@pytest.mark.parametrize("key", ["", "  ", "two words", "é", "a\nb"])
def test_keys_that_are_none(key: str) -> None:
    with pytest.raises(ValueError, match=r"key|Who"):
        auth_of(key, None, {})


def test_times_have_a_zone() -> None:
    paris = timezone(timedelta(hours=1))
    assert calls.moment(datetime(2026, 1, 1, 1, tzinfo=paris)) == "2026-01-01T00:00:00Z"
    assert calls.get("usage", from_=datetime(2026, 1, 1, tzinfo=paris), probe=True).params == {
        "from": "2025-12-31T23:00:00Z",
        "probe": "true",
    }
    with pytest.raises(ValueError, match="time zone"):
        calls.moment(datetime(2026, 1, 1))
    with pytest.raises(ValueError, match="empty"):
        calls.get("providers", "")
    assert calls.get("providers", "a/../b").path == "/providers/a%2F..%2Fb"


@pytest.mark.parametrize(("said", "meant_s"), [("7", 7.0), ("", None), ("soon", None), ("-1", None), ("9" * 400, None)])
def test_retry_after_is_a_number_of_seconds(said: str, meant_s: float | None) -> None:
    assert retry_after_s({"Retry-After": said}) == meant_s


def test_the_whole_client_stands_without_the_gateway() -> None:
    script = "import sys, llm_gateway_client as it\nfor name in dir(it): getattr(it, name)\nprint(*sys.modules)"
    environment = {"PYTHONPATH": str(Path(llm_gateway_client.__file__).parents[1])}
    loaded = subprocess.run([sys.executable, "-c", script], check=True, capture_output=True, text=True, env=environment)
    assert "llm_gateway_client.asynchronous.client" in loaded.stdout
    assert not {"llm_gateway", "fastapi", "boto3", "typer", "yaml"} & set(loaded.stdout.split())
    with pytest.raises(AttributeError, match="Nothing"):
        llm_gateway_client.Nothing  # noqa: B018
