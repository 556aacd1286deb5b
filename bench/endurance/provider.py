"""`python -m bench.endurance.provider PORT MS SHARE`: a provider that repeats its words, and fails in a share of the calls.

`GET /ledger` tells how often it gave a whole answer to the same words, for which it would send a bill, and how often it failed.
"""

import asyncio
import json
import random
import sys
from collections import Counter
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any, Final

from bench.connection import read_message
from bench.upstream import STREAM_HEAD, chunk, is_to_stream

FAULTS: Final = ("500", "503", "529", "reset", "cut", "garbage")
"""Statuses; a connection that breaks before there is an answer, or in the middle of one; and an answer that is none."""

_USAGE: Final = {"prompt_tokens": 9, "completion_tokens": 3, "total_tokens": 12}


class Breaks(Exception):
    """The connection ends here."""


@dataclass(kw_only=True)
class Provider:
    """What it has answered so far. The same `chance` fails in the same calls."""

    delay_s: float
    fault_share: float
    chance: random.Random
    whole: Counter[str] = field(default_factory=Counter)
    faults: Counter[str] = field(default_factory=Counter)

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Answer what comes over one connection."""
        try:
            while True:
                head, body = await read_message(reader)
                for part in self._ledger() if head.startswith(b"GET ") else await self._answer(body):
                    writer.write(part)
                    await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError, Breaks):
            pass
        finally:
            writer.close()
            with suppress(ConnectionError):
                await writer.wait_closed()

    def _ledger(self) -> Iterator[bytes]:
        yield _response(200, json.dumps({"whole": self.whole, "faults": self.faults}).encode())

    async def _answer(self, body: bytes) -> Iterator[bytes]:
        await asyncio.sleep(self.delay_s)
        words = str(json.loads(body)["messages"][-1]["content"])
        fault = self.chance.choice(FAULTS) if self.chance.random() < self.fault_share else None
        if fault is not None:
            self.faults[fault] += 1
        return self._parts(words, fault, streams=is_to_stream(body))

    def _parts(self, words: str, fault: str | None, *, streams: bool) -> Iterator[bytes]:
        if fault is not None and fault.isdigit():
            yield _response(int(fault), b'{"error": {"message": "It is the provider that fails."}}')
        elif fault == "reset":
            raise Breaks
        elif fault == "garbage":
            yield _response(200, b"<html>Not an answer</html>")
        else:
            yield from _stream(words, is_cut=fault == "cut") if streams else _whole(words, is_cut=fault == "cut")
            # What the last byte was written of; who has left before it was sent has asked for nothing more.
            self.whole[words] += 1


def _whole(words: str, *, is_cut: bool) -> Iterator[bytes]:
    choice = {"index": 0, "message": {"role": "assistant", "content": words}, "finish_reason": "stop"}
    body = {**_answer("chat.completion"), "choices": [choice], "usage": _USAGE}
    response = _response(200, json.dumps(body).encode())
    yield response[:-20] if is_cut else response
    if is_cut:
        raise Breaks


def _stream(words: str, *, is_cut: bool) -> Iterator[bytes]:
    yield STREAM_HEAD
    for piece in (*words.partition(" "), ""):
        yield chunk(_delta({"role": "assistant", "content": piece}))
        if is_cut:
            raise Breaks
    yield chunk(_delta({}, finish="stop"))
    yield chunk(json.dumps({**_answer("chat.completion.chunk"), "choices": [], "usage": _USAGE}))
    yield chunk("[DONE]") + b"0\r\n\r\n"


def _delta(delta: dict[str, str], *, finish: str | None = None) -> str:
    choices = [{"index": 0, "delta": delta, "finish_reason": finish}]
    return json.dumps({**_answer("chat.completion.chunk"), "choices": choices})


def _answer(kind: str) -> dict[str, Any]:
    return {"id": "chatcmpl-endurance", "object": kind, "created": 0, "model": "bench"}


def _response(status: int, body: bytes) -> bytes:
    head = f"HTTP/1.1 {status} Said\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
    return head.encode() + body


async def main(port: int, delay_s: float, fault_share: float) -> None:
    """Serve until a signal comes."""
    provider = Provider(delay_s=delay_s, fault_share=fault_share, chance=random.Random(17))  # noqa: S311
    server = await asyncio.start_server(provider.serve, "127.0.0.1", port, backlog=1024)
    await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(main(int(sys.argv[1]), float(sys.argv[2]) / 1000, float(sys.argv[3])))
