"""Lambda's Runtime API on loopback, and real `awslambdaric` processes on it: what a function does in AWS before a deployment.

A process sees the function's own directory, its layers and the runtime's client, and no other package of this machine.
"""

import json
import os
import queue
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from importlib import metadata
from pathlib import Path
from typing import Any, Final
from urllib.parse import parse_qs
from uuid import uuid4

INIT_TIMEOUT_S: Final = 30.0
INVOCATION_TIMEOUT_S: Final = 30.0
POLL_S: Final = 0.5
_RUNTIME: Final = ("awslambdaric", "simplejson", "snapshot_restore_py")


class InitFailed(Exception):
    """The function could not be loaded; its text is what the runtime reported."""


class InvocationFailed(Exception):
    """The handler raised; its text is what the runtime reported."""


@dataclass(slots=True, kw_only=True)
class _Invocation:
    request_id: str
    event: bytes
    deadline_ms: int
    over: threading.Event = field(default_factory=threading.Event)
    result: bytes = b""
    failed: bool = False


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.waiting: queue.SimpleQueue[_Invocation | None] = queue.SimpleQueue()
        self.running: dict[str, _Invocation] = {}
        self.initialized = threading.Event()
        self.init_error = b""

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Say nothing of a runtime that was stopped and left its connection as it was."""
        if not isinstance(sys.exception(), ConnectionError):
            super().handle_error(request, client_address)


class _Handler(BaseHTTPRequestHandler):
    server: _Server
    protocol_version = "HTTP/1.1"
    # One packet for each answer, at once: otherwise Nagle and delayed acknowledgements add 40 ms each way.
    disable_nagle_algorithm = True
    wbufsize = -1

    def do_GET(self) -> None:
        """Give out the next invocation when there is one; or let a copy of a snapshot go on, which here is the process itself."""
        if self.path.endswith("/restore/next"):
            self._answer(200, b"", {})
            return
        self.server.initialized.set()
        invocation = self.server.waiting.get()
        if invocation is None:
            self.close_connection = True
            return
        self.server.running[invocation.request_id] = invocation
        headers = {
            "Content-Type": "application/json",
            "Lambda-Runtime-Aws-Request-Id": invocation.request_id,
            "Lambda-Runtime-Deadline-Ms": str(invocation.deadline_ms),
            "Lambda-Runtime-Invoked-Function-Arn": "arn:aws:lambda:us-east-1:000000000000:function:local",
            "Lambda-Runtime-Trace-Id": "Root=1-00000000-000000000000000000000000;Sampled=0",
        }
        self._answer(200, invocation.event, headers)

    def do_POST(self) -> None:
        """Take the result of an invocation, or the reason why there will be none."""
        body = self.rfile.read(int(self.headers["Content-Length"]))
        *_, subject, kind = self.path.split("/")
        if subject == "init":
            self.server.init_error = body
            self.server.initialized.set()
        else:
            invocation = self.server.running.pop(subject)
            invocation.result, invocation.failed = body, kind == "error"
            invocation.over.set()
        self._answer(202, b"{}", {})

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the base's name for it
        """Say nothing."""

    def _answer(self, status: int, body: bytes, headers: Mapping[str, str]) -> None:
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
        self.wfile.flush()


@dataclass(frozen=True, slots=True, kw_only=True)
class Function:
    """A function that is initialized and waits for events. `init_ms` runs from the start of its process."""

    init_ms: float
    log: Path
    _server: _Server
    _process: "subprocess.Popen[bytes]"

    @property
    def pid(self) -> int:
        """Its process."""
        return self._process.pid

    def invoke(self, event: Mapping[str, Any], *, timeout_s: float = INVOCATION_TIMEOUT_S) -> Any:
        """What the handler returns for `event`. Raises InvocationFailed, or TimeoutError after `timeout_s`."""
        return json.loads(self.invoke_raw(json.dumps(event).encode(), request_id=str(uuid4()), timeout_s=timeout_s))

    def invoke_raw(self, event: bytes, *, request_id: str, timeout_s: float) -> bytes:
        """The same in JSON, under a request id of the caller's."""
        deadline_s = time.time() + timeout_s
        invocation = _Invocation(request_id=request_id, event=event, deadline_ms=int(deadline_s * 1000))
        self._server.waiting.put(invocation)
        while not invocation.over.wait(min(POLL_S, max(0.0, deadline_s - time.time()))):
            if self._process.poll() is not None:
                raise InvocationFailed(f"the process ended with status {self._process.returncode}\n{self._told()}")
            if time.time() > deadline_s:
                raise TimeoutError(f"no result within {timeout_s} s\n{self._told()}")
        if invocation.failed:
            raise InvocationFailed(invocation.result.decode())
        return invocation.result

    def _told(self) -> str:
        return self.log.read_text(errors="replace")


