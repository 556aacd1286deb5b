"""The API over real connections, as uvicorn serves it."""

import http.client
import json
import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from typing import Any

import pytest

from tests.adapters.gateway import FakeGateway
from tests.entrypoints.conftest import PROVIDER, PROVIDERS, QUERY, QUESTION, Lines
from tests.entrypoints.serving import Serving

_FIVE_MEGABYTES = 5 * 1024 * 1024


@pytest.fixture(scope="module")
def serving() -> Iterator[Serving]:
    with Serving(FakeGateway()) as serving:
        yield serving


def test_a_question_and_its_answer(serving: Serving) -> None:
    response, _ = serving.call("POST", PROVIDERS, PROVIDER)
    assert response.status == 201
    assert response.getheader("Location") == f"{PROVIDERS}/local"
    response, body = serving.call("POST", QUERY, QUESTION)
    answer = json.loads(body)
    assert (response.status, answer["output"]["text"]) == (200, "Hello!")
    assert response.getheader("X-Gateway-Overhead-Ms") == str(answer["latency_ms"]["overhead"])
    assert response.getheader("X-Request-Id", "").startswith("req_")


@pytest.mark.parametrize("path", ["/health", "/openapi.json", "/docs", "/errors/rate_limited"])
def test_what_is_public(serving: Serving, path: str) -> None:
    response, body = serving.call("GET", path, Authorization="")
    assert response.status == 200
    assert response.getheader("X-Request-Id", "").startswith("req_")
    assert body


