"""A client of the gateway, as any team would write one."""

import json
import time
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, TypeVar

import httpx2

API = "/api/v1/llm"
WAIT_S = 30

T = TypeVar("T")


@dataclass(frozen=True)
class Event:
    name: str
    id: str
    data: dict[str, Any]


@dataclass
class EventReader:
    """Reads server-sent events off a response, and keeps the comments apart."""

    response: httpx2.Response
    comments: list[str] = field(default_factory=list)

    def __iter__(self) -> Iterator[Event]:
        lines: list[str] = []
        for line in self.response.iter_lines():
            if line.startswith(":"):
                self.comments.append(line)
            elif line:
                lines.append(line)
            elif lines:
                # Exactly these three, in this order: the grammar that clients are promised.
                names, values = zip(*(part.split(": ", 1) for part in lines), strict=True)
                assert names == ("event", "id", "data"), lines
                yield Event(name=values[0], id=values[1], data=json.loads(values[2]))
                lines = []
        assert not lines


@dataclass
class Client:
    """Calls the API with one key."""

    http: httpx2.Client
    key: str | None

    @property
    def credentials(self) -> dict[str, str]:
        return {"Authorization": f"Bearer {self.key}"} if self.key else {}

    def send(
        self,
        method: str,
        path: str,
        body: Any = None,
        *,
        headers: dict[str, str] | None = None,
        content: Any = None,
        timeout_s: float = 60,
    ) -> httpx2.Response:
        """`body` is sent as JSON, `content` as it is."""
        raw = json.dumps(body).encode() if body is not None else content
        return self.http.request(
            method, API + path, content=raw, headers=self._headers(headers), timeout=httpx2.Timeout(timeout_s)
        )

    def ask(self, body: dict[str, Any], **headers: str) -> dict[str, Any]:
        """The answer to a query that must succeed."""
        response = self.send("POST", "/query", body, headers=headers)
        assert response.status_code == 200, response.text
        answer: dict[str, Any] = response.json()
        return answer

    def accept(self, body: dict[str, Any], **headers: str) -> str:
        """The id of a query that is answered later."""
        response = self.send("POST", "/query", body | {"mode": "async"}, headers=headers)
        assert response.status_code == 202, response.text
        return str(response.json()["id"])

    def status(self, query_id: str, *, wait_s: float = 0) -> dict[str, Any]:
        response = self.send("GET", f"/query/{query_id}/status?wait_s={wait_s}")
        assert response.status_code == 200, response.text
        status: dict[str, Any] = response.json()
        return status

    def ended(self, query_id: str) -> dict[str, Any]:
        """The status of a query at its end."""
        deadline = time.monotonic() + WAIT_S
        while (status := self.status(query_id, wait_s=5))["status"] in ("queued", "running"):
            assert time.monotonic() < deadline, status
        return status

    def result(self, query_id: str) -> dict[str, Any]:
        response = self.send("GET", f"/query/{query_id}/result")
        assert response.status_code == 200, response.text
        result: dict[str, Any] = response.json()
        return result

    @contextmanager
    def streaming(
        self, body: Any = None, *, method: str = "POST", path: str = "/query/stream", **headers: str
    ) -> Iterator[EventReader]:
        """A stream that is being read; leaving the block is leaving the stream."""
        raw = None if body is None else json.dumps(body).encode()
        with self.http.stream(method, API + path, content=raw, headers=self._headers(headers)) as response:
            yield EventReader(response)

    def stream(self, body: dict[str, Any], **headers: str) -> list[Event]:
        """A stream's events, all of them."""
        with self.streaming(body, **headers) as reader:
            assert reader.response.status_code == 200, reader.response.read()
            return list(reader)

    def resumed(self, query_id: str, last_event_id: str | None) -> list[Event]:
        headers = {} if last_event_id is None else {"Last-Event-ID": last_event_id}
        with self.streaming(method="GET", path=f"/query/{query_id}/stream", **headers) as reader:
            assert reader.response.status_code == 200, reader.response.read()
            return list(reader)

    def _headers(self, more: dict[str, str] | None) -> dict[str, str]:
        return {"Content-Type": "application/json", **self.credentials, **(more or {})}


def question(text: str = "What is new?", **more: Any) -> dict[str, Any]:
    """A query; a provider that it names is the only one to be asked, unless `fallback` says otherwise."""
    alone = {"fallback": []} if "provider" in more else {}
    return {"messages": [{"role": "user", "content": text}], **alone, **more}


def text_of(events: Iterable[Event]) -> str:
    return "".join(event.data["text"] for event in events if event.name == "delta")


def at_once(do: Callable[[int], T], *, times: int) -> list[T]:
    with ThreadPoolExecutor(times) as pool:
        return list(pool.map(do, range(times)))


def eventually(holds: Callable[[], Any], *, within_s: float = WAIT_S, every_s: float = 0.05) -> bool:
    deadline = time.monotonic() + within_s
    while not holds():
        if time.monotonic() > deadline:
            return False
        time.sleep(every_s)
    return True
