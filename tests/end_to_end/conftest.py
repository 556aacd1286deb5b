"""One emulator, one gateway and one worker for all of these tests: real processes on loopback, each ended by its own id."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack, nullcontext
from pathlib import Path
from typing import Any

import httpx2
import pytest
from llm_gateway.domain.keys import Role

from tests.adapters.aws import connect
from tests.adapters.gateway_processes import WorkerProcess, environment_of, running_gateway
from tests.adapters.ministack import running_ministack
from tests.adapters.upstream import ScriptedUpstream
from tests.end_to_end.calling import Client
from tests.end_to_end.stack import Scripted, Stack, deployed, register

# What a program asserts is to be told as what a test does.
pytest.register_assert_rewrite("tests.end_to_end.programs")


@pytest.fixture(scope="package")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("end-to-end")


@pytest.fixture(scope="package")
def stack(folder: Path, localstack: str | None) -> Iterator[Stack]:
    with nullcontext(localstack) if localstack else running_ministack(folder) as endpoint:
        yield deployed(connect(endpoint), endpoint=endpoint, name="e2e")


@pytest.fixture(scope="package")
def gateway_log(folder: Path) -> Path:
    return folder / "gateway.log"


@pytest.fixture(scope="package")
def base_url(stack: Stack, gateway_log: Path) -> Iterator[str]:
    environment = environment_of(stack.settings, endpoint=stack.endpoint)
    with running_gateway(environment, log=gateway_log) as base_url:
        yield base_url


@pytest.fixture(scope="package")
def http(base_url: str) -> Iterator[httpx2.Client]:
    limits = httpx2.Limits(max_connections=100)
    with httpx2.Client(base_url=base_url, trust_env=False, timeout=60, limits=limits) as http:
        yield http


@pytest.fixture(scope="package")
def admin(stack: Stack, http: httpx2.Client) -> Client:
    return stack.client(http, Role.ADMIN)


@pytest.fixture
def client(stack: Stack, http: httpx2.Client) -> Client:
    """A caller of its own: its cache and its idempotency keys are its own."""
    return stack.client(http)


@pytest.fixture(scope="package")
def worker_process(stack: Stack, folder: Path) -> Iterator[WorkerProcess]:
    environment = environment_of(stack.settings, endpoint=stack.endpoint)
    process = WorkerProcess(environment=environment, log=folder / "worker.log")
    yield process
    process.kill()


@pytest.fixture
def worker(worker_process: WorkerProcess) -> WorkerProcess:
    """One that works, whatever the test before did to it."""
    worker_process.start()
    return worker_process


@pytest.fixture
def scripted(admin: Client) -> Iterator[Callable[..., Scripted]]:
    """Makes upstreams that do as they are told, each a provider: `scripted(otherwise=Answer(), retry={...})`."""
    with ExitStack() as running:

        def make(*, otherwise: Any = None, **changes: Any) -> Scripted:
            upstream = running.enter_context(ScriptedUpstream(otherwise=otherwise))
            return register(admin, upstream, **changes)

        yield make


@pytest.fixture
def provider(scripted: Callable[..., Scripted]) -> Scripted:
    return scripted()
