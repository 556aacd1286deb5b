"""The gateway as plain processes: its server, the worker beside it, and its command line for keys."""

import json
import sys
from collections.abc import Mapping
from pathlib import Path

from local_aws.api import get_json
from local_aws.aws import LocalAws
from local_aws.ports import LOOPBACK
from local_aws.processes import Process, Processes
from local_aws.synthesis import GATEWAY_PACKAGE
from workshop.places import ROOT

START_TIMEOUT_S = 60.0
# Of glibc's allocator. By itself each thread keeps some 200 KB of what it has freed from all others, and makes a heap of its own
# when it has to wait for another's: a server has a hundred threads, of which one runs at a time.
_FEW_HEAPS = {"GLIBC_TUNABLES": "glibc.malloc.tcache_count=0:glibc.malloc.arena_max=2"}


def environment(aws: LocalAws, variables: Mapping[str, str], *, rank_files: Path | None = None) -> dict[str, str]:
    """What a function's environment would be, on this machine; `variables` come from the data stack. A `GLIBC_TUNABLES` of
    the caller's own is kept."""
    ranks = {} if rank_files is None else {"TIKTOKEN_CACHE_DIR": str(rank_files)}
    return {**_FEW_HEAPS, **aws.environment(), **variables, **ranks, "PYTHONPATH": f"{ROOT}:{GATEWAY_PACKAGE}"}


def serve(processes: Processes, *, port: int, env: Mapping[str, str]) -> Process:
    """Start every endpoint on `port`."""
    command = [sys.executable, "-m", "functions", "--host", LOOPBACK, "--port", str(port)]
    return processes.start("gateway", command, env=env)


def work(processes: Processes, *, env: Mapping[str, str]) -> Process:
    """Start what works on the queues."""
    return processes.start("worker", [sys.executable, "-m", "functions", "--worker"], env=env)


def wait_for(server: Process, *, base_url: str) -> None:
    """Wait until the server answers. Raises Failure if it ends, or takes too long."""
    server.wait_until(lambda: get_json(f"{base_url}/health") is not None, timeout_s=START_TIMEOUT_S)


def create_admin_key(processes: Processes, *, env: Mapping[str, str]) -> str:
    """A new key that may do everything."""
    command = [sys.executable, "-m", "llm_gateway.entrypoints.keys", "create", "--role", "admin", "--name", "local"]
    return str(json.loads(processes.run("key", command, env=env))["secret"])