def _pieces(size: int) -> Iterator[bytes]:
    for _ in range(size // 65_536):
        yield b" " * 65_536


@pytest.mark.parametrize("body", [b" " * _FIVE_MEGABYTES, "pieces"], ids=["with its length", "without"])
def test_a_body_that_is_too_long(serving: Serving, body: Any) -> None:
    try:
        response, text = serving.call("POST", QUERY, _pieces(_FIVE_MEGABYTES) if body == "pieces" else body)
    except (BrokenPipeError, ConnectionResetError):
        pytest.fail("the connection broke before the answer could be read")
    assert response.status == 413
    assert json.loads(text)["code"] == "payload_too_large"
    assert response.getheader("X-Request-Id") == json.loads(text)["request_id"]


def test_a_declared_length_is_refused_before_the_body_comes(serving: Serving) -> None:
    head = f"POST {QUERY} HTTP/1.1\r\nHost: localhost\r\nContent-Length: 999999999999999\r\nConnection: close\r\n\r\n"
    assert serving.raw(head.encode()).startswith(b"HTTP/1.1 413 ")


def test_a_connection_is_kept_for_the_next_request(serving: Serving) -> None:
    connection = http.client.HTTPConnection("127.0.0.1", serving.port, timeout=10)
    for path, status in (("/health", 200), ("/nope", 404), (PROVIDERS, 401), ("/health", 200)):
        connection.request("GET", path)
        response = connection.getresponse()
        response.read()
        assert response.status == status
        assert response.getheader("X-Request-Id", "").startswith("req_")
    connection.close()


def test_each_request_has_an_id_of_its_own(serving: Serving) -> None:
    sent = "req_01ARZ3NDEKTSV4RRFFQ69G5FAV"
    ids = {serving.call("GET", "/health", **{"X-Request-Id": sent})[0].getheader("X-Request-Id") for _ in range(5)}
    assert len(ids) == 5
    assert sent not in ids


def test_head_answers_without_a_body(serving: Serving) -> None:
    for path in (b"/health", b"/docs", b"/openapi.json", b"/errors/rate_limited"):
        answers = [
            serving.raw(method + b" " + path + b" HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
            for method in (b"HEAD", b"GET")
        ]
        (head, _, body), (whole, _, _) = (answer.partition(b"\r\n\r\n") for answer in answers)
        assert head.startswith(b"HTTP/1.1 200 ")
        assert body == b""
        (length,) = (line for line in whole.splitlines() if line.startswith(b"content-length"))
        assert length in head.splitlines()


def test_what_takes_a_key_has_no_head(serving: Serving) -> None:
    answer = serving.raw(f"HEAD {PROVIDERS} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n".encode())
    head, _, body = answer.partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 405 ")
    assert body == b""


@pytest.mark.parametrize(
    "target",
    [
        b"/\xff\xfe",
        b"/%ff%fe",
        b"//",
        b"/a?%ff=%00",
        f"{PROVIDERS}/%ff".encode(),
        b"*",
        b"http://elsewhere/health",
        b"/" + b"a" * 30_000,
    ],
)
def test_strange_targets_make_nothing_fail(serving: Serving, target: bytes) -> None:
    request = (
        b"GET "
        + target
        + b" HTTP/1.1\r\nHost: localhost\r\nX-Api-Key: "
        + serving.key.encode()
        + b"\r\nConnection: close\r\n\r\n"
    )
    status = int(serving.raw(request).split(b" ", 2)[1])
    assert 400 <= status < 500 or target.endswith(b"/health")


@pytest.mark.parametrize(
    "header",
    [
        b"Authorization: Bearer \xff\xfe",
        b"X-Api-Key: \xe2\x82\xac",
        b"Authorization: " + b"Bearer " * 2_000,
        b"If-Match: \xff",
    ],
)
def test_strange_headers_make_nothing_fail(serving: Serving, header: bytes) -> None:
    request = f"GET {PROVIDERS} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n".encode() + header + b"\r\n\r\n"
    assert serving.raw(request).startswith(b"HTTP/1.1 401 ")


def test_a_client_that_leaves_while_it_sends_is_no_fault_of_ours(serving: Serving, lines: Lines) -> None:
    head = f"POST {QUERY} HTTP/1.1\r\nHost: localhost\r\nX-Api-Key: {serving.key}\r\nContent-Length: 1000\r\n\r\n"
    serving.raw(head.encode() + b"{", close=True)
    told: list[dict[str, Any]] = []
    for _ in range(200):
        # A refusal of the test before may be told only now: it was counted first.
        told = [line for line in lines.named("request") if line["endpoint"] == "run_query"]
        if told:
            break
        time.sleep(0.01)
    assert [line["error_code"] for line in told] == ["malformed_request"]
    assert lines.named("unexpected_error") == []


def test_many_ask_at_once(serving: Serving) -> None:
    statuses: list[int] = []

    def ask() -> None:
        statuses.append(serving.call("POST", QUERY, QUESTION)[0].status)

    threads = [threading.Thread(target=ask) for _ in range(30)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert statuses == [200] * 30


def test_two_writers_of_the_same_revision(serving: Serving) -> None:
    serving.call("POST", PROVIDERS, PROVIDER | {"id": "raced"})
    statuses: list[int] = []

    def write(number: int) -> None:
        body = PROVIDER | {"id": "raced", "name": f"Writer {number}", "revision": 1}
        statuses.append(serving.call("PUT", f"{PROVIDERS}/raced", body)[0].status)

    threads = [threading.Thread(target=write, args=(number,)) for number in range(10)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(statuses) == [200] + [412] * 9
    assert json.loads(serving.call("GET", f"{PROVIDERS}/raced")[1])["revision"] == 2


def test_what_a_process_has_at_its_start_is_not_gone_through_again() -> None:
    """A full collection stops every request."""
    program = (
        "import gc; from functions.__main__ import served_on; served_on('127.0.0.1'); print(gc.get_freeze_count())"
    )
    env = {**os.environ, "PYTHONPATH": os.pathsep.join(entry for entry in sys.path if entry)}
    done = subprocess.run([sys.executable, "-c", program], env=env, capture_output=True, text=True)
    assert int(done.stdout) > 50_000, done.stderr
