"""Watching canaries: each label with weights is judged by what its versions' queries have come to since it has them."""

from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Final

from llm_gateway.domain.audit.entries import GATEWAY, Author
from llm_gateway.domain.prompts.canaries import Record, breach, heaviest
from llm_gateway.domain.prompts.canary_news import CanaryNews
from llm_gateway.domain.prompts.prompts import Gate, Label
from llm_gateway.domain.usage import HOUR, is_of_tests
from llm_gateway.errors import GatewayError, LabelNotFound, PromptNotFound, RevisionConflict
from llm_gateway.ports.evals import CanaryEvents, FeedbackStore
from llm_gateway.ports.prompts import PromptStore
from llm_gateway.ports.queries import Journal
from llm_gateway.ports.system import Clock
from llm_gateway.services.prompts.labels import LabelService
from llm_gateway.services.usage.spans import SpanReader, TimeSpan

ACTION: Final = "label.rolled_back"


@dataclass(frozen=True, slots=True, kw_only=True)
class _Watched:
    """A label that has to be judged, and since when it has its weights."""

    prompt_id: str
    label: Label
    gate: Gate
    since: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class CanaryWatch:
    """May be run at any time and any number of times at once: a weight is taken on the condition that nobody moved the label."""

    prompts: PromptStore
    labels: LabelService
    spans: SpanReader
    feedback: FeedbackStore
    events: CanaryEvents
    journal: Journal
    clock: Clock

    def judge(self) -> None:
        """Takes the weight of every version that breaks its label's gate. What cannot be done now is done in a minute.

        Raises what kept a label from being moved, when all others have been seen to.
        """
        watched = list(self._watched())
        if not watched:
            return
        records = self._records(watched)
        faults = []
        for each in watched:
            try:
                self._judge(each, records[each.prompt_id, each.label.name])
            except GatewayError as fault:
                faults.append(fault)
        if faults:
            raise faults[0]

    def _watched(self) -> Iterator[_Watched]:
        for prompt in self.prompts.watched():
            for label in prompt.labels.values():
                if label.is_watched and label.gate is not None:
                    since = label.weighted_since or prompt.created_at
                    yield _Watched(prompt_id=prompt.id, label=label, gate=label.gate, since=since)

    def _records(self, watched: list[_Watched]) -> Mapping[tuple[str, str], Mapping[int, Record]]:
        """What the versions of each label have come to since it has its weights; all of them in one reading for each start."""
        found: dict[tuple[str, str], dict[int, Record]] = defaultdict(dict)
        by_start: dict[datetime, list[_Watched]] = defaultdict(list)
        for each in watched:
            by_start[each.since].append(each)
        for since, labels in by_start.items():
            self._add_queries(since, labels, found)
        for each in watched:
            self._add_feedback(each, found[each.prompt_id, each.label.name])
        return found

    def _add_queries(
        self, since: datetime, labels: list[_Watched], found: dict[tuple[str, str], dict[int, Record]]
    ) -> None:
        for rollup in self.spans.read(TimeSpan(since=since, until=self.clock.now() + HOUR), days=True):
            used = rollup.group.prompt
            if used is None or is_of_tests(rollup.group):
                continue
            for each in labels:
                if (each.prompt_id, each.label.name) == (used.id, used.label) and used.version in each.label.versions:
                    records = found[each.prompt_id, each.label.name]
                    records.setdefault(used.version, Record()).sums.merge(rollup.sums)

    def _add_feedback(self, watched: _Watched, records: dict[int, Record]) -> None:
        if watched.gate.min_feedback is None:
            return
        for each in self.feedback.sums(watched.prompt_id, since=_hour(watched.since), until=self.clock.now() + HOUR):
            if each.label != watched.label.name:
                continue
            record = records.get(each.version, Record())
            records[each.version] = replace(record, feedback=record.feedback.plus(each.feedback))

    def _judge(self, watched: _Watched, records: Mapping[int, Record]) -> None:
        label, first = watched.label, heaviest(watched.label.versions)
        heavy = records.get(first, Record())
        for version in sorted(label.versions):
            reason = None
            if version != first and label.versions[version] > 0:
                reason = breach(watched.gate, light=records.get(version, Record()), heavy=heavy)
            if reason is not None:
                self._roll_back(watched, version, first, reason)
                # Another one is judged anew under the label's new weights.
                return

    def _roll_back(self, watched: _Watched, version: int, first: int, reason: str) -> None:
        by = Author(actor=GATEWAY, action=ACTION)
        name, revision = watched.label.name, watched.label.revision
        try:
            self.labels.take_weight(watched.prompt_id, name, version, reason=reason, expected=revision, by=by)
        except (RevisionConflict, PromptNotFound, LabelNotFound):
            # Somebody has moved it meanwhile, and knows better.
            return
        news = CanaryNews(
            prompt_id=watched.prompt_id, label=name, version=version, heaviest=first, reason=reason, at=self.clock.now()
        )
        self.journal.rolled_back(news)
        self.events.rolled_back(news)


def _hour(moment: datetime) -> datetime:
    return moment.replace(minute=0, second=0, microsecond=0)
