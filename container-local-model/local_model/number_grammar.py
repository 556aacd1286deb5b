"""Grammar rules for numbers between bounds: `minimum: 1, maximum: 5` has to hold while the digits are made, one by one."""

import math
from collections.abc import Iterator
from typing import Any

from local_model.errors import InvalidRequest

# More digits than a double holds exactly would be rounded by the reader, and so might leave the bounds.
LIMIT = 10**15
# It ends in a digit other than zero, so it is strictly between two whole numbers.
_FRACTION = '"." [0-9]{0,5} [1-9]'


def integer_rule(schema: dict[str, Any], *, at: str) -> str:
    """Raises InvalidRequest when a bound is no number or no number is left between them."""
    low, high = _whole_bounds(schema, at=at)
    if low > high:
        raise InvalidRequest("no whole number is between the bounds", param=at)
    return " | ".join(_between(low, high))


def number_rule(schema: dict[str, Any], *, at: str) -> str:
    """Whole numbers between the bounds, and fractions in every gap between two whole numbers that lies inside them."""
    low, high = _bounds(schema, at=at)
    whole_low, whole_high = _whole_bounds(schema, at=at)
    gap_low, gap_high = math.ceil(low), math.floor(high) - 1
    parts = list(_between(whole_low, whole_high)) if whole_low <= whole_high else []
    parts += [f"({digits}) {_FRACTION}" for digits in _between(max(gap_low, 0), gap_high)]
    parts += [f'"-" ({digits}) {_FRACTION}' for digits in _between(max(-gap_high - 1, 0), -gap_low - 1)]
    if not parts:
        raise InvalidRequest("the bounds are too narrow", param=at)
    return " | ".join(parts)


def _bounds(schema: dict[str, Any], *, at: str) -> tuple[float, float]:
    lows = [_number(schema, name, at=at) for name in ("minimum", "exclusiveMinimum") if name in schema]
    highs = [_number(schema, name, at=at) for name in ("maximum", "exclusiveMaximum") if name in schema]
    return max(lows, default=-LIMIT), min(highs, default=LIMIT)


def _whole_bounds(schema: dict[str, Any], *, at: str) -> tuple[int, int]:
    low, high = _bounds(schema, at=at)
    lowest, highest = math.ceil(low), math.floor(high)
    if "exclusiveMinimum" in schema and lowest == schema["exclusiveMinimum"]:
        lowest += 1
    if "exclusiveMaximum" in schema and highest == schema["exclusiveMaximum"]:
        highest -= 1
    return lowest, highest


def _number(schema: dict[str, Any], name: str, *, at: str) -> float:
    value = schema[name]
    if isinstance(value, bool) or not isinstance(value, int | float) or abs(value) > LIMIT:
        raise InvalidRequest(f"it must be a number from -{LIMIT} to {LIMIT}", param=f"{at}.{name}")
    return value


def _between(low: int, high: int) -> Iterator[str]:
    """Alternatives that together spell exactly the whole numbers from low to high."""
    if low > high:
        return
    if low < 0:
        for digits in _between(max(-high, 1), -low):
            yield f'"-" {digits}'
        low = 0
    while low <= high:
        # All numbers of as many digits as low has, up to high.
        top = min(high, 10 ** len(str(low)) - 1)
        yield from _same_length(str(low), str(top))
        low = top + 1


def _same_length(low: str, high: str) -> Iterator[str]:
    if low == high:
        yield f'"{low}"'
        return
    shared = next(index for index in range(len(low)) if low[index] != high[index])
    prefix = f'"{low[:shared]}" ' if shared else ""
    rest = len(low) - shared - 1
    first, last = int(low[shared]), int(high[shared])
    if low[shared + 1 :] == "0" * rest:
        first -= 1
    else:
        for tail in _same_length(low[shared + 1 :], "9" * rest):
            yield f'{prefix}"{low[shared]}" {tail}'
    if high[shared + 1 :] == "9" * rest:
        last += 1
    else:
        for tail in _same_length("0" * rest, high[shared + 1 :]):
            yield f'{prefix}"{high[shared]}" {tail}'
    if first + 1 < last:
        yield f"{prefix}[{first + 1}-{last - 1}]" + (f" [0-9]{{{rest}}}" if rest else "")
