"""Labels: a version that loses its weight, and changes that others get ahead of."""

from dataclasses import replace
from typing import Any

import pytest
from llm_gateway.domain.prompts.prompts import Gate, PromptDraft
from llm_gateway.domain.prompts.templates import PromptTemplate
from llm_gateway.errors import LabelNotFound, PromptNotFound, RevisionConflict, ValidationFailed
from llm_gateway.services.prompts.commits import Commits, Overtaken
from llm_gateway.services.prompts.labels import LONGEST_REASON, LabelDraft, LabelService

from tests.adapters.audit_log import InMemoryChange
from tests.adapters.authors import BY
from tests.adapters.gateway import FakeGateway

GATE = Gate(max_error_rate=0.1)


@pytest.fixture
def gateway() -> FakeGateway:
    """A prompt with two versions, and a label that gives the newer one a tenth."""
    gateway = FakeGateway()
    for text in ("one", "two"):
        draft = PromptDraft(id="answer", name="Answer", template=PromptTemplate(system_text=text))
        if text == "one":
            gateway.prompt_changes.create(draft, by=BY)
        else:
            gateway.prompt_changes.update("answer", draft, expected=None, by=BY)
    trial = LabelDraft(versions={1: 90, 2: 10}, gate=GATE, keeps_gate=False)
    gateway.labels.put("answer", "production", trial, expected=None, by=BY)
    return gateway


@pytest.fixture
def labels(gateway: FakeGateway) -> LabelService:
    return gateway.labels


def take(labels: LabelService, version: int = 2, **changes: Any) -> Any:
    asked = {"reason": "too many errors", "expected": 1, "by": BY} | changes
    return labels.take_weight("answer", asked.pop("name", "production"), version, **asked)


def test_a_version_loses_its_weight_and_the_label_says_why(gateway: FakeGateway, labels: LabelService) -> None:
    label = take(labels)
    assert (label.versions, label.revision, label.gate) == ({1: 100}, 2, GATE)
    assert (label.rolled_back.version, label.rolled_back.reason) == (2, "too many errors")
    assert [move.versions for move in label.history] == [{1: 100}, {1: 90, 2: 10}]
    assert gateway.prompts.get("answer").metadata.labels == {"production": label}
    again, _ = labels.put("answer", "production", LabelDraft(versions={2: 100}), expected=None, by=BY)
    assert again.rolled_back is None


def test_who_goes_back_after_that_does_not_meet_the_bad_version_again(labels: LabelService) -> None:
    take(labels)
    with pytest.raises(ValidationFailed):
        labels.put("answer", "production", LabelDraft(rollback=True), expected=None, by=BY)


def test_a_weight_that_is_taken_leaves_what_was_before_the_trial_to_go_back_to(
    gateway: FakeGateway, labels: LabelService
) -> None:
    third = PromptDraft(id="answer", name="Answer", template=PromptTemplate(system_text="three"))
    gateway.prompt_changes.update("answer", third, expected=None, by=BY)
    labels.put("answer", "production", LabelDraft(versions={1: 100}), expected=None, by=BY)
    trial, _ = labels.put("answer", "production", LabelDraft(versions={1: 80, 2: 10, 3: 10}), expected=None, by=BY)
    take(labels, 3, expected=trial.revision)
    back, _ = labels.put("answer", "production", LabelDraft(rollback=True), expected=None, by=BY)
    assert back.versions == {1: 100}


def test_two_who_go_back_at_once_go_back_once(gateway: FakeGateway, labels: LabelService) -> None:
    for version in (2, 1):
        labels.put("answer", "production", LabelDraft(versions={version: 100}), expected=None, by=BY)
    back = LabelDraft(rollback=True)
    firsts = [lambda: labels.put("answer", "production", back, expected=None, by=BY)]

    class Late(Commits):
        """The other's change comes first."""

        __slots__ = ()

        def commit(self, deed: Any, changes: Any) -> None:
            if firsts:
                firsts.pop()()
            Commits.commit(self, deed, changes)

    late = Late(log=labels.commits.log, clock=labels.commits.clock, draw=labels.commits.draw)
    with pytest.raises(RevisionConflict):
        replace(labels, commits=late).put("answer", "production", back, expected=None, by=BY)
    assert gateway.prompts.get("answer").metadata.labels["production"].versions == {2: 100}


def test_what_somebody_has_moved_meanwhile_stays(gateway: FakeGateway, labels: LabelService) -> None:
    moved, _ = labels.put("answer", "production", LabelDraft(versions={2: 100}), expected=None, by=BY)
    with pytest.raises(RevisionConflict):
        take(labels)
    assert gateway.prompts.get("answer").metadata.labels == {"production": moved}


@pytest.mark.parametrize("version", [3, 1])
def test_only_what_has_weight_beside_others_loses_it(labels: LabelService, version: int) -> None:
    if version == 1:
        take(labels)
    with pytest.raises(RevisionConflict):
        take(labels, version, expected=2 if version == 1 else 1)


def test_a_label_that_is_gone_has_no_weight_to_take(labels: LabelService) -> None:
    with pytest.raises(LabelNotFound):
        take(labels, name="nowhere")
    with pytest.raises(PromptNotFound):
        labels.take_weight("nobody", "production", 2, reason="", expected=1, by=BY)


def test_a_long_reason_is_cut_in_the_history(labels: LabelService) -> None:
    label = take(labels, reason="r" * 1000)
    assert label.history[0].reason == "r" * LONGEST_REASON


def test_who_is_overtaken_each_time_is_told_so_in_the_end(gateway: FakeGateway) -> None:
    commits = Commits(log=gateway.outside.audit_log, clock=gateway.outside.clock, draw=lambda: 0.5)
    tries = []

    def refuse() -> None:
        raise RevisionConflict("Another was first.")

    def change() -> None:
        tries.append(1)
        commits.commit(BY.deed("answer"), [InMemoryChange(check=refuse, write=lambda: None)])

    before = gateway.outside.clock.now()
    with pytest.raises(Overtaken, match="Another was first"):
        commits.until_done(change)
    assert len(tries) > 10
    assert (gateway.outside.clock.now() - before).total_seconds() < 10
