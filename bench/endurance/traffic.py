"""Callers in a closed loop, each with a question of its own after the other, and how each question ended."""

import asyncio
import json
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Final

from bench.connection import Connection, Reply, get, post
from local_aws.api import BASE_PATH

ANSWER_TIMEOUT_S: Final = 60.0
LATER_TIMEOUT_S: Final = 120.0
"""How long an asynchronous query's end is waited for: a worker that died is missed after a lease."""
_ASK_AGAIN_S: Final = 0.5
_CACHED: Final = 50
"""How many questions are asked again and again."""

# What a provider's fault is called where no other provider could answer instead.
_PROVIDERS_FAULTS: Final = frozenset(
    {
        "provider_error",
        "provider_response_invalid",
        "provider_timeout",
        "provider_rate_limited",
        "no_provider_available",
    }
)


class Kind(StrEnum):
    """How a question is asked."""

    SYNC = "sync"
    STREAM = "stream"
    ASYNC = "async"
    CACHED = "cached"
    PROMPTED = "prompted"
    FAILING_OVER = "failing over"


_MIX: Final = (
    *(Kind.SYNC, Kind.STREAM, Kind.SYNC, Kind.ASYNC, Kind.CACHED, Kind.SYNC, Kind.STREAM, Kind.PROMPTED, Kind.SYNC),
    *(
        Kind.ASYNC,
        Kind.STREAM,
        Kind.SYNC,
        Kind.CACHED,
        Kind.STREAM,
        Kind.SYNC,
        Kind.FAILING_OVER,
        Kind.SYNC,
        Kind.ASYNC,
    ),
    *(Kind.STREAM, Kind.SYNC),
)


class End(StrEnum):
    """How it ended, for the caller."""

    ANSWERED = "answered"
    PROVIDER = "refused for a provider's fault"
    OWN = "the gateway's own error"
    LOST = "lost"
    """It was accepted, and nobody knows its end."""


@dataclass(slots=True, kw_only=True)
class Told:
    """A question, and what became of it. `began_s` and `ended_s` are of the monotonic clock."""

    number: int
    kind: Kind
    began_s: float
    ended_s: float = 0.0
    end: End = End.OWN
    detail: str = ""
    query_id: str | None = None

    @property
    def words(self) -> str:
        """What the provider is asked, and repeats."""
        return f"cached {self.number % _CACHED}" if self.kind is Kind.CACHED else f"number {self.number}"


@dataclass(slots=True, kw_only=True)
class Traffic:
    """What is sent, and what came of it."""

    host: str
    port: int
    key: str
    told: list[Told] = field(default_factory=list)

    async def flow(self, *, callers: int, queries: int, until: Callable[[], bool]) -> None:
        """Ask so many questions, or until `until()`; what is under way then is waited for."""
        numbers = iter(range(queries))
        async with asyncio.TaskGroup() as tasks:
            for number in range(callers):
                tasks.create_task(self._call(numbers, until, after_s=number / callers))

    async def _call(self, numbers: Iterator[int], until: Callable[[], bool], *, after_s: float) -> None:
        await asyncio.sleep(after_s)
        connection = Connection(self.host, self.port)
        for number in numbers:
            told = Told(number=number, kind=_MIX[number % len(_MIX)], began_s=time.monotonic())
            self.told.append(told)
            try:
                async with asyncio.timeout(ANSWER_TIMEOUT_S + LATER_TIMEOUT_S):
                    await self._ask(told, connection)
            except (OSError, asyncio.IncompleteReadError, ValueError, KeyError) as error:
                # A TimeoutError is an OSError, too.
                told.end = End.LOST if told.query_id else End.OWN
                told.detail = type(error).__name__
            told.ended_s = time.monotonic()
            if until():
                break
        connection.close()

    async def _ask(self, told: Told, connection: Connection) -> None:
        path = f"{BASE_PATH}/query/stream" if told.kind is Kind.STREAM else f"{BASE_PATH}/query"
        body = json.dumps(_body(told)).encode()
        reply = await connection.exchange(post(path, body, host=self.host, key=self.key))
        told.query_id = reply.header("x-gateway-query-id")
        if told.kind is Kind.STREAM and reply.status == 200:
            _note(told, *_last_event(reply))
            return
        answer: dict[str, Any] = json.loads(reply.content())
        if reply.status == 202:
            told.query_id = answer["id"]
            answer = await self._later(told, connection)
        _note(told, reply.status, answer)

    async def _later(self, told: Told, connection: Connection) -> dict[str, Any]:
        """The end of an asynchronous query. Raises TimeoutError where it has none in time."""
        request = get(f"{BASE_PATH}/query/{told.query_id}/result", host=self.host, key=self.key)
        async with asyncio.timeout(LATER_TIMEOUT_S):
            while True:
                await asyncio.sleep(_ASK_AGAIN_S)
                reply = await connection.exchange(request)
                if reply.status == 200:
                    answer: dict[str, Any] = json.loads(reply.content())
                    return answer


def _body(told: Told) -> dict[str, Any]:
    body: dict[str, Any] = {"messages": [{"role": "user", "content": told.words}]}
    if told.kind is Kind.PROMPTED:
        body = {"prompt": {"id": "endurance", "variables": {"words": told.words}}}
    elif told.kind is Kind.CACHED:
        body["parameters"] = {"temperature": 0}
    elif told.kind is Kind.FAILING_OVER:
        body |= {"provider": "down", "fallback": ["first", "second"]}
    elif told.kind is Kind.ASYNC:
        body["mode"] = "async"
    return body


def _last_event(reply: Reply) -> tuple[int, dict[str, Any]]:
    """What a stream ended with: the whole answer, or a problem with its status. Raises ValueError where it has no end."""
    *_, last = (event for event in reply.content().decode().split("\n\n") if "data: " in event)
    name = next(line.removeprefix("event: ") for line in last.splitlines() if line.startswith("event: "))
    data: dict[str, Any] = json.loads(last.partition("data: ")[2])
    if name not in ("done", "error"):
        raise ValueError(f"a stream ended with {name}")
    return (200 if name == "done" else int(data["status"])), data


def _note(told: Told, status: int, answer: dict[str, Any]) -> None:
    # A query that failed later has its problem under `error`.
    problem = answer.get("error") or answer
    told.query_id = told.query_id or answer.get("query_id") or answer.get("id")
    if status in (200, 202) and answer.get("status") == "succeeded":
        is_right = answer["output"]["text"] == told.words
        told.end, told.detail = (End.ANSWERED, "") if is_right else (End.OWN, f"another's answer: {answer['output']}")
        return
    told.detail = str(problem.get("code"))
    told.end = End.PROVIDER if told.detail in _PROVIDERS_FAULTS else End.OWN
    if told.end is End.OWN:
        told.detail += f" {status}: {problem.get('detail')}"[:200]
