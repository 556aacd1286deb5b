"""Where a text may be cut, by the Unicode rules (UAX #29) as `semantic-text-splitter` applies them."""

from collections.abc import Sequence
from functools import lru_cache
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from semantic_text_splitter import TextSplitter

# Its time grows with the square of a text's length where there are few borders: a long text is given to it by and by.
_MOST_AT_ONCE: Final = 8_192


class UnicodeSegmenter:
    """The `Segmenter` port."""

    def pieces(self, text: str, most: int) -> Sequence[str]:
        splitter, found, start = _splitter(most), [], 0
        at_once = max(_MOST_AT_ONCE, 4 * most)
        while start < len(text):
            window = text[start : start + at_once]
            pieces: list[str] = splitter.chunks(window)
            if start + len(window) < len(text) and len(pieces) > 1:
                # The last one ends where the window does, which is no border.
                pieces.pop()
            found += pieces
            start += sum(map(len, pieces))
        return found


@lru_cache(maxsize=64)
def _splitter(most: int) -> "TextSplitter":
    from semantic_text_splitter import TextSplitter

    return TextSplitter(most, trim=False)
