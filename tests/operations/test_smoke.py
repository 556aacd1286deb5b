"""The smoke test tells a gateway that works from one that does not, check by check."""

import json
import re
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler
from typing import Any

import pytest

from operations import smoke
from operations.calling import Deployed, WrongAddress, checked
from tests.adapters.loopback_server import LoopbackServer

API = "/api/v1/llm"
ID = "qry_1"
ANSWER = {"id": ID, "output": {"text": "ready"}}
BREAKS_OFF = 'ff\r\n{"id": "qry_'
HANGS_UP = "nothing"
STREAM = "event: query\nid: 1\ndata: {}\n\nevent: delta\nid: 2\ndata: {}\n\nevent: done\nid: 3\ndata: {}\n\n"
WORKS: dict[str, tuple[int, Any]] = {
    "GET /health": (200, {"status": "ok"}),
    "GET /openapi.json": (200, {"paths": {f"{API}/query": {}}}),
    f"GET {API}/providers": (200, {"items": [{"id": "local", "enabled": True}]}),
    f"GET {API}/keys/self": (200, {"status": "active"}),
    f"POST {API}/query": (200, ANSWER),
    f"POST {API}/query later": (202, {"id": ID}),
    f"POST {API}/query/stream": (200, STREAM),
    f"GET {API}/query/{ID}/result": (200, ANSWER),
    f"GET {API}/query/{ID}/status": (200, {"status": "succeeded"}),
    f"DELETE {API}/query/{ID}": (204, None),
    "GET /v1/models": (200, {"object": "list"}),
}


class _Handler(BaseHTTPRequestHandler):
    server: "_Scripted"

    def do_GET(self) -> None:
        self._answer(f"GET {self.path}")

    def do_DELETE(self) -> None:
        self._answer(f"DELETE {self.path}")

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self._answer(f"POST {self.path}" + (" later" if body.get("mode") == "async" else ""))

    def log_message(self, *args: Any) -> None:
        pass

    def _answer(self, request: str) -> None:
        self.server.asked.append(request)
        status, body = self.server.answers.get(request, (404, {"code": "route_not_found"}))
        if self.headers["Authorization"] != "Bearer llmgw_right" and API in self.path:
            status, body = self.server.stranger
        raw = body.encode() if isinstance(body, str) else json.dumps(body).encode()
        if body is HANGS_UP:
            self.close_connection = True
            return
        self.send_response(status)
        if body is BREAKS_OFF:
            self.send_header("Transfer-Encoding", "chunked")
        self.send_header("X-Gateway-Query-Id", ID)
        if status == 302:
            self.send_header("Location", "/health")
        self.end_headers()
        if status != 204:
            self.wfile.write(raw)


class _Scripted(LoopbackServer):
    def __init__(self) -> None:
        super().__init__(_Handler)
        self.answers = dict(WORKS)
        self.stranger: tuple[int, Any] = (401, {"code": "unauthenticated"})
        self.asked: list[str] = []


@pytest.fixture
def gateway() -> Iterator[_Scripted]:
    server = _Scripted()
    server.start()
    yield server
    server.stop()


def smoked(gateway: _Scripted) -> tuple[int, list[str]]:
    said: list[str] = []
    failed = smoke.run(Deployed(url=f"http://{gateway.address}", key="llmgw_right"), say=said.append)
    return failed, said


def test_a_gateway_that_works_passes_all(gateway: _Scripted) -> None:
    failed, said = smoked(gateway)
    assert failed == 0, said
    assert said[-1] == "smoke: 7 passed, 0 failed, 0 skipped"
    # Each of the three queries is erased.
    assert gateway.asked.count(f"DELETE {API}/query/{ID}") == 3


@pytest.mark.parametrize(
    ("request_line", "answer", "reason"),
    [
        ("GET /health", (200, {"status": "ill"}), "/health says {'status': 'ill'}"),
        ("GET /health", (302, ""), "answered 302, not 200"),
        ("GET /openapi.json", (200, []), f"its description has no {API}/query"),
        (f"GET {API}/keys/self", (200, {"status": "revoked"}), "the key is revoked"),
        (f"POST {API}/query", (502, {"code": "provider_error", "detail": "It failed."}), '"code": "provider_error"'),
        (f"POST {API}/query", (200, {"id": ID, "output": None}), "the answer has no text"),
        (f"POST {API}/query", (200, "<html>"), "no query's id, but None"),
        (f"POST {API}/query", (200, {"id": "../keys"}), "no query's id, but '../keys'"),
        (f"POST {API}/query", (200, {"id": ["qry_1"]}), "no query's id"),
        (f"POST {API}/query", (200, '{"id":' + "[" * 100_000), "no query's id"),
        (f"POST {API}/query", (200, BREAKS_OFF), "was not answered to the end: IncompleteRead"),
        (f"POST {API}/query", (500, BREAKS_OFF), "status 500 was not told to the end: IncompleteRead"),
        (f"POST {API}/query later", (202, {}), "no query's id"),
        (f"GET {API}/providers", (200, {"items": None}), "no list of items"),
        (f"GET {API}/providers", (200, HANGS_UP), "was not answered to the end: RemoteDisconnected"),
        ("GET /openapi.json", (200, {"paths": 7}), "its description has no"),
        (f"GET {API}/query/{ID}/result", (200, {"output": {}}), "is another one"),
        (f"GET {API}/query/{ID}/status", (200, {"status": "failed", "error": "why"}), "the query is failed: why"),
        (f"POST {API}/query/stream", (200, STREAM.replace("done", "error")), "ends with ['error']"),
        (f"POST {API}/query/stream", (200, STREAM.replace("delta", "usage")), "it has no piece of an answer"),
        (f"DELETE {API}/query/{ID}", (403, {"code": "forbidden"}), "could not be erased: 403 forbidden"),
        ("GET /v1/models", (200, {"object": "none"}), "/v1/models answers"),
    ],
)
def test_what_does_not_work_fails_with_its_reason(
    gateway: _Scripted, request_line: str, answer: tuple[int, Any], reason: str
) -> None:
    gateway.answers[request_line] = answer
    failed, said = smoked(gateway)
    assert failed >= 1
    assert any(line.startswith("  failed") and reason in line for line in said), said


