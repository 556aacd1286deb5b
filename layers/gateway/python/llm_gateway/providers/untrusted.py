"""Reading a provider's answer, which is data to check: each function gives a value of the named kind or refuses the answer."""

import json
import re
from typing import Any, Final, NoReturn

from llm_gateway.domain.faults import ProviderResponseInvalid

_HALF_A_PAIR: Final = re.compile("[\ud800-\udfff]")


def record(value: object, *, name: str) -> dict[str, Any]:
    return value if isinstance(value, dict) else _refuse(name, "an object")


def records(value: object, *, name: str) -> list[dict[str, Any]]:
    """A list of objects; nothing is an empty one."""
    if value is None:
        return []
    return [record(item, name=name) for item in value] if isinstance(value, list) else _refuse(name, "a list")


def text(value: object, *, name: str) -> str:
    return _whole(value) if isinstance(value, str) else _refuse(name, "a text")


def optional_text(value: object, *, name: str) -> str | None:
    return None if value is None else text(value, name=name)


def index(value: object, *, name: str) -> int:
    return value if type(value) is int and value >= 0 else _refuse(name, "an index")


def parsed(data: str) -> Any:
    """The JSON in an event of a stream."""
    try:
        return json.loads(data)
    except (ValueError, RecursionError) as error:
        raise ProviderResponseInvalid("The provider sent an event that is not JSON.") from error


def name_or(value: object, otherwise: str) -> str:
    return value if isinstance(value, str) and value else otherwise


def count(value: object) -> int | None:
    """A number of tokens, or None for anything else: an estimate replaces a broken count, no answer is lost over it."""
    return value if type(value) is int and value >= 0 else None


def part(details: object, name: str, *, whole: int) -> int:
    """A part of a count: nothing where it is missing, and never more than the whole."""
    return min(count(details.get(name)) or 0, whole) if isinstance(details, dict) else 0


def _whole(text: str) -> str:
    """`text` without half surrogate pairs, which JSON can carry, and neither a store nor a wire takes."""
    return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace") if _HALF_A_PAIR.search(text) else text


def _refuse(name: str, expected: str) -> NoReturn:
    raise ProviderResponseInvalid(f"The provider's answer has no usable {name}: it should be {expected}.")
