"""Many administrative changes at the same time, on a server that really serves them so; and a log that goes away meanwhile."""

from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier
from uuid import uuid4

import pytest
from llm_gateway.domain.audit.chain import verify
from llm_gateway.domain.audit.entries import Actor, Deed
from llm_gateway.errors import AlreadyExists, DependencyUnavailable, RevisionConflict
from llm_gateway.instruments.system import RandomIds, SystemClock

from tests.adapters.aws import connect, deploy
from tests.adapters.clock import FakeClock
from tests.adapters.faulty_aws import BROKEN, HANGING, LOST, REFUSED, THROTTLED, Fault, FaultyAws
from tests.stores.conftest import Stores, stores_in_memory, stores_on_aws
from tests.stores.values import provider

CHANGES = 50
DEED = Deed(actor=Actor(key_id="key_1"), action="provider.created")


@pytest.fixture
def contested(request: pytest.FixtureRequest, where: str) -> Stores:
    if where == "memory":
        return stores_in_memory(SystemClock())
    aws = connect(request.getfixturevalue("emulator"))
    # Two processes at work: each has its own clients.
    return stores_on_aws(aws, deploy(aws, name=f"test-{uuid4().hex[:12]}"), SystemClock(), RandomIds())


def at_once(change, times: int = CHANGES) -> Counter[object]:
    barrier = Barrier(times)

    def outcome(number: int) -> object:
        barrier.wait()
        try:
            change(number)
        except (AlreadyExists, RevisionConflict) as refusal:
            return type(refusal)
        return None

    with ThreadPoolExecutor(times) as threads:
        return Counter(threads.map(outcome, range(times)))


def whole_log(stores: Stores) -> int:
    """How many entries there are, in one chain without a gap."""
    contents = stores.audit.contents()
    assert verify(contents.kept, head=contents.head) is None
    return len(contents.kept)


@pytest.mark.parametrize("where", ["memory", "emulator"])
def test_fifty_changes_at_once_leave_neither_a_gap_nor_a_fork(contested: Stores) -> None:
    outcomes = at_once(
        lambda number: contested.audit.append(DEED, contested.providers.adding(provider(f"provider-{number}")))
    )
    assert outcomes == {None: CHANGES}
    assert len(contested.providers.all(fresh=True)) == whole_log(contested) == CHANGES


@pytest.mark.parametrize("where", ["memory", "emulator"])
def test_of_fifty_changes_to_one_revision_one_is_made_and_entered(contested: Stores) -> None:
    contested.providers.add(provider())
    outcomes = at_once(
        lambda number: contested.audit.append(
            DEED, contested.providers.replacing(provider(name=str(number), revision=2), expected_revision=1)
        )
    )
    assert outcomes == {None: 1, RevisionConflict: CHANGES - 1}
    assert whole_log(contested) == 1


@pytest.mark.parametrize("fault", [THROTTLED, BROKEN, REFUSED, HANGING], ids=lambda fault: fault.kind)
def test_while_the_log_is_away_nothing_changes(emulator: str, fault: Fault) -> None:
    clock = FakeClock()
    direct = connect(emulator)
    settings = deploy(direct, name=f"test-{uuid4().hex[:12]}")
    with FaultyAws(emulator) as faulty:
        stores = stores_on_aws(connect(faulty.url), settings, clock, RandomIds())
        stores.audit.append(DEED, stores.providers.adding(provider()))
        with faulty.failing("dynamodb/*-audit*/*", fault), pytest.raises(DependencyUnavailable):
            stores.audit.append(DEED, stores.providers.replacing(provider(revision=2), expected_revision=1))
        assert stores.providers.all(fresh=True) == (provider(),)
        assert whole_log(stores) == 1


def test_a_change_whose_answers_are_lost_is_made_once_and_known_to_be_made(emulator: str) -> None:
    settings = deploy(connect(emulator), name=f"test-{uuid4().hex[:12]}")
    with FaultyAws(emulator) as faulty:
        stores = stores_on_aws(connect(faulty.url), settings, FakeClock(), RandomIds())
        with faulty.failing("dynamodb/*/TransactWriteItems", LOST):
            stores.audit.append(DEED, stores.providers.adding(provider()))
            stores.audit.append(DEED, stores.providers.deleting("openai", expected_revision=1))
        assert stores.providers.all(fresh=True) == ()
        assert whole_log(stores) == 2
