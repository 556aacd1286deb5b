"""A clock that runs as real ones do, and whose date can be moved."""

import time
from datetime import UTC, datetime, timedelta

from llm_gateway.ports.system import Clock


class TravellingClock(Clock):
    def __init__(self) -> None:
        self._moved = timedelta()

    def now(self) -> datetime:
        return datetime.now(UTC) + self._moved

    def monotonic_s(self) -> float:
        return time.monotonic()

    def sleep(self, duration_s: float) -> None:
        time.sleep(duration_s)

    def move(self, **by: float) -> None:
        """Moves the date by a `timedelta` of these."""
        self._moved += timedelta(**by)
