"""An HTTP server on loopback for as long as a test wants it, which minds no client that leaves."""

import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Final

POLL_S: Final = 0.02


class LoopbackServer(ThreadingHTTPServer):
    """A handler that waits looks at `stopping`."""

    daemon_threads = True
    block_on_close = False
    request_queue_size = 128

    def __init__(self, handler: type[BaseHTTPRequestHandler]) -> None:
        super().__init__(("127.0.0.1", 0), handler)
        self.stopping = threading.Event()
        self._serving = threading.Thread(target=self.serve_forever, kwargs={"poll_interval": POLL_S}, daemon=True)

    @property
    def address(self) -> str:
        return f"127.0.0.1:{self.server_address[1]}"

    def start(self) -> None:
        self._serving.start()

    def stop(self) -> None:
        self.stopping.set()
        self.shutdown()
        self._serving.join()
        self.server_close()

    def handle_error(self, request: object, client_address: object) -> None:
        """A client that leaves is part of the test."""
