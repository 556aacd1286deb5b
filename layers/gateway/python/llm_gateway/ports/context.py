"""Context: where a text may be cut."""

# A port holds types alone: what imports one for its name does not wait for the import of every value that it speaks of.
from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Sequence


class Segmenter(Protocol):
    def pieces(self, text: str, most: int) -> Sequence[str]:
        """`text` in pieces of at most `most` characters, which together are `text` again.

        Each ends at the highest border there is: blank lines, line breaks, sentences, words, and characters as people see them.
        """
        ...
