"""How long a call may take: until one moment that no read can push away, or until its answer is no longer wanted."""

from contextvars import ContextVar
from typing import TYPE_CHECKING

from llm_gateway.domain.faults import CallCancelled
from llm_gateway.domain.providers import Timeouts
from llm_gateway.ports.system import Cancelled, Clock, never

if TYPE_CHECKING:
    from llm_gateway.providers.broken_off import Watched

_enforced: ContextVar["Deadline | None"] = ContextVar("enforced_deadline", default=None)


class Deadline:
    """The end of a call, and of its present wait: `wait_s` after the last `renew`, never later than `total_s` after the start.

    `begun` once a connection was asked for: what failed before that is not the provider's doing. `watched` from the first read
    to the end of the exchange, where it may be cancelled.
    """

    def __init__(
        self, clock: Clock, timeouts: Timeouts, *, wait_s: float, wait: str, cancelled: Cancelled = never
    ) -> None:
        self._clock = clock
        self._timeouts = timeouts
        self.cancelled = cancelled
        self.begun = False
        self.watched: Watched | None = None
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

    def enforced(self) -> "_Enforced":
        """Binds every socket operation of this thread meanwhile; may be entered again. A generator must not yield within it.

        Raises `CallCancelled` in place of whatever fails once the answer is no longer wanted.
        """
        return _Enforced(self)


class _Enforced:
    """A class, because it is entered for every event of a stream, and a generator costs several times as much."""

    __slots__ = ("_deadline", "_token")

    def __init__(self, deadline: Deadline) -> None:
        self._deadline = deadline

    def __enter__(self) -> None:
        self._token = _enforced.set(self._deadline)

    def __exit__(self, _: object, error: BaseException | None, __: object) -> None:
        _enforced.reset(self._token)
        if isinstance(error, Exception) and self._deadline.cancelled():
            raise CallCancelled("The call was broken off.") from error


def enforced_deadline() -> Deadline | None:
    return _enforced.get()
