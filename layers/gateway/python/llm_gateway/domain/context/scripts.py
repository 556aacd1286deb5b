"""Letters and words of every script, as far as ranking and cutting need to tell them apart."""

import re
from collections.abc import Iterator
from functools import lru_cache
from typing import Final
from unicodedata import category, normalize

# Scripts that write no blank between words: Thai, Lao, Tibetan, Myanmar, Khmer, kana and the Han characters.
_UNSPACED: Final = (
    "\u0e00-\u0fff\u1000-\u109f\u1780-\u17ff\u3005-\u3007\u3040-\u30ff\u31f0-\u31ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff"
    "\U00020000-\U0003ffff"
)
SENTENCE_ENDS: Final = ".!?\u2026\u0964\u3002\uff01\uff1f"
"""With what sentences end, from the full stop to the danda and the ideographic full stop."""

_JOINER: Final = "\u200d"
# The joiner itself, and the skin tones.
_JOINING: Final = frozenset({_JOINER, *map(chr, range(0x1F3FB, 0x1F400))})
# Two letters of these are a flag.
_FLAGS: Final = frozenset(map(chr, range(0x1F1E6, 0x1F200)))
_RUN: Final = re.compile(f"([{_UNSPACED}]+)|[^ {_UNSPACED}]+")
_IS_UNSPACED: Final = re.compile(f"[{_UNSPACED}]")
_ASCII_SIGNS: Final = bytes(byte for byte in range(128) if not chr(byte).isalnum())
# So many are quicker replaced one after the other than looked up for each character.
_FEW: Final = 24
_BLANKED: Final = bytes.maketrans(_ASCII_SIGNS, b" " * len(_ASCII_SIGNS))


def folded(text: str) -> str:
    """`text` as it is compared: without case, compatibility forms as their plain ones, and a blank for all that is in no word."""
    # Half of a surrogate pair is no letter, and no UTF-8 either.
    plain = normalize("NFKC", text).casefold()
    if not plain.isascii():
        plain = _without(plain, [sign for sign in set(plain) if not sign.isascii() and not is_letter(sign)])
    return plain.encode().translate(_BLANKED).decode()


def runs(plain: str) -> Iterator[tuple[str, bool]]:
    """The words of a folded text, and what scripts without blanks write in one go; True for the latter."""
    return ((found[0], found[1] is not None) for found in _RUN.finditer(plain))


def _without(text: str, signs: list[str]) -> str:
    if len(signs) > _FEW:
        return text.translate(dict.fromkeys(map(ord, signs), " "))
    for sign in signs:
        text = text.replace(sign, " ")
    return text


@lru_cache(maxsize=4096)
def is_letter(sign: str) -> bool:
    """Whether it is part of words: a letter, a digit, or a mark on one."""
    return category(sign)[0] in "LNM"


def is_within_word(text: str, at: int) -> bool:
    """Whether a cut before `text[at]` would part a word of a script that writes blanks between words."""
    if not 0 < at < len(text):
        return False
    before, after = text[at - 1], text[at]
    if not (is_letter(before) and is_letter(after)):
        return False
    return not (_IS_UNSPACED.match(before) or _IS_UNSPACED.match(after))


def is_within_character(text: str, at: int) -> bool:
    """Whether a cut before `text[at]` would part what people see as one character."""
    if not 0 < at < len(text):
        return False
    before, after = text[at - 1], text[at]
    if before == _JOINER or after in _JOINING or category(after)[0] == "M" or before + after == "\r\n":
        return True
    if before not in _FLAGS or after not in _FLAGS:
        return False
    begin = at
    while begin and text[begin - 1] in _FLAGS:
        begin -= 1
    return (at - begin) % 2 == 1
