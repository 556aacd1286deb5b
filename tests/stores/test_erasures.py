"""What erasures stand on: their records, and the queries that a key or a subject has."""

from dataclasses import replace
from datetime import timedelta

import pytest
from llm_gateway.domain.erasures import Erasure, ErasureStatus, Target, digest_of
from llm_gateway.domain.identifiers import QUERY_PREFIX, first_at
from llm_gateway.domain.pii import PiiRule
from llm_gateway.domain.privacy import Privacy
from llm_gateway.errors import ErasureNotFound, RevisionConflict
from llm_gateway.ports.erasures import Erasable, ErasureStore
from llm_gateway.stores.erasures import DynamoErasureStore

from tests.adapters.clock import FakeClock
from tests.adapters.erasure_store import InMemoryErasureStore
from tests.adapters.ids import FakeIds
from tests.stores.conftest import Stores
from tests.stores.values import query, question, succeeded

MINE = Target(subject=digest_of("customer 42"))


@pytest.fixture(params=["memory", "aws"])
def erasures(request: pytest.FixtureRequest, ids: FakeIds) -> ErasureStore:
    if request.param == "memory":
        return InMemoryErasureStore()
    settings = request.getfixturevalue("settings")
    return DynamoErasureStore(aws=request.getfixturevalue("aws"), table=settings.evals_table, ids=ids)


@pytest.mark.parametrize("target", [MINE, Target(key_id="key_alice")])
def test_an_erasure_comes_back_and_changes_by_revisions(
    erasures: ErasureStore, clock: FakeClock, target: Target
) -> None:
    now = clock.now()
    made = Erasure(id="ers_1", target=target, created_at=now, expires_at=now + timedelta(days=400))
    erasures.add(made)
    assert erasures.get("ers_1") == made
    done = made.changed(status=ErasureStatus.FINISHED, erased=3, pending=("qry_1",), before="qry_0", completed_at=now)
    erasures.replace(done, expected_revision=1)
    assert erasures.get("ers_1") == done
    with pytest.raises(RevisionConflict):
        erasures.replace(done, expected_revision=1)
    with pytest.raises(ErasureNotFound):
        erasures.get("ers_2")


def test_queries_are_found_by_key_and_by_subject_page_by_page(stores: Stores, clock: FakeClock, ids: FakeIds) -> None:
    index: Erasable = stores.index  # type: ignore[assignment]
    made = []
    for number in range(9):
        clock.advance(1)
        subject = "customer 42" if number % 3 else number
        request = question(metadata={"subject": subject})
        owner = f"key_{number % 2}"
        now = clock.now()
        made.append(
            query("qry_" + ids.ulid(), owner=owner, request=request, created_at=now, expires_at=now + timedelta(days=9))
        )
        stores.queries.add(made[-1])
    for target, expected in (
        (MINE, [each.id for each in made if each.request.metadata["subject"] == "customer 42"]),
        (Target(key_id="key_1"), [each.id for each in made if each.owner == "key_1"]),
        (Target(subject=digest_of("0")), []),
        (Target(key_id="key_9"), []),
    ):
        assert read(index, target, clock) == expected[::-1]


def test_an_erased_query_is_found_no_more(stores: Stores, clock: FakeClock) -> None:
    index: Erasable = stores.index  # type: ignore[assignment]
    asked = query(request=question(metadata={"subject": "customer 42"}))
    stores.queries.add(asked)
    stores.queries.finish(succeeded(asked))
    assert len(read(index, MINE, clock)) == 1
    stores.queries.erase(asked.id)
    assert read(index, MINE, clock) == []


def test_a_subject_that_was_masked_is_found_by_its_name(stores: Stores, clock: FakeClock) -> None:
    index: Erasable = stores.index  # type: ignore[assignment]
    privacy = Privacy(rules=(PiiRule.MASK,), subject=digest_of("anna@example.com"))
    asked = query(request=question(metadata={"subject": "[EMAIL_1]"}, privacy=privacy))
    stores.queries.add(asked)
    assert read(index, Target(subject=digest_of("anna@example.com")), clock) == [asked.id]


def test_a_subject_is_written_down_as_a_digest_alone(stores: Stores) -> None:
    assert "customer" not in MINE.listed_under
    assert replace(MINE, subject=digest_of("customer 43")) != MINE


def read(index: Erasable, target: Target, clock: FakeClock) -> list[str]:
    found: list[str] = []
    before: str | None = first_at(clock.now() + timedelta(days=9999), prefix=QUERY_PREFIX)
    while before is not None:
        page, before = index.of_target(target, before=before, limit=2)
        found += page
        assert len(found) < 100
    return found
