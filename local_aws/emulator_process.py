"""`python -m local_aws.emulator_process`: ministack, closed to the pages of a browser, on a quicker server. Its Lambda processes
share a layer's files, as they do in AWS, and start one after the other.

By itself it lets every page call it and read the answer, and runs functions as processes of the user who started it: any page
that a developer visits meanwhile could run code on the machine. It also unzips every layer anew for every process, and these
layers have 6,500 files: seconds of a processor's time. And a hundred processes that start at once leave each other, and the
emulator that all of them wait for, no time to answer in.
"""

import asyncio
import hashlib
import json
import os
import tempfile
import threading
import time
import uuid
import zipfile
from pathlib import Path
from types import SimpleNamespace
from typing import Any, Final

from local_aws import loops

# What a function takes of a processor until it has answered its first request, among as many as there are.
START_S: Final = 1 / (os.cpu_count() or 1)
DYNAMODB_TARGET: Final = "DynamoDB_20120810."

_starting: Final = threading.Lock()
_starts: Final = SimpleNamespace(after_s=0.0)
_unzipping: Final = threading.Lock()
_unzipped: Final[dict[str, Path]] = {}


class SharedLayer(zipfile.ZipFile):
    """An archive that is unzipped once, and linked from wherever it is wanted."""

    filename: str

    def namelist(self) -> list[str]:
        """Its top level: what ministack checks is that no path leads out of a layer, and `extractall` sees to that itself."""
        return sorted({name.partition("/")[0] for name in super().namelist()})

    def extractall(self, path: Any = None, members: Any = None, pwd: bytes | None = None) -> None:  # noqa: ARG002 - ZipFile's
        """Make the files appear in the directory `path`."""
        for entry in self._files().iterdir():
            (Path(path) / entry.name).symlink_to(entry)

    def _files(self) -> Path:
        digest = hashlib.sha256(Path(self.filename).read_bytes()).hexdigest()
        with _unzipping:
            if digest not in _unzipped:
                # Where its owner told ministack to keep things, which are gone with it.
                directory = Path(tempfile.mkdtemp(prefix="layer-"))
                with zipfile.ZipFile(self.filename) as archive:
                    archive.extractall(directory)
                _unzipped[digest] = directory
            return _unzipped[digest]


def open_archive(file: str) -> zipfile.ZipFile:
    """A layer's archive; or a function's own, which is what a process's start begins with, when it is its turn to."""
    if Path(file).name.startswith("layer_"):
        return SharedLayer(file)
    with _starting:
        time.sleep(max(0, _starts.after_s - time.monotonic()))
        _starts.after_s = time.monotonic() + START_S
    return zipfile.ZipFile(file)


class DynamoDbAtOnce:
    """ASGI middleware: what is asked of DynamoDB goes to the emulator's DynamoDB at once.

    By itself ministack first tells a hundred services apart, which takes as long as the answer. Where it looks at who asks
    (`checks_access`), and where a body is packed, it does as it does by itself.
    """

    def __init__(self, app: Any, ministack: Any, *, checks_access: bool) -> None:
        self._app = app
        self._ministack = ministack
        self._checks_access = checks_access

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """Answers one request."""
        if self._checks_access or scope["type"] != "http" or (scope["method"], scope["path"]) != ("POST", "/"):
            await self._app(scope, receive, send)
            return
        headers = {name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"]}
        if not headers.get("x-amz-target", "").startswith(DYNAMODB_TARGET) or "content-encoding" in headers:
            await self._app(scope, receive, send)
            return
        body = b""
        while (message := await receive())["type"] == "http.request":
            body += message.get("body", b"")
            if not message.get("more_body"):
                status, told, answer = await self._answer(headers, body)
                break
        else:
            return
        lines = [(name.encode("latin-1"), str(value).encode("latin-1")) for name, value in told.items()]
        await send({"type": "http.response.start", "status": status, "headers": lines})
        await send({"type": "http.response.body", "body": answer})

    async def _answer(self, headers: dict[str, str], body: bytes) -> tuple[int, dict[str, Any], bytes]:
        ministack = self._ministack
        async with ministack._get_reset_lock():
            """Nothing is answered while all is forgotten."""
        ministack.set_request_account_id(ministack.extract_access_key_id(headers))
        ministack.set_request_region(ministack.extract_region(headers))
        try:
            status, told, answer = await ministack._get_module("dynamodb").handle_request(
                "POST", "/", headers, body, {}
            )
        except Exception as error:
            # As ministack tells it.
            told = {"Content-Type": "application/json"}
            status, answer = 500, json.dumps({"__type": "InternalError", "message": str(error)})
        answer = answer if isinstance(answer, bytes) else answer.encode()
        return status, {**told, "Content-Length": len(answer), "x-amzn-requestid": uuid.uuid4()}, answer


async def serve(app: Any, config: Any) -> None:
    """Serves as `hypercorn.asyncio.serve` would, which takes as long for a request as the emulator for what is asked."""
    import uvicorn

    host, _, port = config.bind[0].rpartition(":")
    settings = uvicorn.Config(
        app,
        host=host,
        port=int(port),
        ssl_certfile=config.certfile,
        ssl_keyfile=config.keyfile,
        ws="none",
        log_level=config.loglevel.lower(),
        access_log=False,
        timeout_keep_alive=int(config.keep_alive_timeout),
        # Somebody may wait for a message.
        timeout_graceful_shutdown=int(config.graceful_timeout),
        # The emulator has headers of its own.
        server_header=False,
        date_header=False,
        proxy_headers=False,
    )
    await uvicorn.Server(settings).serve()


def main() -> None:
    """Serve until a signal comes."""
    # Functions are to find the package in their layer, and there alone.
    os.environ.pop("PYTHONPATH", None)
    import hypercorn.asyncio
    from llm_gateway.entrypoints.visitors import NoOtherSites
    from ministack import app as ministack
    from ministack.core import lambda_runtime

    lambda_runtime.zipfile = SimpleNamespace(**{**vars(zipfile), "ZipFile": open_archive})
    ministack.app = NoOtherSites(DynamoDbAtOnce(ministack.app, ministack, checks_access=ministack.AUTH))
    ministack.asyncio = SimpleNamespace(**{**vars(asyncio), "run": loops.run})
    hypercorn.asyncio.serve = serve  # type: ignore[assignment] # It is called with these two.
    ministack.main()


if __name__ == "__main__":
    main()
