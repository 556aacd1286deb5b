"""JSON from strangers: read strictly and within bounds, so that what would break later is refused first; and hashed by value."""

import hashlib
import json
import math
import re
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import fields, is_dataclass
from enum import Enum
from functools import cache
from typing import Any, Final, NoReturn

from llm_gateway.values import dataclass

DEEPEST: Final = 100
# Every integer of so many digits fits into a double: none overflows where it meets a float.
MOST_DIGITS: Final = 308

_LONGEST_NAME: Final = 100
_DIGITS: Final = "0123456789"
_ESCAPED_HALF: Final = re.compile(r"\\u[dD][89a-fA-F]")
_STRING: Final = re.compile(r'"[^"]*"')


class InvalidJson(ValueError):
    """The message is a predicate without its subject ("is not UTF-8"): it says what is wrong, and names the bound."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Bounds:
    """How much of everything one document may have; None is no bound but the length of the document."""

    levels: int = DEEPEST
    digits: int = MOST_DIGITS
    members_of_one_object: int | None = None
    values: int | None = None


def parse(
    document: bytes | str, *, bounds: Bounds = Bounds(), unique_names: bool = False, half_pairs: bool = False
) -> Any:
    """The value of `document`, in time that grows with its length alone. Raises `InvalidJson`.

    NaN, Infinity and numbers that no double holds are refused, as are two members of one name where names must be unique.
    Half of a surrogate pair is refused unless `half_pairs` are welcome: a stream may bring the other half in its next piece.
    """
    text = _decoded(document)
    if bounds.values is not None and len(text) >= bounds.values and _has_more_values(text, bounds.values):
        raise InvalidJson(f"has too many values: {bounds.values} at most")
    value = _loaded(text, bounds, unique_names=unique_names)
    # What opens no more lists and objects than that has no more levels.
    if text.count("[") + text.count("{") > bounds.levels and is_deeper(value, bounds.levels):
        raise _too_deep(bounds.levels)
    if not half_pairs and _may_hold_half_a_pair(text):
        _check_text(value)
    return value


def is_deeper(value: Any, levels: int) -> bool:
    """Whether lists and objects are nested in more than `levels` levels."""
    layer = [*_containers((value,))]
    for _ in range(levels):
        layer = [inner for part in layer for inner in _containers(part.values() if isinstance(part, dict) else part)]
        if not layer:
            return False
    return bool(layer)


def canonical(value: Any) -> Any:
    """`value` as JSON that is the same for equal values: `1.0` is `1`, but `true` is not."""
    if is_dataclass(value):
        return {field.name: canonical(getattr(value, field.name)) for field in fields(value)}
    if isinstance(value, Enum):
        return value.value
    if isinstance(value, Mapping):
        return {str(key): canonical(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [canonical(item) for item in value]
    return int(value) if isinstance(value, float) and value.is_integer() else value


def digest(value: Any) -> str:
    """What equal values have in common, and no others: neither the order of members counts nor how a number is written."""
    return hashlib.sha256(json.dumps(canonical(value), sort_keys=True, separators=(",", ":")).encode()).hexdigest()


def _decoded(document: bytes | str) -> str:
    try:
        return document if isinstance(document, str) else document.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise InvalidJson("is not UTF-8") from None


def _loaded(text: str, bounds: Bounds, *, unique_names: bool) -> Any:
    # A Python function for each integer would double the time, and most documents have no long one.
    digits = bounds.digits if _has_long_number(text) else None
    try:
        return _decoder(bounds.members_of_one_object, unique_names, digits).decode(text)
    except json.JSONDecodeError as error:
        why = error.msg.removesuffix(" at")  # Python ends some of its messages for the place to follow.
        raise InvalidJson(f"is not JSON ({why} at line {error.lineno}, column {error.colno})") from None
    except RecursionError:
        raise _too_deep(bounds.levels) from None


@cache
def _decoder(members_of_one_object: int | None, unique_names: bool, digits: int | None) -> json.JSONDecoder:
    return json.JSONDecoder(
        parse_constant=_refuse,
        parse_float=_finite,
        parse_int=None if digits is None else _integer_of_at_most(digits),
        object_pairs_hook=_object_hook(members_of_one_object, unique_names=unique_names),
    )


def _object_hook(most: int | None, *, unique_names: bool) -> Callable[[list[tuple[str, Any]]], Any] | None:
    def checked(members: list[tuple[str, Any]]) -> dict[str, Any]:
        if most is not None and len(members) > most:
            raise InvalidJson(f"has an object with too many members: {most} at most")
        value = dict(members)
        if unique_names and len(value) < len(members):
            raise InvalidJson(f"has {_repeated(members)[:_LONGEST_NAME]!r} twice in one object")
        return value

    return checked if unique_names or most is not None else None


def _repeated(members: list[tuple[str, Any]]) -> str:
    """The first name that is there more than once."""
    times = Counter(name for name, _ in members)
    return next(name for name, _ in members if times[name] > 1)


def _has_more_values(text: str, most: int) -> bool:
    """Whether `text` has more than `most` values, told before any of them is made; an empty list counts as two."""
    if _separators(text) < most:
        return False
    # Without escaped quotes, a string is what lies between two quotes.
    without_escapes = text.replace("\\\\", "").replace('\\"', "")
    return _separators(_STRING.sub("", without_escapes)) >= most


def _separators(text: str) -> int:
    return text.count(",") + text.count("[") + text.count("{")


# These two look at every document: with a pattern they would take most of the time that a large one takes.


def _has_long_number(text: str) -> bool:
    """Whether more than `MOST_DIGITS` digits follow each other: one of them is then at a place that is looked at."""
    for place in range(MOST_DIGITS, len(text), MOST_DIGITS + 1):
        if "0" <= text[place] <= "9":
            before, after = text[place - MOST_DIGITS : place], text[place : place + MOST_DIGITS + 1]
            others = len(before.rstrip(_DIGITS)) + len(after.lstrip(_DIGITS))
            if len(before) + len(after) - others > MOST_DIGITS:
                return True
    return False


def _may_hold_half_a_pair(text: str) -> bool:
    if ("\\ud" in text or "\\uD" in text) and _ESCAPED_HALF.search(text):
        return True
    return not (text.isascii() or _is_encodable(text))


def _is_encodable(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def _refuse(constant: str) -> NoReturn:
    raise InvalidJson(f"holds {constant}, which is none in JSON")


def _finite(text: str) -> float:
    number = float(text)
    return number if math.isfinite(number) else _refuse_number(MOST_DIGITS)


def _integer_of_at_most(digits: int) -> Callable[[str], int]:
    def integer(text: str) -> int:
        return int(text) if len(text.lstrip("-")) <= digits else _refuse_number(digits)

    return integer


def _refuse_number(digits: int) -> NoReturn:
    raise InvalidJson(f"holds a number that is too large: {digits} digits at most")


def _containers(values: Iterable[Any]) -> Iterable[Any]:
    return (value for value in values if isinstance(value, dict | list))


def _too_deep(levels: int) -> InvalidJson:
    return InvalidJson(f"is nested too deeply, in more than {levels} levels")


def _check_text(value: Any) -> None:
    if not _is_encodable(json.dumps(value, ensure_ascii=False)):
        raise InvalidJson("holds half of a surrogate pair, which is no text")
