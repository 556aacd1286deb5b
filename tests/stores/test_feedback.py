"""Feedback: in memory and on AWS alike."""

from dataclasses import replace
from datetime import timedelta
from decimal import Decimal

import pytest
from llm_gateway.domain.prompts.canaries import Feedback
from llm_gateway.domain.queries import CacheNote, Figures, PromptUsed, Query, QueryStatus
from llm_gateway.domain.usage import HOUR, TEST_TAG, Bucket
from llm_gateway.errors import ValidationFailed

from tests.adapters.clock import FakeClock
from tests.stores.conftest import Stores
from tests.stores.values import answer, query, succeeded

PROMPT = PromptUsed(id="answer", version=3)


@pytest.fixture
def ended(stores: Stores, clock: FakeClock) -> Query:
    return end(stores, clock)


def end(
    stores: Stores,
    clock: FakeClock,
    query_id: str = "qry_1",
    prompt: PromptUsed | None = PROMPT,
    *,
    tags: tuple[str, ...] = (),
    from_cache: bool = False,
) -> Query:
    now = clock.now()
    asked = query(
        query_id, created_at=now, expires_at=now + timedelta(days=1), completed_at=now, prompt=prompt, tags=tags
    )
    figures = Figures.of(replace(answer(), cache=CacheNote(hit=from_cache)))
    stored = replace(succeeded(asked), figures=figures)
    stores.queries.add(stored)
    return stored


def give(stores: Stores, clock: FakeClock, query_id: str, score: str, *, name: str = "default") -> bool:
    return stores.feedback.give(query_id, name=name, score=Decimal(score), comment="gut", at=clock.now())


def sums(stores: Stores, clock: FakeClock, prompt_id: str = "answer", hours: int = 1) -> list[tuple[int, Feedback]]:
    hour = Bucket.HOUR.start(clock.now())
    found = stores.feedback.sums(prompt_id, since=hour, until=hour + hours * HOUR)
    return [(each.version, each.feedback) for each in found]


def test_feedback_counts_for_the_version_of_the_query(stores: Stores, clock: FakeClock, ended: Query) -> None:
    other = end(stores, clock, "qry_2", PromptUsed(id="answer", version=12))
    assert give(stores, clock, ended.id, "0.75")
    assert give(stores, clock, other.id, "1")
    assert sums(stores, clock) == [
        (3, Feedback(count=1, total=Decimal("0.75"), rated=1, means=Decimal("0.75"))),
        (12, Feedback(count=1, total=Decimal(1), rated=1, means=Decimal(1))),
    ]
    assert sums(stores, clock, "other") == []


def test_feedback_is_told_apart_by_the_label_that_led_to_the_version(
    stores: Stores, clock: FakeClock, ended: Query
) -> None:
    for query_id, label in (("qry_2", "live"), ("qry_3", "trial")):
        other = end(stores, clock, query_id, PromptUsed(id="answer", version=3, label=label))
        assert give(stores, clock, other.id, "1")
    assert give(stores, clock, ended.id, "1")
    hour = Bucket.HOUR.start(clock.now())
    found = stores.feedback.sums("answer", since=hour - HOUR, until=hour + HOUR)
    assert {each.label for each in found} == {None, "live", "trial"}


def test_the_last_one_of_a_name_counts(stores: Stores, clock: FakeClock, ended: Query) -> None:
    for score, name in (("1", "default"), ("0.2", "tone"), ("0.4", "default")):
        assert give(stores, clock, ended.id, score, name=name)
    assert sums(stores, clock) == [(3, Feedback(count=2, total=Decimal("0.6"), rated=1, means=Decimal("0.3")))]


def test_a_third_is_no_more_than_that_in_the_end(stores: Stores, clock: FakeClock, ended: Query) -> None:
    for score, name in (("1", "a"), ("0", "b"), ("0", "c"), ("0", "a")):
        assert give(stores, clock, ended.id, score, name=name)
    assert sums(stores, clock) == [(3, Feedback(count=3, total=Decimal(0), rated=1, means=Decimal(0)))]


def test_a_version_is_not_judged_by_an_answer_from_the_cache(stores: Stores, clock: FakeClock) -> None:
    stored = end(stores, clock, from_cache=True)
    assert give(stores, clock, stored.id, "0")
    assert sums(stores, clock) == [(3, Feedback(count=1, total=Decimal(0)))]


def test_feedback_on_a_tests_query_counts_for_no_version(stores: Stores, clock: FakeClock) -> None:
    stored = end(stores, clock, tags=(TEST_TAG,))
    assert give(stores, clock, stored.id, "0")
    assert sums(stores, clock) == []


def test_feedback_counts_in_the_hour_of_the_querys_end(stores: Stores, clock: FakeClock, ended: Query) -> None:
    hour = Bucket.HOUR.start(clock.now())
    clock.advance(7200)
    assert give(stores, clock, ended.id, "1")
    [found] = stores.feedback.sums("answer", since=hour - 5 * HOUR, until=hour + 30 * HOUR)
    assert found.start == hour
    assert list(stores.feedback.sums("answer", since=hour + HOUR, until=hour + 30 * HOUR)) == []
    assert list(stores.feedback.sums("answer", since=hour - 5 * HOUR, until=hour)) == []
    assert len(list(stores.feedback.sums("answer", since=hour, until=hour + timedelta(minutes=1)))) == 1


def test_a_query_without_a_prompt_takes_feedback_too(stores: Stores, clock: FakeClock) -> None:
    stored = end(stores, clock, prompt=None)
    assert give(stores, clock, stored.id, "1")
    assert sums(stores, clock) == []


def test_a_query_that_is_gone_takes_none(stores: Stores, clock: FakeClock, ended: Query) -> None:
    stores.queries.erase(ended.id)
    assert not give(stores, clock, ended.id, "1")
    assert not give(stores, clock, "qry_none", "1")
    assert not give(stores, clock, "", "1")
    assert sums(stores, clock) == []


def test_a_query_takes_ten_names(stores: Stores, clock: FakeClock, ended: Query) -> None:
    for number in range(10):
        assert give(stores, clock, ended.id, "1", name=str(number))
    with pytest.raises(ValidationFailed, match="10 names at most"):
        give(stores, clock, ended.id, "1", name="one more")
    assert give(stores, clock, ended.id, "0", name="3")
    assert sums(stores, clock) == [(3, Feedback(count=10, total=Decimal(9), rated=1, means=Decimal("0.9")))]


def test_a_querys_summary_is_the_same_with_feedback(stores: Stores, clock: FakeClock, ended: Query) -> None:
    before = stores.queries.summary(ended.id)
    assert give(stores, clock, ended.id, "1")
    assert stores.queries.summary(ended.id) == before
    assert before is not None
    assert before.status is QueryStatus.SUCCEEDED
