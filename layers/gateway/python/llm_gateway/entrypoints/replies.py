"""Answers with more to them than a body: another status than the table's, or headers."""

from dataclasses import dataclass, field
from typing import Generic, TypeVar

B = TypeVar("B", covariant=True)


@dataclass(frozen=True, slots=True)
class Reply(Generic[B]):
    """A body with its status (None: the table's) and headers."""

    body: B
    status: int | None = None
    headers: dict[str, str] = field(default_factory=dict)
