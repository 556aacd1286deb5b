"""`python -m local_aws.emulator_process`: ministack, closed to the pages of a browser, on a quicker server. Its Lambda processes
share a layer's files, as they do in AWS, and start one after the other.

By itself it lets every page call it and read the answer, and runs functions as processes of the user who started it: any page
that a developer visits meanwhile could run code on the machine. It also unzips every layer anew for every process, and these
layers have 6,500 files: seconds of a processor's time. And a hundred processes that start at once leave each other, and the
emulator that all of them wait for, no time to answer in.
"""

import hashlib
import os
import tempfile
import threading
import time
import zipfile
from pathlib import Path
from types import SimpleNamespace
from typing import Any, Final

# What a function takes of a processor until it has answered its first request, among as many as there are.
START_S: Final = 1 / (os.cpu_count() or 1)

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
    ministack.app = NoOtherSites(ministack.app)
    hypercorn.asyncio.serve = serve  # type: ignore[assignment] # It is called with these two.
    ministack.main()


if __name__ == "__main__":
    main()
