"""Anchors and exported days in memory."""

from collections.abc import Iterable, Iterator, Sequence
from datetime import date

from llm_gateway.domain.audit.chain import Anchor, Kept
from llm_gateway.ports.audit import AuditArchive


class InMemoryAuditArchive(AuditArchive):
    def __init__(self) -> None:
        self.kept_anchors: list[Anchor] = []
        self.days: dict[date, tuple[Kept, ...]] = {}

    def anchor(self, anchor: Anchor) -> None:
        self.kept_anchors.append(anchor)

    def anchors(self) -> Sequence[Anchor]:
        return tuple(self.kept_anchors)

    def export(self, day: date, kept: Iterable[Kept]) -> None:
        self.days.setdefault(day, tuple(kept))

    def last_exported(self) -> date | None:
        return max(self.days, default=None)

    def exported(self) -> Iterator[Kept]:
        for day in sorted(self.days):
            yield from self.days[day]
