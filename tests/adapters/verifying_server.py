"""A server on loopback that answers a request if it is signed, and says with which code it refuses it if not."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler
from typing import Any

from llm_gateway.domain.signatures import SignedRequest
from llm_gateway.errors import GatewayError
from llm_gateway.instruments.system import SystemClock
from llm_gateway.services.keys.signatures import Signatures

from tests.adapters.key_store import InMemoryKeyStore
from tests.adapters.loopback_server import LoopbackServer
from tests.adapters.nonce_store import InMemoryNonceStore
from tests.adapters.pepper import FixedPepper


@dataclass
class Verifier:
    """`secrets` has those of each key; `seen` has the requests that came, `answers` how each was answered."""

    secrets: dict[str, list[bytes]]
    address: str = ""
    signatures: Signatures = field(
        default_factory=lambda: Signatures(
            store=InMemoryKeyStore(), pepper=FixedPepper(), nonces=InMemoryNonceStore(), clock=SystemClock()
        )
    )
    seen: list[SignedRequest] = field(default_factory=list)
    answers: list[str] = field(default_factory=list)

    def answer(self, request: SignedRequest) -> tuple[int, str]:
        """The status, and `accepted` or a code."""
        self.seen.append(request)
        status, said = self._verdict(request)
        self.answers.append(said)
        return status, said

    def _verdict(self, request: SignedRequest) -> tuple[int, str]:
        try:
            claim = self.signatures.claim(request)
            self.signatures.verify(claim, self.secrets.get(claim.key_id, []))
        except GatewayError as refusal:
            return refusal.status, refusal.code
        return 200, "accepted"


@contextmanager
def running_verifier(key_id: str, secret: str) -> Iterator[Verifier]:
    verifier = Verifier(secrets={key_id: [secret.encode()]})

    class Handler(_Handler):
        def verify(self, request: SignedRequest) -> tuple[int, str]:
            return verifier.answer(request)

    server = LoopbackServer(Handler)
    verifier.address = f"http://{server.address}"
    server.start()
    try:
        yield verifier
    finally:
        server.stop()


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def verify(self, request: SignedRequest) -> tuple[int, str]:
        raise NotImplementedError

    def _answer(self) -> None:
        path, _, query = self.path.partition("?")
        headers = [(name.lower(), value) for name, value in self.headers.items()]
        request = SignedRequest(method=self.command, path=path, query=query, headers=headers, body=self._body())
        status, said = self.verify(request)
        content = json.dumps({"said": said}).encode() + b"\n"
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = _answer  # noqa: N815

    def _body(self) -> bytes:
        if self.headers.get("Transfer-Encoding") != "chunked":
            return self.rfile.read(int(self.headers.get("Content-Length", 0)))
        body = b""
        while size := int(self.rfile.readline(), 16):
            body += self.rfile.read(size)
            self.rfile.readline()
        self.rfile.readline()
        return body

    def log_message(self, *args: Any) -> None:
        """Nothing to the terminal."""
