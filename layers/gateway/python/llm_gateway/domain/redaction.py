"""Taking credentials out of text: those with a known shape, those that a name before them announces, and those that look random
near a word that tells of one.

Time grows with the text alone. The patterns are compiled, and the formats imported, when a text is first looked at.
"""

import re
from functools import cache
from itertools import pairwise
from math import log2
from typing import Final

REDACTED: Final = "[redacted]"
LEAST_RANDOM: Final = 16
LEAST_BITS: Final = 3.0
NEAR: Final = 60
MOST_WEIGHED: Final = 256

# Words that tell of a credential. What follows goes where it looks random.
TELLING: Final = ("key", "token", "secret", "credential", "passw", "passphrase", "pwd", "auth", "cookie", "session", "signature",
                  "sig=", "jwt", "webhook")  # fmt: skip
_PIECE: Final = re.compile(r"[A-Za-z0-9]{16,}")
# The gateway's own ids are none, and a log without them is of no use.
_ID: Final = re.compile(r"[a-z]{2,8}_[0-9A-HJKMNP-TV-Z]{26}(?:[#@/].*)?")

# What a credential is called where it has no shape of its own.
NAMES: Final = (
    "api[_-]?key",
    "access[_-]?key",
    "secret[_-]?(?:access[_-]?)?key",
    "private[_-]?key",
    "client[_-]?secret",
    "(?:access|auth|refresh|session|security)[_-]?token",
    "secret",
    "password",
    "passwd",
    "passphrase",
    "pwd",
)

# Text comes as it was typed, inside JSON (also JSON inside JSON), or inside an address. An escape ends in letters and digits,
# which are no part of the word behind it: `\nsk-…`, `\u000ask-…`, `%20sk-…`, `%2520sk-…`.
_ESCAPED: Final = (
    r"(?<=\\[nrtbf])|(?<=\\u[0-9a-fA-F]{4})|(?<=\\x[0-9a-fA-F]{2})|(?<=%[0-9a-fA-F]{2})|(?<=%25[0-9a-fA-F]{2})"
)
_NO_WORD_BEFORE: Final = rf"(?:(?<![\w-])|{_ESCAPED})"
_NO_LETTER_BEFORE: Final = rf"(?:(?<![A-Za-z])|{_ESCAPED})"
_SPACE: Final = r"(?:\s|\\[nrt]|\\u00(?:20|09|0[adAD])|%(?:25)?(?:20|09|0[adAD])|\+)"
_QUOTE: Final = r"(?:[\"'\\]|\\u002[27]|%(?:25)?2[27]|&quot;)"
_EQUALS: Final = r"(?:=>|[:=]|\\u003[ad]|%(?:25)?3[adAD])"
# `/`, `+`, `&`, `=` and the like may be escaped inside a value, which goes on behind them.
_VALUE: Final = r"(?:[^\s\"'\\,;&<>]|\\+(?:/|u00(?:2[6bdfBDF]|3[c-eC-E])))"

_SENT: Final = rf"(?i){_NO_LETTER_BEFORE}(?P<name>(?:bearer|basic){_SPACE}{{1,9}})(?:[\w.~+/=%-]|\\+/){{8,}}"
_NAMED: Final = (
    rf"(?i){_NO_LETTER_BEFORE}(?P<name>(?:{'|'.join(NAMES)}){_QUOTE}{{0,4}}{_SPACE}{{0,9}}{_EQUALS}{_SPACE}{{0,9}}{_QUOTE}{{0,4}})"
    rf"{_VALUE}{{6,}}"
)
_IN_ADDRESS: Final = (
    r"(?:(?<=://)|(?<=:\\/\\/))[^\s/:@\\]{0,200}:[^\s/@\\]{1,200}(?=@)"
    r"|(?i:(?<=%3A%2F%2F))[^\s/:@%]{0,200}%3[aA][^\s/:@]{1,200}?(?=%40)"
)
_DATA_ADDRESS: Final = (
    rf"(?i){_NO_WORD_BEFORE}data:[\w.+/-]{{0,100}}(?:;[\w=-]{{1,100}}){{0,5}};base64,(?:[\w+/=%-]|\\+/)+"
)
# A letter, a digit or what else a credential is made of, written as an escape; or an escape of an escape. Other escapes the
# patterns read by themselves.
_HIDING: Final = re.compile(
    r"(?:%|\\x|\\u00)(?:2[4bBdDeEfF5]|3[0-9aAdD]|4[1-9a-fA-F]|5[0-9aAfF]|6[1-9a-fA-F]|7[0-9aAcCeE])"
)
_Place = tuple[int, int]


