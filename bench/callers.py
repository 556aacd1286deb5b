"""Callers in a closed loop: each asks again as soon as it has its answer. Plain HTTP, with as little work as can be."""

import asyncio
import json
import math
import time
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from bench import loops
from bench.connection import Connection, post


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """A request, ready to be sent."""

    host: str
    port: int
    request: bytes
    end: bytes
    """What is in an answer that is whole."""


@dataclass(slots=True, kw_only=True)
class Answers:
    """What answers took, from the request to their last byte, and why others were none."""

    took_ms: list[float] = field(default_factory=list)
    refused: list[str] = field(default_factory=list)
    duration_s: float = 0.0

    @property
    def per_second(self) -> float:
        return len(self.took_ms) / self.duration_s


def question(url: str, *, end: bytes, key: str = "", **more: object) -> Question:
    """`POST url` with a short question; `more` stands beside its messages."""
    parts = urlsplit(url)
    body = json.dumps({"messages": [{"role": "user", "content": "Hello"}], **more}).encode()
    request = post(parts.path, body, host=parts.netloc, key=key)
    return Question(host=parts.hostname or "", port=parts.port or 80, request=request, end=end)


def ask(
    asked: Question, *, callers: int, seconds: float = math.inf, queries: int | None = None, start_over_s: float = 0.0
) -> Answers:
    """Ask for `seconds`, or until so many `queries` are sent; what is under way then is waited for.

    The callers begin one after the other within `start_over_s`.
    """
    return loops.run(_ask(asked, callers=callers, seconds=seconds, queries=queries, start_over_s=start_over_s))


async def _ask(asked: Question, *, callers: int, seconds: float, queries: int | None, start_over_s: float) -> Answers:
    answers, sent = Answers(), 0
    began_s = time.perf_counter()

    async def call(number: int) -> None:
        nonlocal sent
        await asyncio.sleep(start_over_s * number / callers)
        connection = Connection(asked.host, asked.port)
        while time.perf_counter() - began_s < seconds and (queries is None or sent < queries):
            sent += 1
            await _take(asked, connection, answers)
        connection.close()

    async with asyncio.TaskGroup() as tasks:
        for number in range(callers):
            tasks.create_task(call(number))
    answers.duration_s = time.perf_counter() - began_s
    return answers


async def _take(asked: Question, connection: Connection, answers: Answers) -> None:
    began_s = time.perf_counter()
    try:
        reply = await connection.exchange(asked.request)
    except (OSError, asyncio.IncompleteReadError) as error:
        answers.refused.append(type(error).__name__)
        return
    took_ms = (time.perf_counter() - began_s) * 1000
    if reply.status == 200 and asked.end in reply.body:
        answers.took_ms.append(took_ms)
    else:
        answers.refused.append(f"{reply.status} {reply.body[:200].decode(errors='replace')}")
