"""How long a call may take: until one moment that no read can push away, or until its answer is no longer wanted."""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

from llm_gateway.domain.faults import CallCancelled
from llm_gateway.domain.providers import Timeouts
from llm_gateway.ports.system import Cancelled, Clock, never

_enforced: ContextVar["Deadline | None"] = ContextVar("enforced_deadline", default=None)


class Deadline:
    """The end of a call, and of its present wait: `wait_s` after the last `renew`, never later than `total_s` after the start.

    `begun` once a connection was asked for: what failed before that is not the provider's doing.
    """

    def __init__(
        self, clock: Clock, timeouts: Timeouts, *, wait_s: float, wait: str, cancelled: Cancelled = never
    ) -> None:
        self._clock = clock
        self._timeouts = timeouts
        self.cancelled = cancelled
        self.begun = False
        self._wait_s, self._wait = wait_s, wait
        self._ends_at_s = clock.monotonic_s() + timeouts.longest_s
        self._due_at_s = self._ends_at_s
        self.renew()

    @classmethod
    def of_whole_answer(cls, timeouts: Timeouts, clock: Clock, cancelled: Cancelled = never) -> "Deadline":
        return cls(clock, timeouts, wait_s=timeouts.longest_s, wait="total_s", cancelled=cancelled)

    @classmethod
    def of_stream(cls, timeouts: Timeouts, clock: Clock, cancelled: Cancelled = never) -> "Deadline":
        return cls(clock, timeouts, wait_s=timeouts.silence_s, wait="first_token_s", cancelled=cancelled)

    @property
    def struck(self) -> tuple[str, float]:
        """The limit that ended the wait, and its value in seconds."""
        if self._due_at_s < self._ends_at_s:
            return self._wait, self._wait_s
        return "total_s", self._timeouts.longest_s

    @property
    def connecting(self) -> tuple[str, float]:
        """The limit that ends the wait for a connection."""
        connect_s = self._timeouts.connect_s
        limits = {"connect_s": connect_s, self._wait: self._wait_s, "total_s": self._timeouts.longest_s}
        return min(limits.items(), key=lambda limit: limit[1])

    def renew(self) -> None:
        """Something came: the wait for the next begins now."""
        self.allow(self._wait_s)

    def allow(self, duration_s: float) -> None:
        """Ends the present wait `duration_s` from now, or with the call where that is sooner."""
        self._due_at_s = min(self._ends_at_s, self._clock.monotonic_s() + duration_s)

    def remaining_s(self) -> float:
        return max(self._due_at_s - self._clock.monotonic_s(), 0.0)

    @contextmanager
    def enforced(self) -> Iterator[None]:
        """Binds every socket operation of this thread meanwhile. A generator must not yield within it.

        Raises `CallCancelled` in place of whatever fails once the answer is no longer wanted.
        """
        token = _enforced.set(self)
        try:
            yield
        except Exception as error:
            if self.cancelled():
                raise CallCancelled("The call was broken off.") from error
            raise
        finally:
            _enforced.reset(token)


def enforced_deadline() -> Deadline | None:
    return _enforced.get()
