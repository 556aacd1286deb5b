"""Secrets of sealed words in memory: random ones, never wrapped."""

import os
from datetime import datetime

from llm_gateway.errors import DependencyUnavailable
from llm_gateway.ports.system import Clock, Ids
from llm_gateway.stores.data_keys import RENEWED, DataKey, first_name


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
        return self._made(key_id)

    def _made(self, key_id: str) -> DataKey:
        made = DataKey(id=self._ids.ulid(), secret=os.urandom(32), seals_until=self._clock.now() + RENEWED)
        self._kept[key_id][made.id] = made
        return made

    def find(self, key_id: str, data_key_id: str) -> DataKey | None:
        self._ask("find")
        return self._kept.get(key_id, {}).get(data_key_id)

    def renew(self, key_id: str) -> None:
        self._ask("renew")
        if self._kept.get(key_id):
            self._made(key_id)

    def shred(self, key_id: str, *, made_before: datetime) -> None:
        self._ask("shred")
        below, kept = first_name(made_before), self._kept.get(key_id, {})
        self._kept[key_id] = {name: key for name, key in kept.items() if name >= below}

    def _ask(self, what: str) -> None:
        if self.is_down:
            raise DependencyUnavailable("The secrets cannot be reached.", retry_after_s=1)
        self.asked.append(what)
