"""Many writers at once, on a server that really serves them at once: one wins, and the others are told."""

from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from decimal import Decimal
from functools import partial
from threading import Barrier
from types import NoneType
from uuid import uuid4

import pytest
from llm_gateway.domain.caching import Pending
from llm_gateway.domain.idempotency import IdempotencyRecord
from llm_gateway.domain.prompts.canaries import Feedback
from llm_gateway.domain.providers import ProviderCredentials
from llm_gateway.domain.queries import QueryStatus
from llm_gateway.errors import AlreadyExists, RevisionConflict
from llm_gateway.stores.connection import Aws

from tests.adapters.aws import ENVIRONMENT, connect, deploy
from tests.adapters.clock import FakeClock
from tests.adapters.ids import FakeIds
from tests.stores.conftest import Stores, stores_in_memory, stores_on_aws
from tests.stores.test_feedback import end, give, sums
from tests.stores.values import api_key, problem, provider, query, succeeded

WRITERS = 8
WORKERS = 20
ASKERS = 50
LEASE = timedelta(seconds=30)


@pytest.fixture(scope="module")
def emulated_aws(emulator: str) -> Aws:
    return connect(emulator)


@pytest.fixture(params=["memory", "emulator"])
def contested(request: pytest.FixtureRequest, clock: FakeClock, ids: FakeIds) -> Stores:
    if request.param == "memory":
        return stores_in_memory(clock)
    aws = request.getfixturevalue("emulated_aws")
    return stores_on_aws(aws, deploy(aws, name=f"test-{uuid4().hex[:12]}"), clock, ids)


def outcomes_of(write: Callable[[int], object], *, writers: int = WRITERS) -> Counter[object]:
    """What came of so many calls that all began at once: results and the types of what was raised."""
    barrier = Barrier(writers)

    def outcome(number: int) -> object:
        barrier.wait()
        try:
            return write(number)
        except (AlreadyExists, RevisionConflict) as refusal:
            return type(refusal)

    with ThreadPoolExecutor(writers) as threads:
        return Counter(threads.map(outcome, range(writers)))


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


def test_of_many_workers_one_takes_a_query_up(contested: Stores, clock: FakeClock) -> None:
    def claims(_: int) -> bool:
        return contested.queries.claim(query().id, until=clock.now() + LEASE) is not None

    contested.queries.add(query(status=QueryStatus.QUEUED, attempts=0))
    for taken in (1, 2):
        assert outcomes_of(claims, writers=WORKERS) == {True: 1, False: WORKERS - 1}
        found = contested.queries.summary(query().id)
        assert found is not None
        assert found.attempts == taken
        clock.advance(LEASE.total_seconds())


def test_whatever_happens_at_once_a_query_ends_once_and_an_erased_one_is_gone(
    contested: Stores, clock: FakeClock
) -> None:
    for number in range(6):
        query_id = f"qry_{number}"
        contested.queries.add(query(query_id, status=QueryStatus.QUEUED, attempts=0))
        held = contested.queries.claim(query_id, until=clock.now() + LEASE)
        assert held is not None
        acts: list[Callable[[], object]] = [
            partial(contested.queries.cancel, query_id),
            partial(contested.queries.requeue, held, problem=problem(), counted=True),
            partial(contested.queries.finish, succeeded(held, "x" * 600_000)),
            partial(contested.queries.erase, query_id),
        ]
        acts = acts if number % 2 else acts[:-1]
        outcomes_of(lambda act, acts=acts: bool(acts[act]()), writers=len(acts))  # type: ignore[misc]
        found = contested.queries.get(query_id)
        assert (found is None) == (number % 2 == 1)
        assert found is None or found.status in (QueryStatus.SUCCEEDED, QueryStatus.CANCELLED)


def test_of_many_that_end_a_query_one_is_told_so(contested: Stores) -> None:
    def end(number: int) -> bool:
        queries, query_id = contested.queries, query().id
        ending = queries.cancel(query_id) if number % 2 else queries.bury(query_id, problem=problem())
        assert ending is not None
        assert ending.query.status.finished
        return ending.ended_now

    contested.queries.add(query(status=QueryStatus.QUEUED, attempts=0))
    assert outcomes_of(end) == {True: 1, False: WRITERS - 1}


def test_of_many_that_ask_the_same_one_makes_the_answer(contested: Stores, clock: FakeClock) -> None:
    def looks_up(number: int) -> object:
        found = contested.cache.look_up("key", holder=f"qry_{number}", until=clock.now() + LEASE)
        return type(found)

    for _ in range(2):
        assert outcomes_of(looks_up, writers=ASKERS) == {NoneType: 1, Pending: ASKERS - 1}
        clock.advance(LEASE.total_seconds())


def test_of_many_requests_under_one_key_one_is_carried_out(contested: Stores, clock: FakeClock) -> None:
    def claims(number: int) -> object:
        until = clock.now() + LEASE
        found = contested.idempotency.claim("scope", fingerprint="f", reference=f"qry_{number}", until=until)
        return type(found)

    for _ in range(2):
        assert outcomes_of(claims, writers=WORKERS) == {NoneType: 1, IdempotencyRecord: WORKERS - 1}
        clock.advance(LEASE.total_seconds())


def test_many_first_writers_of_credentials_leave_one_of_theirs(contested: Stores) -> None:
    keys = [ProviderCredentials(api_key=f"sk-{number}") for number in range(WRITERS)]
    assert outcomes_of(lambda number: contested.credentials.put("openai", keys[number])) == {None: WRITERS}
    assert contested.credentials.get("openai", fresh=True) in keys


def test_a_client_is_made_once_however_many_ask_first(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in ENVIRONMENT.items():
        monkeypatch.setenv(name, value)
    aws = Aws()
    assert len(outcomes_of(lambda _: id(aws.sqs))) == 1


def test_no_feedback_is_lost_where_several_come_at_once(contested: Stores, clock: FakeClock) -> None:
    ended = end(contested, clock)
    done = outcomes_of(lambda number: give(contested, clock, ended.id, "0.5", name=str(number)), writers=3)
    assert done == {True: 3}
    assert sums(contested, clock) == [(3, Feedback(count=3, total=Decimal("1.5"), rated=1, means=Decimal("0.5")))]
