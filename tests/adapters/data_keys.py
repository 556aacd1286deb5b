"""Secrets of sealed words in memory: random ones, never wrapped."""

import os

from llm_gateway.errors import DependencyUnavailable
from llm_gateway.ports.system import Clock, Ids
from llm_gateway.stores.data_keys import RENEWED, DataKey


class InMemoryDataKeys:
    """`asked` notes each call; while `is_down`, none is answered."""

    def __init__(self, clock: Clock, ids: Ids) -> None:
        self._clock = clock
        self._ids = ids
        self._kept: dict[str, dict[str, DataKey]] = {}
        self.asked: list[str] = []
        self.is_down = False

    def current(self, key_id: str) -> DataKey:
        self._ask("current")
        newest = next(reversed(self._kept.setdefault(key_id, {}).values()), None)
        if newest is not None and self._clock.now() < newest.seals_until:
            return newest
        made = DataKey(id=self._ids.ulid(), secret=os.urandom(32), seals_until=self._clock.now() + RENEWED)
        self._kept[key_id][made.id] = made
        return made

    def find(self, key_id: str, data_key_id: str) -> DataKey | None:
        self._ask("find")
        return self._kept.get(key_id, {}).get(data_key_id)

    def shred(self, key_id: str) -> None:
        self._ask("shred")
        self._kept.pop(key_id, None)

    def _ask(self, what: str) -> None:
        if self.is_down:
            raise DependencyUnavailable("The secrets cannot be reached.", retry_after_s=1)
        self.asked.append(what)
