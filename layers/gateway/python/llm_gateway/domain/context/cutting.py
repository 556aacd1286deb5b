"""Cutting a text to a number of tokens: at a paragraph, else a sentence, else a word, as near to the limit as is worth it."""

from collections.abc import Callable, Iterator, Sequence
from typing import Final

from llm_gateway.domain.context.scripts import SENTENCE_ENDS, is_within_character, is_within_word

Pieces = Callable[[str, int], Sequence[str]]
"""A text in pieces of at most so many characters, each up to the highest border there is."""

Measure = Callable[[str], int]
"""The tokens of a text."""

# No character that people see is longer, but for some that are made to be.
_CHARACTER: Final = 16
_LONGEST_WORD: Final = 64
_ENDS: Final = frozenset(SENTENCE_ENDS + "\n")


def head(text: str, room: int, measure: Measure, pieces: Pieces, *, spare: int) -> str:
    """The beginning of `text` that takes at most `room` tokens. To end at a better border it may leave `spare` of them free."""
    most = _longest(text, room, measure, from_end=False)
    if most in (0, len(text)):
        return text[:most]
    end, enough = 0, most - most * spare // room
    while end < enough:
        piece = pieces(text[end:], most - end)[0]
        if end and is_within_word(text, end + len(piece)):
            break
        end += len(piece)
    return text[: _out_of_character(text, _out_of_word(text, end))]


def tail(text: str, room: int, measure: Measure, pieces: Pieces, *, spare: int) -> str:
    """The end of `text` that takes at most `room` tokens, cut as `head` cuts."""
    most = _longest(text, room, measure, from_end=True)
    if most in (0, len(text)):
        return text[len(text) - most :]
    first, enough = len(text) - most, len(text) - most + most * spare // room
    borders = [at for at in _borders(text, pieces) if at >= first and not is_within_character(text, at)]
    between_words = [at for at in borders if _parts_words(text, at)]
    begins = (at for at in between_words if at <= enough and text[:at].rstrip(" \t")[-1:] in _ENDS)
    return text[next(begins, between_words[0]) :]


def _longest(text: str, room: int, measure: Measure, *, from_end: bool) -> int:
    """The most characters of one end of `text` that take at most `room` tokens."""
    if room <= 0:
        return 0
    if measure(text) <= room:
        return len(text)
    low, high = 0, len(text)
    while high - low > 1:
        middle = (low + high) // 2
        if measure(text[-middle:] if from_end else text[:middle]) <= room:
            low = middle
        else:
            high = middle
    return low


def _borders(text: str, pieces: Pieces) -> Iterator[int]:
    """Where `text` can be cut, from its first border to its very end."""
    at = 0
    for piece in pieces(text, _CHARACTER):
        at += len(piece)
        yield at


def _parts_words(text: str, at: int) -> bool:
    """Whether a cut there leaves words whole, or parts what is too long for one."""
    return not is_within_word(text, at) or at - _begin_of_word(text, at) >= _LONGEST_WORD


def _out_of_word(text: str, end: int) -> int:
    """The beginning of the word that `end` is in; of what is too long for a word, `end` itself."""
    if not is_within_word(text, end):
        return end
    start, stop = _begin_of_word(text, end), end
    while stop - start < _LONGEST_WORD and is_within_word(text, stop):
        stop += 1
    return end if stop - start >= _LONGEST_WORD else start


def _out_of_character(text: str, end: int) -> int:
    # Where hardly anything fits, the pieces are smaller than characters.
    while is_within_character(text, end):
        end -= 1
    return end


def _begin_of_word(text: str, at: int) -> int:
    while is_within_word(text, at):
        at -= 1
    return at
