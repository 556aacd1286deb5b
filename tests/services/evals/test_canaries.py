"""Canaries under watch: what takes a version's weight, what does not, and who is told."""

from dataclasses import fields, replace
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from llm_gateway.domain.audit.entries import GATEWAY
from llm_gateway.domain.identifiers import QUERY_PREFIX
from llm_gateway.domain.prompts.prompts import Gate, Label, LabelMove, PromptMetadata
from llm_gateway.domain.queries import Figures, PromptUsed, QueryProblem, QueryStatus
from llm_gateway.domain.usage import TEST_TAG
from llm_gateway.errors import ValidationFailed
from llm_gateway.ports.audit import Search
from llm_gateway.services.prompts.labels import LabelService

from tests.adapters.gateway import FakeGateway
from tests.adapters.prompt_store import InMemoryPrompts
from tests.stores.values import answer, prompt, prompt_version, query

GATE = Gate(max_validation_failure_rate=0.02, min_requests=20)
INVALID = QueryProblem(status=502, code="response_validation_failed", title="Not so", detail="It is no JSON.")


@pytest.fixture
def gateway() -> FakeGateway:
    gateway = FakeGateway()
    gateway.outside.clock.move(seconds=1800)
    return gateway


def weighted(gateway: FakeGateway, versions: dict[int, int], gate: Gate | None = GATE, **label: Any) -> PromptMetadata:
    now = gateway.outside.clock.now()
    move = LabelMove(versions=versions, at=now, by="key_a")
    found = Label(name="production", versions=versions, revision=2, history=(move,), gate=gate, **label)
    metadata = prompt("answer", version=4, labels={"production": found}, roles={})
    gateway.outside.prompt_store.put(metadata, prompt_version("answer", 3), prompt_version("answer", 4))
    return metadata


def end(gateway: FakeGateway, version: int, count: int, *, bad: int = 0, at: datetime | None = None, **of: Any) -> None:
    """So many queries of a version that ended, the first ones with an answer that breaks its schema."""
    at = at or gateway.outside.clock.now()
    for number in range(count):
        failed = number < bad
        said = {
            "prompt": PromptUsed(id="answer", version=version, label="production"),
            "created_at": at,
            "completed_at": at,
            "expires_at": at + timedelta(days=30),
            "status": QueryStatus.FAILED if failed else QueryStatus.SUCCEEDED,
            "problem": INVALID if failed else None,
        }
        gateway.outside.query_store.add(query(QUERY_PREFIX + gateway.outside.ids.ulid(), **(said | of)))


def label(gateway: FakeGateway) -> Label:
    return gateway.outside.prompt_store.get("answer").labels["production"]


def deeds(gateway: FakeGateway) -> list[Any]:
    now = gateway.outside.clock.now()
    search = Search(since=now - timedelta(days=1), until=now + timedelta(days=1))
    return [entry.deed for entry in gateway.outside.audit_log.page(search, limit=10, cursor=None).items]


@pytest.mark.holds("LLM09")
def test_a_version_that_breaks_its_schema_loses_its_weight(gateway: FakeGateway) -> None:
    weighted(gateway, {3: 90, 4: 10})
    end(gateway, 3, 180)
    end(gateway, 4, 20, bad=20)
    gateway.outside.clock.move(seconds=60)
    gateway.canaries.judge()
    now = label(gateway)
    reason = "its rate of validation failures is 100.0% of 20 queries, above max_validation_failure_rate 0.02"
    assert (now.version, now.revision, now.gate) == (3, 3, GATE)
    assert now.rolled_back is not None
    assert (now.rolled_back.version, now.rolled_back.reason) == (4, reason)
    assert now.rolled_back.at <= gateway.outside.clock.now()
    assert (now.history[0].by, now.history[0].reason) == ("gateway", reason)
    [deed] = deeds(gateway)
    assert (deed.actor, deed.action, deed.target) == (GATEWAY, "label.rolled_back", "answer/labels/production")
    [news] = gateway.outside.canary_events.news
    assert gateway.outside.journal.canaries == [news]
    assert (news.prompt_id, news.label, news.version, news.heaviest) == ("answer", "production", 4, 3)


def test_it_is_rolled_back_once(gateway: FakeGateway) -> None:
    weighted(gateway, {3: 90, 4: 10})
    end(gateway, 3, 180)
    end(gateway, 4, 20, bad=20)
    for _ in range(3):
        gateway.canaries.judge()
    assert len(gateway.outside.canary_events.news) == 1
    assert label(gateway).revision == 3


@pytest.mark.parametrize(
    ("versions", "gate"),
    [
        ({3: 90, 4: 10}, None),
        ({3: 90, 4: 10}, Gate(tests=True)),
        ({3: 90, 4: 10}, replace(GATE, min_requests=21)),
        ({3: 90, 4: 10}, Gate(max_p95_ms=1, min_requests=20)),
        ({4: 90, 3: 10}, GATE),
        ({4: 100}, GATE),
    ],
)
def test_what_is_not_watched_or_breaks_nothing_stays(
    gateway: FakeGateway, versions: dict[int, int], gate: Gate | None
) -> None:
    weighted(gateway, versions, gate)
    end(gateway, 3, 180)
    end(gateway, 4, 20, bad=20, figures=None)
    gateway.canaries.judge()
    assert label(gateway).versions == versions
    assert gateway.outside.canary_events.news == []


