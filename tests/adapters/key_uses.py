"""When keys were used last, in memory."""

from collections.abc import Mapping, Sequence
from datetime import datetime

from llm_gateway.ports.keys import KeyUses


class InMemoryKeyUses(KeyUses):
    """`noted` has every note, in order; `fault`, where it is set, is what everything meets."""

    def __init__(self) -> None:
        self.fault: Exception | None = None
        self.noted: list[tuple[str, datetime]] = []

    def note(self, key_id: str, *, at: datetime) -> None:
        if self.fault is not None:
            raise self.fault
        self.noted.append((key_id, at))

    def last(self, key_ids: Sequence[str]) -> Mapping[str, datetime]:
        if self.fault is not None:
            raise self.fault
        times = {key_id: [at for noted, at in self.noted if noted == key_id] for key_id in key_ids}
        return {key_id: max(at) for key_id, at in times.items() if at}