def redacted(text: str) -> str:
    """`text` with each credential in it replaced, and each address that carries its own data."""
    text = _data_address().sub(lambda found: f"[data of {len(found[0])} characters]", text)
    places = _places(text)
    if _HIDING.search(text):
        from llm_gateway.domain.encoded_secrets import encoded_places

        places += encoded_places(text, shows=_places)
    return _without(text, places) if places else text


def _without(text: str, places: list[_Place]) -> str:
    """`text` with each of `places` replaced, those that overlap as one. What has been replaced already stays as it is."""
    pieces, at = [], 0
    for start, end in _united(places):
        pieces += [text[at:start], REDACTED]
        at = end
    return "".join([*pieces, text[at:]])


def _united(places: list[_Place]) -> list[_Place]:
    united: list[_Place] = []
    for start, end in sorted(places):
        if united and start < united[-1][1]:
            start, end = united[-1][0], max(end, united.pop()[1])
        united.append((start, end))
    return united


def _places(text: str) -> list[_Place]:
    """Where in `text` something is that is to be replaced; what announces it is not."""
    found = (found for pattern in _patterns() for found in pattern.finditer(text))
    return [(each.end("name") if "name" in each.groupdict() else each.start(), each.end()) for each in found] + _random(
        text
    )


def known(text: str) -> list[_Place]:
    """Where in `text` credentials are that are known by their shape."""
    return [found.span() for found in _patterns()[0].finditer(text)]


@cache
def _data_address() -> re.Pattern[str]:
    return re.compile(_DATA_ADDRESS)


@cache
def _patterns() -> tuple[re.Pattern[str], ...]:
    from llm_gateway.domain.secret_formats import FORMATS

    known = rf"{_NO_WORD_BEFORE}(?:{'|'.join(each.pattern for each in FORMATS)})"
    return tuple(re.compile(pattern) for pattern in (known, _SENT, _NAMED, _IN_ADDRESS))


def _random(text: str) -> list[tuple[int, int]]:
    """Where something looks random shortly after a word that tells of a credential: `the token is 8f3h…`."""
    candidate, telling = _telling()
    places = []
    for found in candidate.finditer(text):
        piece = random_piece(found[0])
        # What tells of it may also be its own beginning: `my-token-8f3h…`.
        if piece is not None and telling.search(text[max(0, found.start() - NEAR) : found.start() + piece].lower()):
            places.append(found.span())
    return places


@cache
def _telling() -> tuple[re.Pattern[str], re.Pattern[str]]:
    from llm_gateway.domain.secret_formats import VENDORS

    candidate = rf"(?<![\w+/-])[\w+/.~-]{{{LEAST_RANDOM},}}={{0,2}}"
    return re.compile(candidate), re.compile("|".join((*TELLING, *VENDORS)))


def random_piece(word: str) -> int | None:
    """Where a piece of `word` begins that has letters and digits mixed as no word has: 3 bits a character at least."""
    if _ID.fullmatch(word):
        return None
    return next((found.start() for found in _PIECE.finditer(word, 0, MOST_WEIGHED) if _is_random(found[0])), None)


def _is_random(piece: str) -> bool:
    digits = sum(map(str.isdigit, piece))
    is_mixed = 2 <= digits < len(piece) or _case_changes(piece) > len(piece) / 3
    return is_mixed and _bits(piece) >= LEAST_BITS


def _case_changes(piece: str) -> int:
    return sum(one.isupper() != other.isupper() for one, other in pairwise(piece))


def _bits(piece: str) -> float:
    """Shannon's entropy of a character."""
    counts = [piece.count(each) for each in set(piece)]
    return -sum(count / len(piece) * log2(count / len(piece)) for count in counts)
