"""JSON bodies, read strictly: what would break later, in a store or on a provider's wire, is refused at the door."""

import json
import math
import re
from collections.abc import Iterable
from typing import Any, Final

from llm_gateway.errors import MalformedRequest

DEEPEST: Final = 100
_LONGEST_NAME: Final = 100

_HALF_A_PAIR: Final = re.compile(r"\\u[dD][89a-fA-F]")


def parsed_json(body: bytes) -> Any:
    """The value of `body`. Raises `MalformedRequest` where it is not JSON, or holds what no other JSON reader would take."""
    try:
        text = body.decode("utf-8-sig")
        value = json.loads(text, parse_constant=_refuse, parse_float=_finite, object_pairs_hook=_object)
    except UnicodeDecodeError:
        raise MalformedRequest("The body is not UTF-8.") from None
    except json.JSONDecodeError as error:
        raise MalformedRequest(
            f"The body is not JSON: {error.msg} at line {error.lineno}, column {error.colno}."
        ) from None
    except RecursionError:
        raise _too_deep() from None
    except ValueError:
        raise MalformedRequest("The body holds a number that is too long, or none in JSON.") from None
    if _is_deep(value):
        raise _too_deep()
    if _HALF_A_PAIR.search(text):
        _check_text(value)
    return value


def _object(members: list[tuple[str, Any]]) -> dict[str, Any]:
    """Readers differ in which of two members of one name they take: who signed or checked a body may have read the other."""
    value = dict(members)
    if len(value) < len(members):
        names = [name for name, _ in members]
        twice = next(name for number, name in enumerate(names) if name in names[:number])
        raise MalformedRequest(f"The body has {twice[:_LONGEST_NAME]!r} twice in one object.")
    return value


def _refuse(constant: str) -> Any:
    raise ValueError(constant)


def _finite(text: str) -> float:
    number = float(text)
    return number if math.isfinite(number) else _refuse(text)


def _is_deep(value: Any) -> bool:
    level = [value]
    for _ in range(DEEPEST):
        level = [child for item in level for child in _children(item)]
    return any(isinstance(item, dict | list) for item in level)


def _children(value: Any) -> Iterable[Any]:
    if isinstance(value, dict):
        return value.values()
    return value if isinstance(value, list) else ()


def _too_deep() -> MalformedRequest:
    return MalformedRequest(f"The body is nested too deeply: {DEEPEST} levels are the most.")


def _check_text(value: Any) -> None:
    try:
        json.dumps(value, ensure_ascii=False).encode()
    except UnicodeEncodeError:
        raise MalformedRequest("The body holds half of a surrogate pair, which is no text.") from None