def test_a_door_that_is_open_fails(gateway: _Scripted) -> None:
    gateway.stranger = (200, {"items": []})
    failed, said = smoked(gateway)
    assert failed == 1
    assert any("answers 200 None, not 401 unauthenticated" in line for line in said)


def test_where_no_provider_is_nobody_is_asked_and_that_is_said(gateway: _Scripted) -> None:
    gateway.answers[f"GET {API}/providers"] = (200, {"items": [{"id": "off", "enabled": False}]})
    failed, said = smoked(gateway)
    assert (failed, said[-1]) == (3, "smoke: 4 passed, 0 failed, 3 skipped")
    assert not any(line.startswith("POST") for line in gateway.asked)
    # What was not tried is not said to work, unless nothing else was wanted.
    told = {"GATEWAY_URL": f"http://{gateway.address}", "GATEWAY_KEY": "llmgw_right"}
    assert smoke.main(told, []) == 1
    assert smoke.main(told, ["--without-provider"]) == 0
    gateway.answers["GET /health"] = (200, {"status": "ill"})
    assert smoke.main(told, ["--without-provider"]) == 1


@pytest.mark.parametrize("breaks", [HANGS_UP, BREAKS_OFF])
def test_what_was_asked_is_erased_though_the_connection_is_lost(gateway: _Scripted, breaks: str) -> None:
    gateway.answers[f"GET {API}/query/{ID}/result"] = (200, breaks)
    failed, _ = smoked(gateway)
    assert failed == 1
    assert gateway.asked.count(f"DELETE {API}/query/{ID}") == 3


def test_a_query_that_never_ends_is_given_up(gateway: _Scripted, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(smoke, "LATER_S", 0.01)
    monkeypatch.setattr(smoke, "POLL_S", 0.01)
    gateway.answers[f"GET {API}/query/{ID}/status"] = (200, {"status": "queued"})
    failed, said = smoked(gateway)
    assert failed == 1
    assert any("is still queued after" in line for line in said)


def test_nobody_there_is_said_for_each_check() -> None:
    said: list[str] = []
    assert smoke.run(Deployed(url="http://127.0.0.1:9", key="llmgw_right"), say=said.append) == 7
    assert "nobody answers at http://127.0.0.1:9" in said[0]


@pytest.mark.parametrize(
    ("url", "wanted"),
    [
        ("gateway.example", "an address like https://"),
        ("https://me:hunter2@gateway.example", "only the key tells who asks"),
        ("https://:hunter2@gateway.example", "only the key tells who asks"),
        ("https://gateway.example?token=hunter2", "only the key tells who asks"),
        ("http://gateway.example", "https is wanted"),
        ("ftp://127.0.0.1", "an address like https://"),
    ],
)
def test_a_key_goes_to_no_address_that_gives_it_away(url: str, wanted: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(WrongAddress, match=wanted):
        checked(url)
    assert smoke.main({"GATEWAY_URL": url, "GATEWAY_KEY": "llmgw_right"}, []) == 2
    assert wanted in (told := capsys.readouterr().err)
    assert not {"llmgw_right", "hunter2"} & set(re.findall(r"\w+", told))


def test_address_and_key_are_wanted(capsys: pytest.CaptureFixture[str], gateway: _Scripted) -> None:
    assert smoke.main({"GATEWAY_URL": "https://gateway.example"}, []) == 2
    assert "KEY=" in capsys.readouterr().err
    assert checked("https://gateway.example/prod/") == "https://gateway.example/prod"
    assert smoke.main({"GATEWAY_URL": f"http://{gateway.address}/", "GATEWAY_KEY": "llmgw_right"}, []) == 0
    assert capsys.readouterr().out.endswith("smoke: 7 passed, 0 failed, 0 skipped\n")
