"""The local run that is put under load: processes that serve, workers, an emulator, and a provider that fails at times."""

import os
import signal
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from bench import data
from bench.servers import KEY, MODEL, listens
from local_aws import gateway
from local_aws.api import Api
from local_aws.ports import LOOPBACK, free_port
from local_aws.processes import Process, Processes

_WORKERS: Final = 2
_PREFERRED_PORT: Final = 8200
_PROMPT: Final[Mapping[str, Any]] = {
    "id": "endurance",
    "name": "Says what it is given",
    "template": {
        "messages": [{"role": "user", "content": "{{ words }}"}],
        "variables": {"words": {"type": "string"}},
    },
}


@dataclass(slots=True, kw_only=True)
class Stage:
    """What runs, each a child of this process; `api` is a caller's."""

    processes: Processes
    env: Mapping[str, str]
    api: Api
    port: int
    provider_port: int
    server: Process
    emulator: Process
    workers: list[Process]
    _started: int = _WORKERS

    def kill_worker(self) -> None:
        """End a worker as a power cut would: it cannot put anything in order."""
        os.kill(self.workers.pop(0).pid, signal.SIGKILL)

    def start_worker(self) -> None:
        """Start another, as what supervises it would."""
        self._started += 1
        self.workers.append(_worker(self.processes, self.env, number=self._started))

    @contextmanager
    def stalled(self) -> Iterator[None]:
        """The emulator takes connections meanwhile, and answers nothing."""
        os.kill(self.emulator.pid, signal.SIGSTOP)
        try:
            yield
        finally:
            os.kill(self.emulator.pid, signal.SIGCONT)


@contextmanager
def staged(scratch: Path, *, processes: int, delay_ms: float, fault_share: float, lease_s: int) -> Iterator[Stage]:
    """All of it, started, with two providers of which one stands in for the other, one that is never there, and a key.

    What a killed worker held is taken up after `lease_s`.
    """
    with Processes(logs=scratch / "logs") as started:
        aws, variables, emulator = data.deployed_by(started, scratch=scratch)
        env = gateway.environment(aws, {**variables, "LEASE_S": str(lease_s)})
        provider_port = free_port(_PREFERRED_PORT)
        provider = [
            sys.executable,
            "-m",
            "bench.endurance.provider",
            str(provider_port),
            str(delay_ms),
            str(fault_share),
        ]
        started.start("provider", provider, env=os.environ).wait_until(
            lambda: listens(provider_port), timeout_s=gateway.START_TIMEOUT_S
        )
        port = free_port(_PREFERRED_PORT + 1)
        command = [sys.executable, "-m", "functions", "--host", LOOPBACK, "--port", str(port)]
        server = started.start("gateway", [*command, "--processes", str(processes)], env=env)
        admin = Api(base_url=f"http://{LOOPBACK}:{port}", key=gateway.create_admin_key(started, env=env))
        gateway.wait_for(server, base_url=admin.base_url)
        _furnish(admin, provider_port)
        yield Stage(
            processes=started,
            env=env,
            api=Api(base_url=admin.base_url, key=admin.create_key({**KEY})),
            port=port,
            provider_port=provider_port,
            server=server,
            emulator=emulator,
            workers=[_worker(started, env, number=number + 1) for number in range(_WORKERS)],
        )


def _furnish(admin: Api, provider_port: int) -> None:
    address = f"http://{LOOPBACK}:{provider_port}/v1"
    # Nobody listens on a port below 1024 that is as rare as this one.
    for number, (name, base_url) in enumerate(
        (("first", address), ("second", address), ("down", f"http://{LOOPBACK}:9"))
    ):
        admin.create_or_replace_provider(
            {
                "id": name,
                "name": name,
                "kind": "openai_compatible",
                "base_url": base_url,
                "priority": number + 1,
                "default_model": "bench",
                "models": [MODEL],
            }
        )
    admin.create_prompt({**_PROMPT})


def _worker(started: Processes, env: Mapping[str, str], *, number: int) -> Process:
    return started.start(f"worker-{number}", [sys.executable, "-m", "functions", "--worker"], env=env)
