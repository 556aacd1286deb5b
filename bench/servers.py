"""What is measured side by side, each a process of its own: the provider's stand-in, the floor, and the gateway."""

import os
import socket
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from bench import data, processor
from bench.callers import Question, question
from local_aws import gateway
from local_aws.api import BASE_PATH, Api
from local_aws.ports import LOOPBACK, free_port
from local_aws.processes import Process, Processes
from local_aws.synthesis import GATEWAY_PACKAGE
from workshop.places import ROOT

_PREFERRED_PORT: Final = 8100
MODEL: Final = {"name": "bench", "input_usd_per_mtok": "1", "output_usd_per_mtok": "2"}
"""A model that has a price."""
# What is never reached, and counted all the same.
KEY: Final[Mapping[str, Any]] = {
    "name": "bench",
    "role": "caller",
    "limits": {"requests_per_minute": 1_000_000, "tokens_per_minute": 1_000_000_000, "burst": 1_000_000},
    "budget_usd": {"amount": "1000000", "period": "month"},
}
"""A caller's key with limits and a budget."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Server:
    """What answers, and with what it is asked; `pid` is None where its own use is of no interest."""

    name: str
    whole: Question
    stream: Question
    pid: int | None = None


@dataclass(slots=True, kw_only=True)
class Servers:
    """Starts them. Each provider's stand-in stays on the processors that are not measured."""

    processes: Processes
    scratch: Path
    others: set[int]

    def direct(self, *, delay_ms: float) -> Server:
        """A provider's stand-in, asked without anything between."""
        port = free_port(_PREFERRED_PORT)
        with processor.kept_to(self.others):
            self.processes.start(
                f"upstream-{delay_ms:.0f}",
                [sys.executable, "-m", "bench.upstream", str(port), str(delay_ms)],
                env=os.environ,
            ).wait_until(lambda: listens(port), timeout_s=gateway.START_TIMEOUT_S)
        url = f"http://{LOOPBACK}:{port}/v1/chat/completions"
        return Server(
            name="direct",
            whole=question(url, end=b'"finish_reason": "stop"', model="bench"),
            stream=question(url, end=b"[DONE]", model="bench", stream=True),
        )

    def floor(self, upstream: Server, *, on: set[int]) -> Server:
        """FastAPI with OpenAI's SDK, one process."""
        port = free_port(_PREFERRED_PORT)
        env = {**os.environ, "UPSTREAM": _address(upstream), "PYTHONPATH": f"{ROOT}:{GATEWAY_PACKAGE}"}
        command = [sys.executable, "-m", "uvicorn", "bench.floor_app:app", "--host", LOOPBACK, "--port", str(port)]
        with processor.kept_to(on):
            process = self.processes.start("floor", [*command, "--no-access-log", "--log-level", "warning"], env=env)
        base_url = f"http://{LOOPBACK}:{port}"
        gateway.wait_for(process, base_url=base_url)
        return Server(
            name="floor",
            whole=question(f"{base_url}/query", end=b"Hello there."),
            stream=question(f"{base_url}/query/stream", end=b"[DONE]"),
            pid=process.pid,
        )

    def emulator(self) -> Mapping[str, str]:
        """The data stack on an emulator: the environment of what uses it."""
        with processor.kept_to(self.others):
            return gateway.environment(*data.deployed(self.processes, scratch=self.scratch))

    def gateway(self, upstream: Server, env: Mapping[str, str], *, on: set[int], processes: int) -> tuple[Server, Api]:
        """`python -m functions`, asked with a key that has limits and a budget, for a model that has a price.

        Beside it is where it is called otherwise, with that key.
        """
        port = free_port(_PREFERRED_PORT)
        name = f"gateway-{processes}"
        with processor.kept_to(on):
            process = _serve(self.processes, name, port=port, env=env, processes=processes)
        api = Api(base_url=f"http://{LOOPBACK}:{port}", key=gateway.create_admin_key(self.processes, env=env))
        gateway.wait_for(process, base_url=api.base_url)
        api.create_or_replace_provider(provider(_address(upstream)))
        key = api.create_key({**KEY})
        base_url = f"{api.base_url}{BASE_PATH}"
        server = Server(
            name="gateway",
            whole=question(f"{base_url}/query", end=b"Hello there.", key=key),
            stream=question(f"{base_url}/query/stream", end=b"event: done", key=key),
            pid=process.pid,
        )
        return server, Api(base_url=api.base_url, key=key)


def provider(base_url: str) -> dict[str, Any]:
    """A provider whose model has a price."""
    return {
        "id": "bench",
        "name": "Always says the same",
        "kind": "openai_compatible",
        "base_url": base_url,
        "default_model": "bench",
        "models": [MODEL],
    }


def _serve(running: Processes, name: str, *, port: int, env: Mapping[str, str], processes: int) -> Process:
    command = [sys.executable, "-m", "functions", "--host", LOOPBACK, "--port", str(port)]
    return running.start(name, [*command, "--processes", str(processes)], env=env)


def _address(upstream: Server) -> str:
    return f"http://{upstream.whole.host}:{upstream.whole.port}/v1"


def listens(port: int) -> bool:
    """Whether somebody takes connections on loopback's `port`."""
    with socket.socket() as probe:
        return probe.connect_ex((LOOPBACK, port)) == 0
