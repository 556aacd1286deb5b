"""Telephone numbers: with their country's code anywhere; as they are dialled at home near a word that says so."""

import re
from collections.abc import Iterator
from typing import Final

from llm_gateway.domain.pii import Found
from llm_gateway.instruments.personal_data.addresses import VERSION
from llm_gateway.instruments.personal_data.rules import LETTER, Nearby

MOST_LOOKED_UP: Final = 2_000
"""A look-up takes a tenth of a millisecond: in a text with more numbers than this, what looks like one is taken for one."""

_REGIONS: Final = (
    *("US", "GB", "DE", "FR", "ES", "IT", "NL", "AT", "CH", "BE", "PL", "SE", "BR", "MX", "IN", "JP", "CN", "AU", "ZA"),
)
_NO_LETTER: Final = rf"(?<![{LETTER}+])"
_END: Final = rf"(?![{LETTER}])(?![.\-]\d)"
_ABROAD: Final = re.compile(
    rf"{_NO_LETTER}(?:\+|(?<!\d[.\-( ])00)[ (]?[1-9]\d{{0,2}}(?:[ .\-/()]{{0,2}}\d){{5,13}}(?![{LETTER}])"
)
# Eight digits may be a day.
_DAY: Final = r"(?:19|20)\d\d(?:0[1-9]|1[0-2])(?:0[1-9]|[12]\d|3[01])(?!\d)"
_AT_HOME: Final = re.compile(rf"{_NO_LETTER}(?<!\d[.\-])\(?(?!{_DAY})\d(?:[ .\-/()]{{0,2}}\d){{6,14}}{_END}")
_AMERICAN: Final = re.compile(
    rf"{_NO_LETTER}(?<!\d[.\- ])(?:\([2-9]\d\d\)[ \-.]?|[2-9]\d\d[\-.])[2-9]\d\d[\-. ]\d{{4}}{_END}"
)
_WORDS: Final = re.compile(
    r"(?:phone|t[eé]l[eé]f|telemóvel|(?<![a-z])t[eé]l(?:[.:\s]|éphone|$)|(?<![a-z])tlf|fono(?![a-z])|mobile?|mobiel|móvil|cel[lu]"
    r"|whats?app|(?<![a-z])(?:call(?:ed|ing)?|fax|sms|dial|text me|ring me|reach (?:me|him|her|us))(?![a-z])|handy(?!m)|rufnummer"
    r"|anruf|erreich|portable|komórk|電話|携帯|电话|手机|手機|联系方式|전화|फ़ोन|फोन|मोबाइल)",
    re.IGNORECASE,
)
_BEFORE: Final = 32
_BEHIND: Final = 24
_SHORTEST: Final = 7


class Phones:
    """Of one text: it counts what it has looked up."""

    def __init__(self) -> None:
        self._left = MOST_LOOKED_UP

    def find(self, text: str, start: int, until: int, end: int) -> Iterator[Found]:
        """What begins from `start` up to `until`."""
        yield from self._matching(_ABROAD, text, start, until, end, regions=(None,))
        yield from self._matching(_AMERICAN, text, start, until, end, regions=("US",))
        yield from self._matching(_AT_HOME, text, start, until, end, regions=_REGIONS)

    def _matching(
        self, pattern: re.Pattern[str], text: str, start: int, until: int, end: int, *, regions: tuple[str | None, ...]
    ) -> Iterator[Found]:
        nearby: Nearby | None = None
        from_here = start
        while (found := pattern.search(text, start, end)) and found.start() < until:
            start = found.start() + 1
            if pattern is _AT_HOME:
                nearby = nearby or Nearby(_WORDS, text, from_here, end)
                if not nearby.has(found.start(), found.end(), before=_BEFORE, behind=_BEHIND):
                    continue
            elif VERSION.search(text, max(0, found.start() - _BEFORE), found.start()):
                continue
            long = self._length(found[0], regions)
            if long:
                start = found.start() + long
                yield Found("phone", found.start(), start)

    def _length(self, candidate: str, regions: tuple[str | None, ...]) -> int:
        """How much of the candidate is a number: what follows one may look as if it went on. 0: nothing."""
        while len(candidate) >= _SHORTEST:
            if any(self._is_number(candidate, region) for region in regions):
                return len(candidate)
            candidate = candidate.rstrip("0123456789").rstrip(" .-/()")
        return 0

    def _is_number(self, candidate: str, region: str | None) -> bool:
        if self._left <= 0:
            return True
        self._left -= 1
        import phonenumbers

        try:
            dialled = f"+{candidate[2:]}" if region is None and candidate.startswith("00") else candidate
            return bool(phonenumbers.is_valid_number(phonenumbers.parse(dialled, region)))
        except phonenumbers.NumberParseException:
            return False
