"""A way to a server on loopback that breaks where a test says."""

import select
import socket
import threading
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from typing import Final

_CHUNK: Final = 65_536
_POLL_S: Final = 0.05


@dataclass
class BreakingProxy:
    """Hands bytes on. Each text in `breaks` ends one connection: once the server has said it, nothing more comes through."""

    port: int
    breaks: deque[bytes] = field(default_factory=deque)
    broken: int = 0
    stopping: threading.Event = field(default_factory=threading.Event)

    @property
    def url(self) -> str:
        host, port = self._listening.getsockname()
        return f"http://{host}:{port}"

    def __post_init__(self) -> None:
        self._listening = socket.create_server(("127.0.0.1", 0))
        self._threads: list[threading.Thread] = []

    def serve(self) -> None:
        while not self.stopping.is_set():
            if select.select([self._listening], [], [], _POLL_S)[0]:
                client, _ = self._listening.accept()
                self._threads.append(threading.Thread(target=self._hand_on, args=(client,)))
                self._threads[-1].start()
        for thread in self._threads:
            thread.join()
        self._listening.close()

    def _hand_on(self, client: socket.socket) -> None:
        with client, socket.create_connection(("127.0.0.1", self.port)) as server, suppress(OSError):
            said = b""
            while not self.stopping.is_set():
                for ready in select.select([client, server], [], [], _POLL_S)[0]:
                    data = ready.recv(_CHUNK)
                    if not data:
                        return
                    if ready is client:
                        server.sendall(data)
                        continue
                    said += data
                    if self.breaks and self.breaks[0] in said:
                        end = said.index(self.breaks.popleft()) - (len(said) - len(data))
                        self.broken += 1
                        client.sendall(data[: max(end, 0)])
                        return
                    client.sendall(data)


@contextmanager
def breaking_proxy(port: int, *breaks: bytes) -> Iterator[BreakingProxy]:
    """A proxy of the server at `port`, until the block is left."""
    proxy = BreakingProxy(port, deque(breaks))
    thread = threading.Thread(target=proxy.serve)
    thread.start()
    try:
        yield proxy
    finally:
        proxy.stopping.set()
        thread.join()
