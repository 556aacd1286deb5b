"""Rollups in memory."""

from collections.abc import Iterable, Iterator
from copy import deepcopy
from datetime import datetime

from llm_gateway.domain.usage import Bucket, Group, Progress, Rollup
from llm_gateway.ports.usage import RollupStore


class InMemoryRollupStore(RollupStore):
    def __init__(self) -> None:
        self._stored: dict[tuple[Bucket, datetime, Group], Rollup] = {}
        self._progress: Progress | None = None

    def within(self, window: Bucket, since: datetime, until: datetime, *, key: str | None = None) -> Iterator[Rollup]:
        for (of, start, group), rollup in list(self._stored.items()):
            if of is window and since <= start < until and key in (None, group.key):
                yield deepcopy(rollup)

    def put(self, window: Bucket, rollups: Iterable[Rollup]) -> None:
        for rollup in rollups:
            self._stored[window, rollup.start, rollup.group] = deepcopy(rollup)

    def progress(self) -> Progress | None:
        return self._progress

    def note(self, progress: Progress) -> None:
        self._progress = progress
