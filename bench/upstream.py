"""`python -m bench.upstream PORT [MS]`: a provider that always takes the same time to say the same, whole or as a stream."""

import asyncio
import json
import sys
from typing import Final

from bench import loops
from bench.connection import read_message

DELAY_S: Final = 0.2
WORDS: Final = 20
"""How many words a streamed answer has, an event for each."""
BETWEEN_WORDS_S: Final = 0.002

_USAGE: Final = {"prompt_tokens": 9, "completion_tokens": 3, "total_tokens": 12}
_ANSWER: Final = json.dumps(
    {
        "id": "chatcmpl-bench",
        "object": "chat.completion",
        "created": 0,
        "model": "bench",
        "choices": [{"index": 0, "message": {"role": "assistant", "content": "Hello there."}, "finish_reason": "stop"}],
        "usage": _USAGE,
    }
).encode()
_RESPONSE: Final = (
    b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n" % len(_ANSWER) + _ANSWER
)
STREAM_HEAD: Final = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n"


def is_to_stream(body: bytes) -> bool:
    """Whether a request for a completion wants its answer as it is written."""
    return b'"stream":true' in body.replace(b" ", b"")


async def write_answer(writer: asyncio.StreamWriter) -> None:
    """A whole answer."""
    writer.write(_RESPONSE)
    await writer.drain()


async def write_stream(writer: asyncio.StreamWriter) -> None:
    """The same as events."""
    writer.write(STREAM_HEAD)
    for event in _EVENTS:
        writer.write(event)
        await writer.drain()
        await asyncio.sleep(BETWEEN_WORDS_S)
    writer.write(b"0\r\n\r\n")
    await writer.drain()


def chunk(event: str) -> bytes:
    """An event, as a piece of a body of chunks."""
    data = f"data: {event}\n\n".encode()
    return b"%x\r\n%b\r\n" % (len(data), data)


def _delta(delta: dict[str, str], *, finish: str | None = None) -> str:
    choices = [{"index": 0, "delta": delta, "finish_reason": finish}]
    return json.dumps(
        {"id": "chatcmpl-bench", "object": "chat.completion.chunk", "created": 0, "model": "bench", "choices": choices}
    )


_EVENTS: Final = (
    chunk(_delta({"role": "assistant", "content": ""})),
    *(chunk(_delta({"content": f" word{number}"})) for number in range(WORDS)),
    chunk(_delta({}, finish="stop")),
    chunk(
        json.dumps(
            {
                "id": "chatcmpl-bench",
                "object": "chat.completion.chunk",
                "created": 0,
                "model": "bench",
                "choices": [],
                "usage": _USAGE,
            }
        )
    ),
    chunk("[DONE]"),
)


async def main(port: int, delay_s: float) -> None:
    """Serve until a signal comes."""

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while True:
                _, body = await read_message(reader)
                await asyncio.sleep(delay_s)
                await (write_stream if is_to_stream(body) else write_answer)(writer)
        except (asyncio.IncompleteReadError, ConnectionError):
            writer.close()

    server = await asyncio.start_server(answer, "127.0.0.1", port, backlog=1024)
    await server.serve_forever()


if __name__ == "__main__":
    loops.run(main(int(sys.argv[1]), float(sys.argv[2]) / 1000 if len(sys.argv) > 2 else DELAY_S))