def test_what_was_before_the_weights_does_not_count(gateway: FakeGateway) -> None:
    end(gateway, 4, 40, bad=40)
    gateway.outside.clock.move(seconds=60)
    weighted(gateway, {3: 90, 4: 10})
    end(gateway, 3, 180)
    end(gateway, 4, 19, bad=19)
    gateway.canaries.judge()
    assert label(gateway).versions == {3: 90, 4: 10}


@pytest.mark.parametrize("label", [None, "trial"])
def test_queries_that_another_way_led_to_the_version_do_not_count(gateway: FakeGateway, label: str | None) -> None:
    before = weighted(
        gateway, {3: 90, 4: 10}, Gate(max_validation_failure_rate=0.02, min_feedback=0.6, min_requests=20)
    )
    end(gateway, 3, 180)
    end(gateway, 4, 40, bad=20, prompt=PromptUsed(id="answer", version=4, label=label))
    for stored in gateway.outside.query_store.all():
        gateway.outside.feedback.give(
            stored.id, name="default", score=Decimal(0), comment=None, at=gateway.outside.clock.now()
        )
    gateway.canaries.judge()
    assert gateway.outside.prompt_store.get("answer").labels == before.labels


def test_a_version_is_judged_beside_one_that_the_cache_answers_for(gateway: FakeGateway) -> None:
    weighted(gateway, {3: 90, 4: 10})
    cached = replace(Figures.of(answer()), cache_hit=True)
    end(gateway, 3, 180, figures=cached)
    end(gateway, 4, 20, bad=20)
    gateway.canaries.judge()
    assert label(gateway).version == 3


def test_queries_of_tests_do_not_count(gateway: FakeGateway) -> None:
    weighted(gateway, {3: 90, 4: 10})
    end(gateway, 3, 180)
    end(gateway, 4, 40, bad=40, tags=("team", TEST_TAG))
    gateway.canaries.judge()
    assert label(gateway).versions == {3: 90, 4: 10}


def test_hours_that_are_summed_up_count(gateway: FakeGateway) -> None:
    weighted(gateway, {3: 90, 4: 10})
    for _ in range(4):
        end(gateway, 3, 45)
        end(gateway, 4, 5, bad=5)
        gateway.canaries.judge()
        gateway.outside.clock.move(seconds=3600)
        gateway.usage_roller.roll()
    gateway.canaries.judge()
    assert label(gateway).version == 3


def test_bad_feedback_takes_the_weight_too(gateway: FakeGateway) -> None:
    weighted(gateway, {3: 90, 4: 10}, Gate(min_feedback=0.6, min_requests=20))
    for version in (3, 4):
        end(gateway, version, 60)
    for stored in gateway.outside.query_store.all():
        assert stored.prompt is not None
        score = "0.9" if stored.prompt.version == 3 else "0.1"
        at = gateway.outside.clock.now()
        gateway.outside.feedback.give(stored.id, name="default", score=Decimal(score), comment=None, at=at)
    gateway.canaries.judge()
    found = label(gateway).rolled_back
    assert found is not None
    assert found.reason == "its feedback is 0.10 on average of 60 queries, below min_feedback 0.6"


def test_two_that_watch_at_once_do_it_once(gateway: FakeGateway) -> None:
    metadata = weighted(gateway, {3: 90, 4: 10})
    end(gateway, 3, 180)
    end(gateway, 4, 20, bad=20)
    late = InMemoryPrompts()
    late.put(metadata)
    gateway.canaries.judge()
    # The other one had read the label before it was moved.
    replace(gateway.canaries, prompts=late).judge()
    assert len(gateway.outside.canary_events.news) == len(deeds(gateway)) == 1


def test_a_label_that_cannot_be_moved_keeps_no_other_waiting(gateway: FakeGateway) -> None:
    first = weighted(gateway, {3: 90, 4: 10})
    gateway.outside.prompt_store.put(replace(first, id="zebra"), *(prompt_version("zebra", each) for each in (3, 4)))
    for prompt_id in ("answer", "zebra"):
        end(gateway, 3, 180, prompt=PromptUsed(id=prompt_id, version=3, label="production"))
        end(gateway, 4, 20, bad=20, prompt=PromptUsed(id=prompt_id, version=4, label="production"))

    class Full(LabelService):
        __slots__ = ()

        def take_weight(self, prompt_id: str, *args: Any, **kwargs: Any) -> Label:
            if prompt_id == "answer":
                raise ValidationFailed.of("labels", "their history and what they name is too much for one prompt")
            return LabelService.take_weight(self, prompt_id, *args, **kwargs)

    service = gateway.labels
    full = Full(**{each.name: getattr(service, each.name) for each in fields(service)})
    with pytest.raises(ValidationFailed):
        replace(gateway.canaries, labels=full).judge()
    assert [news.prompt_id for news in gateway.outside.canary_events.news] == ["zebra"]


def test_of_several_versions_the_bad_one_goes(gateway: FakeGateway) -> None:
    weighted(gateway, {3: 80, 4: 10, 5: 10})
    end(gateway, 3, 180)
    end(gateway, 4, 40)
    end(gateway, 5, 40, bad=40)
    gateway.canaries.judge()
    assert label(gateway).versions == {3: 80, 4: 10}
