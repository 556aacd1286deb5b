"""A clock that stands still until it is told to move: sleeping moves it too, so that no test waits."""

from datetime import UTC, datetime, timedelta

from llm_gateway.ports.system import Clock


class FakeClock(Clock):
    def __init__(self, now: datetime = datetime(2026, 11, 22, 12, tzinfo=UTC)) -> None:
        self._start = now
        self._passed_s = 0.0
        self.slept_s: list[float] = []

    def now(self) -> datetime:
        return self._start + timedelta(seconds=self._passed_s)

    def monotonic_s(self) -> float:
        return self._passed_s

    def sleep(self, duration_s: float) -> None:
        self.slept_s.append(duration_s)
        self.advance(duration_s)

    def advance(self, duration_s: float) -> None:
        self._passed_s += duration_s
