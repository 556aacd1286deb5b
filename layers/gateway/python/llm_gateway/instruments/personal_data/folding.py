"""Folding: a text as patterns can read it, with the way back to where each character came from.

Full-width and other digits become ASCII digits, dashes, dots and spaces of any script the plain ones. What cannot be seen is left
out. Escapes of JSON (also of JSON inside JSON) and of addresses become what they stand for.
"""

import re
from array import array
from bisect import bisect_right
from dataclasses import dataclass, field
from io import StringIO
from typing import Final

ZEROS: Final = (
    *(0x0660, 0x06F0, 0x07C0, 0x0966, 0x09E6, 0x0A66, 0x0AE6, 0x0B66, 0x0BE6, 0x0C66, 0x0CE6, 0x0D66, 0x0DE6, 0x0E50),
    *(0x0ED0, 0x0F20, 0x1040, 0x1090, 0x17E0, 0x1810, 0x1946, 0x19D0, 0x1A80, 0x1A90, 0x1B50, 0x1BB0, 0x1C40, 0x1C50),
    *(0xA620, 0xA8D0, 0xA900, 0xA9D0, 0xA9F0, 0xAA50, 0xABF0, 0xFF10, 0x104A0, 0x10D30, 0x11066, 0x110F0, 0x11136),
    *(0x111D0, 0x112F0, 0x11450, 0x114D0, 0x11650, 0x116C0, 0x11730, 0x118E0, 0x11950, 0x11C50, 0x11D50, 0x11DA0),
    *(0x16A60, 0x16AC0, 0x16B50, 0x1D7CE, 0x1D7D8, 0x1D7E2, 0x1D7EC, 0x1D7F6, 0x1E140, 0x1E2F0, 0x1E950, 0x1FBF0),
)
"""The zero of each of Unicode's rows of decimal digits: nine follow it."""

_SPACES: Final = (
    "\u2800\u00a0\u1680\u2000\u2001\u2002\u2003\u2004\u2005\u2006\u2007\u2008\u2009\u200a\u202f\u205f\u3000"
)
_DASHES: Final = "\u2010\u2011\u2012\u2013\u2014\u2015\u2043\u2212\ufe58\ufe63"
_DOTS: Final = "\u00b7\u2024\u2027\u30fb\uff61"
_SLASHES: Final = "\u2044\u2215\u29f8"
_PLAIN: Final[dict[int, int | str]] = {
    **{zero + digit: ord("0") + digit for zero in ZEROS for digit in range(10)},
    # The full-width forms of ASCII.
    **{code: code - 0xFEE0 for code in range(0xFF01, 0xFF5F)},
    **dict.fromkeys(map(ord, _SPACES), " "),
    **dict.fromkeys(map(ord, _DASHES), "-"),
    **dict.fromkeys(map(ord, _DOTS), "."),
    **dict.fromkeys(map(ord, _SLASHES), "/"),
    0xFE6B: "@",
}
# Controls, the soft hyphen, joiners, direction marks, variation selectors and tags: nothing of them shows. Marks that are set
# above, below or around a letter or a digit leave it what it is.
_CONTROLS: Final = r"\x00-\x08\x0e-\x1f\x7f"
_UNSEEN: Final = (
    _CONTROLS + "\x80-\x84\x86-\x9f\u0300-\u036f\u20d0-\u20f0"
    "\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b-\u200f\u202a-\u202e\u2060-\u206f\u3164\ufe00-\ufe0f\ufeff"
    "\uffa0\U000e0000-\U000e0fff"
)
_UNSEEN_RUN: Final = re.compile(f"[{_UNSEEN}]+")
_ESCAPED: Final = (
    r"\\{1,8}(?:u[0-9a-fA-F]{4}|x[0-9a-fA-F]{2}|[nrtbf/\"'\\])|%(?:25){0,2}(?:[23][0-9A-Fa-f]|40)"
    r"|&(?:amp;){0,2}(?:#[0-9]{2,4}|#[xX][0-9a-fA-F]{2,4}|nbsp|commat|period);"
)
_SPECIAL: Final = re.compile(f"[{_UNSEEN}]+|{_ESCAPED}")
_SPECIAL_IN_ASCII: Final = re.compile(f"[{_CONTROLS}]+|{_ESCAPED}")
_NAMED: Final = {"nbsp": " ", "commat": "@", "period": "."}
_MEANT: Final = {**dict.fromkeys("nrtbf", "\n"), "/": "/", '"': '"', "'": "'", "\\": "\\"}


@dataclass(frozen=True, slots=True)
class Folded:
    """`text`, and for the places where it leaves the original's: here, and there."""

    text: str
    _here: "array[int]" = field(default_factory=lambda: array("I"))
    _there: "array[int]" = field(default_factory=lambda: array("I"))

    def original(self, place: int) -> int:
        """Where the character at `place` of the folded text begins; for the end of a part, where it ends."""
        mark = bisect_right(self._here, place) - 1
        return place if mark < 0 else self._there[mark] + place - self._here[mark]


def fold(text: str) -> Folded:
    """`text` as patterns read it, in one pass."""
    is_ascii = text.isascii()
    plain = text if is_ascii else text.translate(_PLAIN)
    into: StringIO | None = None
    here, there = array("I"), array("I")
    written = copied = 0
    for found in (_SPECIAL_IN_ASCII if is_ascii else _SPECIAL).finditer(plain):
        meant = _meaning(found[0])
        into = into or StringIO()
        into.write(plain[copied : found.start()])
        written += found.start() - copied
        if meant:
            into.write(meant)
            if copied != found.start() or not here:
                here.append(written)
                there.append(found.start())
            written += 1
        here.append(written)
        there.append(found.end())
        copied = found.end()
    if into is None:
        return Folded(plain)
    into.write(plain[copied:])
    return Folded(into.getvalue(), here, there)


def _meaning(special: str) -> str:
    """The one character that an escape stands for; nothing for what cannot be seen."""
    if special[0] == "%":
        return chr(int(special[-2:], 16))
    if special[0] == "&":
        return _of_html(special)
    if special[0] != "\\":
        return ""
    kind = special.lstrip("\\")[:1] or "\\"
    if kind not in "ux":
        return _MEANT[kind]
    return _character(int(special[special.index(kind) + 1 :], 16))


def _of_html(reference: str) -> str:
    """The character that a reference of HTML stands for."""
    name = reference.strip("&;").rpartition(";")[2]
    if name[0] != "#":
        return _NAMED[name]
    return _character(int(name[2:], 16) if name[1] in "xX" else int(name[1:]))


def _character(code: int) -> str:
    # A half of a pair stands for a character beyond the first plane: none of a number or an address.
    character = "\ufffd" if 0xD800 <= code <= 0xDFFF else chr(code).translate(_PLAIN)
    return "" if _UNSEEN_RUN.fullmatch(character) else character
