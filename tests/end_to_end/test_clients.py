"""Programs of others against the gateway as a laptop runs it; test_deployed.py runs the same against the whole app deployed."""

from collections.abc import Iterator

import httpx2
import pytest

from tests.adapters.gateway_processes import WorkerProcess
from tests.end_to_end.calling import Client
from tests.end_to_end.house import House, running_house
from tests.end_to_end.programs import Program, every_program
from tests.end_to_end.stack import Stack


@pytest.fixture(scope="module")
def house(
    stack: Stack,
    http: httpx2.Client,
    admin: Client,
    worker_process: WorkerProcess,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[House]:
    worker_process.start()
    with running_house(admin, stack.client(http), tmp_path_factory.mktemp("programs")) as house:
        yield house


@every_program
def test_a_program_of_others_works(house: House, program: Program) -> None:
    program(house)
