"""One connection to a server, kept open for as long as the server keeps it: plain HTTP, with as little work as can be."""

import asyncio
from dataclasses import dataclass
from typing import Final

# Larger than any answer here: a stream is read to its end at once.
_LIMIT_BYTES: Final = 2**20
_END_OF_CHUNKS: Final = b"\r\n0\r\n\r\n"


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    """What a server answered. The body is as it came: in chunks, where it is a stream."""

    status: int
    head: bytes
    body: bytes

    def header(self, name: str) -> str | None:
        """A header's value."""
        lines = (line.partition(b":") for line in self.head.split(b"\r\n")[1:])
        return next((value.strip().decode() for key, _, value in lines if key.lower() == name.lower().encode()), None)

    def content(self) -> bytes:
        """The body without the lengths of its chunks."""
        if not _is_chunked(self.head):
            return self.body
        content, rest = b"", self.body
        while rest:
            length, _, rest = rest.partition(b"\r\n")
            size = int(length, 16)
            content, rest = content + rest[:size], rest[size + 2 :]
        return content


def length_of(head: bytes) -> int:
    """How many bytes of body follow a message's head."""
    lines = (line.partition(b":") for line in head.lower().split(b"\r\n"))
    return next((int(value) for name, _, value in lines if name == b"content-length"), 0)


async def read_message(reader: asyncio.StreamReader) -> tuple[bytes, bytes]:
    """One HTTP message: its head and its body. Raises IncompleteReadError where the connection has ended."""
    head = await reader.readuntil(b"\r\n\r\n")
    return head, await reader.readexactly(length_of(head))


class Connection:
    """Opened when something is asked."""

    def __init__(self, host: str, port: int) -> None:
        self._address = (host, port)
        self._streams: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None

    async def exchange(self, request: bytes) -> Reply:
        """The answer to a request, read to its end. Raises OSError or IncompleteReadError where there is none."""
        try:
            return await self._exchange(request)
        except BaseException:
            self.close()
            raise

    async def _exchange(self, request: bytes) -> Reply:
        if self._streams is None:
            self._streams = await asyncio.open_connection(*self._address, limit=_LIMIT_BYTES)
        reader, writer = self._streams
        writer.write(request)
        head = await reader.readuntil(b"\r\n\r\n")
        is_chunked = _is_chunked(head)
        body = await (reader.readuntil(_END_OF_CHUNKS) if is_chunked else reader.readexactly(length_of(head)))
        if b"connection: close" in head.lower():
            self.close()
        return Reply(status=int(head[9:12]), head=head, body=body)

    def close(self) -> None:
        """Close it; the next request opens another."""
        if self._streams is not None:
            self._streams[1].close()
            self._streams = None


def _is_chunked(head: bytes) -> bool:
    return b"transfer-encoding: chunked" in head.lower()


def post(path: str, body: bytes, *, host: str, key: str = "") -> bytes:
    """A request with a body of JSON, ready to be sent."""
    return _request("POST", path, host=host, key=key, body=body)


def get(path: str, *, host: str, key: str = "") -> bytes:
    """A request without a body, ready to be sent."""
    return _request("GET", path, host=host, key=key, body=b"")


def _request(method: str, path: str, *, host: str, key: str, body: bytes) -> bytes:
    authorization = f"Authorization: Bearer {key}\r\n" if key else ""
    head = f"{method} {path} HTTP/1.1\r\nHost: {host}\r\n{authorization}"
    length = f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n" if body else ""
    return f"{head}{length}\r\n".encode() + body