def rest_api_event(
    method: str, path: str, *, headers: Mapping[str, str] | None = None, body: str | None = None
) -> dict[str, Any]:
    """What API Gateway's REST API gives a function for a request."""
    bare_path, _, query = path.partition("?")
    parameters = parse_qs(query, keep_blank_values=True)
    return {
        "resource": "/{proxy+}",
        "path": bare_path,
        "httpMethod": method,
        "headers": dict(headers or {}),
        "multiValueHeaders": {name: [value] for name, value in (headers or {}).items()},
        "queryStringParameters": {name: values[-1] for name, values in parameters.items()} or None,
        "multiValueQueryStringParameters": parameters or None,
        "pathParameters": {"proxy": bare_path[1:]},
        "stageVariables": None,
        "requestContext": {
            "accountId": "000000000000",
            "apiId": "local",
            "httpMethod": method,
            "identity": {"sourceIp": "127.0.0.1", "userAgent": "local"},
            "path": f"/dev{bare_path}",
            "protocol": "HTTP/1.1",
            "requestId": str(uuid4()),
            "resourcePath": "/{proxy+}",
            "stage": "dev",
        },
        "body": body,
        "isBase64Encoded": False,
    }


@contextmanager
def running(
    handler: str,
    *,
    path: Sequence[Path],
    scratch: Path,
    environment: Mapping[str, str] | None = None,
    python_options: Sequence[str] = (),
) -> Iterator[Function]:
    """A process that serves `handler` ("module.name") from the directories `path`: the function's own first, then its layers'.

    It sees `environment` and what Lambda sets, and nothing else of this process's. Raises InitFailed.
    """
    server = _Server()
    threading.Thread(target=server.serve_forever, name="runtime-api", daemon=True).start()
    log = scratch / f"{handler}.log"
    command = [sys.executable, "-S", *python_options, "-m", "awslambdaric", handler]
    variables = _lambda_environment(server, handler, [*path, _runtime_client(scratch)]) | dict(environment or {})
    with log.open("wb") as output:
        started_at = time.perf_counter()
        process = subprocess.Popen(command, cwd=path[0], env=variables, stdout=output, stderr=output)
    try:
        _wait_for_init(server, process, log)
        init_ms = (time.perf_counter() - started_at) * 1000
        yield Function(init_ms=init_ms, log=log, _server=server, _process=process)
    finally:
        process.kill()
        process.wait()
        server.waiting.put(None)
        server.shutdown()
        server.server_close()


def _wait_for_init(server: _Server, process: "subprocess.Popen[bytes]", log: Path) -> None:
    deadline = time.monotonic() + INIT_TIMEOUT_S
    while not server.initialized.wait(0.05):
        if process.poll() is not None or time.monotonic() > deadline:
            raise InitFailed(log.read_text(errors="replace"))
    if server.init_error:
        raise InitFailed(server.init_error.decode())


def _lambda_environment(server: _Server, handler: str, path: Sequence[Path]) -> dict[str, str]:
    return {
        "PATH": os.environ["PATH"],
        "LANG": "en_US.UTF-8",
        "TZ": ":UTC",
        "PYTHONPATH": os.pathsep.join(map(str, path)),
        # Lambda's file system is read-only: what is not compiled in the layer is compiled in every cold start.
        "PYTHONDONTWRITEBYTECODE": "1",
        "_HANDLER": handler,
        "LAMBDA_TASK_ROOT": str(path[0]),
        "AWS_LAMBDA_RUNTIME_API": f"127.0.0.1:{server.server_port}",
        "AWS_LAMBDA_FUNCTION_NAME": handler.partition(".")[0],
        "AWS_LAMBDA_FUNCTION_VERSION": "$LATEST",
        "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": "1024",
        "AWS_LAMBDA_LOG_GROUP_NAME": f"/aws/lambda/{handler.partition('.')[0]}",
        "AWS_LAMBDA_LOG_STREAM_NAME": "local",
        "AWS_REGION": "us-east-1",
        "AWS_DEFAULT_REGION": "us-east-1",
        "AWS_ACCESS_KEY_ID": "test",
        "AWS_SECRET_ACCESS_KEY": "test",
        "AWS_EC2_METADATA_DISABLED": "true",
    }


def _runtime_client(scratch: Path) -> Path:
    """A directory with links to the runtime's client alone, which in AWS comes with the runtime."""
    directory = scratch / "runtime-client"
    directory.mkdir(exist_ok=True)
    for package in _RUNTIME:
        for file in metadata.files(package) or ():
            top = file.parts[0]
            link = directory / top
            if top not in ("..", "bin", "__pycache__") and not link.is_symlink():
                link.symlink_to(Path(str(file.locate())).parents[len(file.parts) - 1] / top)
    return directory
