"""Many queries at once, over plain HTTP and with as little work of its own as can be."""

import asyncio
import json
import time
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

from llm_gateway.endpoints import BASE_PATH

from bench import loops
from bench.connection import read_message


@dataclass(slots=True, kw_only=True)
class Load:
    """What queries took beside their provider, in milliseconds, and how many were not answered with 200."""

    added_ms: list[float] = field(default_factory=list)
    refused: list[str] = field(default_factory=list)
    duration_s: float = 0

    @property
    def per_second(self) -> float:
        return len(self.added_ms) / self.duration_s


def at_once(base_url: str, key: str, *, connections: int, rounds: int) -> Load:
    """`connections` queries sent at the same moment, `rounds` times, each round after the one before has been answered."""
    return loops.run(_at_once(base_url, key, connections=connections, rounds=rounds))


def arriving(base_url: str, key: str, *, connections: int, per_second: float, queries: int) -> Load:
    """Queries that arrive at a steady rate, on as many connections as are needed but at most `connections`."""
    return loops.run(_arriving(base_url, key, connections=connections, per_second=per_second, queries=queries))


async def _at_once(base_url: str, key: str, *, connections: int, rounds: int) -> Load:
    load, clients = Load(), [_Client(base_url, key) for _ in range(connections)]
    started_s = time.perf_counter()
    for _ in range(rounds):
        await asyncio.gather(*(client.ask(load) for client in clients))
    load.duration_s = time.perf_counter() - started_s
    return load


async def _arriving(base_url: str, key: str, *, connections: int, per_second: float, queries: int) -> Load:
    load, free = Load(), asyncio.Queue[_Client]()
    for _ in range(connections):
        free.put_nowait(_Client(base_url, key))

    async def ask() -> None:
        client = await free.get()
        await client.ask(load)
        free.put_nowait(client)

    started_s = time.perf_counter()
    async with asyncio.TaskGroup() as tasks:
        for number in range(queries):
            await asyncio.sleep(max(0, started_s + number / per_second - time.perf_counter()))
            tasks.create_task(ask())
    load.duration_s = time.perf_counter() - started_s
    return load


class _Client:
    """One connection, kept open."""

    def __init__(self, base_url: str, key: str) -> None:
        parts = urlsplit(base_url)
        self._address = (parts.hostname, parts.port)
        body = json.dumps({"messages": [{"role": "user", "content": "Hello"}]})
        self._request = (
            f"POST {parts.path}{BASE_PATH}/query HTTP/1.1\r\nHost: {parts.netloc}\r\nAuthorization: Bearer {key}\r\n"
            f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n{body}"
        ).encode()
        self._streams: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None

    async def ask(self, load: Load) -> None:
        self._streams = self._streams or await asyncio.open_connection(*self._address)
        reader, writer = self._streams
        started_s = time.perf_counter()
        writer.write(self._request)
        head, body = await read_message(reader)
        took_ms = (time.perf_counter() - started_s) * 1000
        answer: dict[str, Any] = json.loads(body)
        if b" 200 " in head.partition(b"\r\n")[0] + b" ":
            load.added_ms.append(took_ms - answer["latency_ms"]["provider"])
        else:
            load.refused.append(str(answer.get("code")))
        if b"connection: close" in head.lower():
            writer.close()
            self._streams = None
