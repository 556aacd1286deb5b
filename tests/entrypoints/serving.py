"""The API over real connections, as the server of a laptop serves it."""

import http.client
import json
import socket
import threading
import time
from typing import Any

import uvicorn
from llm_gateway.domain.keys import Role
from llm_gateway.entrypoints.server import config_of, local_app

from functions.__main__ import every_endpoint
from tests.adapters.gateway import FakeGateway


class Serving:
    """A server that runs in this process, on a port of its own."""

    def __init__(self, gateway: FakeGateway) -> None:
        self.gateway = gateway
        self.key = gateway.new_key(Role.ADMIN)[1]
        self.listening = socket.create_server(("127.0.0.1", 0))
        self.port: int = self.listening.getsockname()[1]
        app = local_app(every_endpoint(), host="127.0.0.1")
        app.state.gateway = lambda: self.gateway
        self.server = uvicorn.Server(config_of(app, host="127.0.0.1", port=self.port))
        self.thread = threading.Thread(target=self.server.run, kwargs={"sockets": [self.listening]})

    def __enter__(self) -> "Serving":
        self.thread.start()
        while not self.server.started:
            time.sleep(0.005)
        return self

    def __exit__(self, *_: object) -> None:
        self.server.should_exit = True
        self.thread.join()
        self.listening.close()

    def begin_anew(self) -> None:
        """Another gateway, with nothing in it, behind the same port."""
        self.gateway = FakeGateway()
        self.key = self.gateway.new_key(Role.ADMIN)[1]

    def call(self, method: str, path: str, body: Any = None, **headers: str) -> tuple[http.client.HTTPResponse, bytes]:
        """Bytes and iterators of bytes are sent as they are, the latter in chunks without a length."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=10)
        sent = {"Authorization": f"Bearer {self.key}", "Content-Type": "application/json"} | headers
        raw = json.dumps(body).encode() if isinstance(body, dict) else body
        try:
            connection.request(method, path, raw, sent)
            response = connection.getresponse()
            return response, response.read()
        finally:
            connection.close()

    def raw(self, data: bytes, *, close: bool = False) -> bytes:
        """Everything that comes back for `data`, or nothing where the client leaves first."""
        with socket.create_connection(("127.0.0.1", self.port), timeout=10) as connection:
            connection.sendall(data)
            if close:
                return b""
            received = b""
            while chunk := connection.recv(65_536):
                received += chunk
            return received
