"""The machine itself: its clock, its ids, a page of a list, and word of who has left."""

from collections.abc import Callable
from datetime import datetime
from typing import Generic, Protocol, TypeVar

from llm_gateway.values import dataclass

T = TypeVar("T")

Cancelled = Callable[[], bool]
"""Whether the answer is no longer wanted."""


class Clock(Protocol):
    def now(self) -> datetime:
        """The time, in UTC."""
        ...

    def monotonic_s(self) -> float:
        """Seconds from some fixed point, for measuring: never set back."""
        ...

    def sleep(self, duration_s: float) -> None: ...


class Ids(Protocol):
    def ulid(self) -> str:
        """A new ULID: 26 characters that sort by time."""
        ...

    def secret(self) -> str:
        """A new random text of at least 256 bits, URL-safe."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Page(Generic[T]):
    """Some items of a list, and where the next ones start (None after the last)."""

    items: tuple[T, ...]
    next_cursor: str | None = None


def never() -> bool:
    """What tells a call that its answer is wanted to the end."""
    return False
