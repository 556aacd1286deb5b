"""Many writers at once, on a server that really serves them at once: one wins, and the others are told."""

from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier
from uuid import uuid4

import pytest
from llm_gateway.domain.providers import ProviderCredentials
from llm_gateway.errors import AlreadyExists, RevisionConflict
from llm_gateway.stores.connection import Aws

from tests.adapters.aws import ENVIRONMENT, connect, deploy
from tests.adapters.clock import FakeClock
from tests.adapters.ids import FakeIds
from tests.stores.conftest import Stores, stores_in_memory, stores_on_aws
from tests.stores.values import api_key, provider, query, succeeded

WRITERS = 8


@pytest.fixture(scope="module")
def emulated_aws(emulator: str) -> Aws:
    return connect(emulator)


@pytest.fixture(params=["memory", "emulator"])
def contested(request: pytest.FixtureRequest, clock: FakeClock, ids: FakeIds) -> Stores:
    if request.param == "memory":
        return stores_in_memory(clock)
    aws = request.getfixturevalue("emulated_aws")
    return stores_on_aws(aws, deploy(aws, name=f"test-{uuid4().hex[:12]}"), clock, ids)


def outcomes_of(write: Callable[[int], object]) -> Counter[object]:
    """What came of `WRITERS` calls that all began at once: results and the types of what was raised."""
    barrier = Barrier(WRITERS)

    def outcome(number: int) -> object:
        barrier.wait()
        try:
            return write(number)
        except (AlreadyExists, RevisionConflict) as refusal:
            return type(refusal)

    with ThreadPoolExecutor(WRITERS) as threads:
        return Counter(threads.map(outcome, range(WRITERS)))


def test_of_many_that_take_one_id_one_gets_it(contested: Stores) -> None:
    refused = {None: 1, AlreadyExists: WRITERS - 1}
    assert outcomes_of(lambda number: contested.providers.add(provider(name=str(number)))) == refused
    assert outcomes_of(lambda number: contested.keys.add(api_key(name=str(number)))) == refused
    assert outcomes_of(lambda number: contested.queries.add(query(owner=str(number)))) == refused


def test_of_many_changes_to_one_revision_one_holds(contested: Stores) -> None:
    contested.providers.add(provider())
    outcomes = outcomes_of(
        lambda number: contested.providers.replace(provider(name=str(number), revision=2), expected_revision=1)
    )
    assert outcomes == {None: 1, RevisionConflict: WRITERS - 1}


def test_a_query_ends_once_and_the_answer_is_its_winners(contested: Stores) -> None:
    large = "x" * 600_000
    contested.queries.add(query())
    winners: list[int] = []

    def finish(number: int) -> bool:
        won = contested.queries.finish(succeeded(query(), f"{number}{large}"))
        if won:
            winners.append(number)
        return won

    assert outcomes_of(finish) == {True: 1, False: WRITERS - 1}
    assert contested.queries.get(query().id) == succeeded(query(), f"{winners[0]}{large}")


def test_many_first_writers_of_credentials_leave_one_of_theirs(contested: Stores) -> None:
    keys = [ProviderCredentials(api_key=f"sk-{number}") for number in range(WRITERS)]
    assert outcomes_of(lambda number: contested.credentials.put("openai", keys[number])) == {None: WRITERS}
    assert contested.credentials.get("openai", fresh=True) in keys


def test_a_client_is_made_once_however_many_ask_first(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in ENVIRONMENT.items():
        monkeypatch.setenv(name, value)
    aws = Aws()
    assert len(outcomes_of(lambda _: id(aws.sqs))) == 1
