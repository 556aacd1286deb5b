"""Usage that was summed up: the rollups of hours and days, and how far they go."""

# A port holds types alone: what imports one for its name does not wait for the import of every value that it speaks of.
from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from datetime import datetime

    from llm_gateway.domain.usage import Bucket, Progress, Rollup


class RollupStore(Protocol):
    """Rollups by window and group. Every method raises `DependencyUnavailable` where they cannot be reached."""

    def within(self, window: Bucket, since: datetime, until: datetime, *, key: str | None = None) -> Iterator[Rollup]:
        """The rollups of the hours, or the days, that start from `since` on and before `until`; one key's, or all."""
        ...

    def put(self, window: Bucket, rollups: Iterable[Rollup]) -> None:
        """Stores rollups of hours, or of days, each in the place of the one before of its window and group."""
        ...

    def progress(self) -> Progress | None:
        """None where nothing was ever summed up."""
        ...

    def note(self, progress: Progress) -> None:
        """To be called after what it tells of was `put`."""
        ...
