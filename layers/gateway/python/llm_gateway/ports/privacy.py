"""What finds personal data in text."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Iterator

    from llm_gateway.domain.pii import Found


class Detector(Protocol):
    """Patterns, a model for names, or a service: whatever says where personal data stands."""

    def find(self, text: str) -> Iterator[Found]:
        """What is found, in its order, no two overlapping; in time that grows with the text alone.

        Whatever it raises means that it cannot tell: the text is then not let through.
        """
        ...
