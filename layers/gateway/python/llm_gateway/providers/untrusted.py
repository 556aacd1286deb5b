"""Reading a provider's answer, which is data to check: each function gives a value of the named kind or refuses the answer."""

import json
import re
from typing import Any, Final, NoReturn

from llm_gateway.domain.faults import ProviderResponseInvalid
from llm_gateway.domain.strict_json import Bounds, InvalidJson, parse
from llm_gateway.providers.bounds import LONGEST_MODEL_NAME, MOST_VALUES

# Beyond this, other readers of JSON no longer tell two neighbours apart.
LARGEST_COUNT: Final = 2**53 - 1

_BOUNDS: Final = Bounds(values=MOST_VALUES)
_HALF_A_PAIR: Final = re.compile("[\ud800-\udfff]")
_CONTROL: Final = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]")


def parsed(data: str | bytes) -> Any:
    """A JSON text, which may hold halves of surrogate pairs: the other half can come in the next piece."""
    text = data.decode("utf-8", "replace") if isinstance(data, bytes) else data
    try:
        return parse(text, bounds=_BOUNDS, half_pairs=True)
    except InvalidJson as error:
        raise ProviderResponseInvalid("The provider's answer is not JSON, or none that can be read.") from error


def record(value: object, *, name: str) -> dict[str, Any]:
    return value if isinstance(value, dict) else _refuse(name, "an object")


def records(value: object, *, name: str) -> list[dict[str, Any]]:
    """A list of objects; nothing is an empty one."""
    if value is None:
        return []
    return [record(item, name=name) for item in value] if isinstance(value, list) else _refuse(name, "a list")


def text(value: object, *, name: str) -> str:
    """A text as it came: one that is a piece of another may end in half of a surrogate pair."""
    return value if isinstance(value, str) else _refuse(name, "a text")


def optional_text(value: object, *, name: str) -> str | None:
    return None if value is None else text(value, name=name)


def text_or_none(value: object) -> str | None:
    """A text where it is one: for fields that help, and spoil nothing where they are broken."""
    return clean(value) if isinstance(value, str) else None


def content(value: object, *, name: str) -> str:
    """A text, or the texts of a list of parts. Parts of other kinds, thoughts among them, are no part of the answer."""
    match value:
        case None:
            return ""
        case str():
            return value
        case list():
            return "".join(content(part, name=name) for part in value if not isinstance(part, list))
        case {"type": "text" | "output_text", "text": inner}:
            return text(inner, name=name)
        case {"type": str()}:
            return ""
        case _:
            return _refuse(name, "a text or a list of parts")


def arguments(value: object, *, name: str) -> str:
    """A tool call's arguments as JSON text: some servers send the object itself. Nothing is an empty text."""
    if isinstance(value, dict):
        return clean(json.dumps(value, ensure_ascii=False))
    return optional_text(value, name=name) or ""


def index(value: object) -> int | None:
    """A place in a list, where the server keeps one."""
    return value if type(value) is int and 0 <= value <= LARGEST_COUNT else None


def model_name(value: object, *, asked: str) -> str:
    """What the provider calls the model. A text that no name is as long as, or that holds a credential, is none."""
    name = "".join(_CONTROL.split(clean(value))).strip() if isinstance(value, str) else ""
    if not name or len(name) > LONGEST_MODEL_NAME:
        return asked
    return name if name == asked else _redacted(name)


def count(value: object) -> int | None:
    """A number of tokens, or None for anything else: an estimate replaces a broken count, no answer is lost over it."""
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    return value if type(value) is int and 0 <= value <= LARGEST_COUNT else None


def message(value: object, *, longest: int) -> str | None:
    """A text for people, on one line and redacted; None where there is nothing to read."""
    if not isinstance(value, str):
        return None
    # Many times what is kept: a credential must not be cut before it can be recognised.
    line = " ".join("".join(_CONTROL.sub(" ", clean(value[: longest * 20]))).split())
    return _redacted(line)[:longest] or None


def clean(text: str) -> str:
    """`text` without half surrogate pairs, which JSON can carry, and neither a store nor a wire takes."""
    return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace") if _HALF_A_PAIR.search(text) else text


def tidy(value: Any) -> Any:
    """A JSON value that stores and wires take, to be kept as it is."""
    if isinstance(value, str):
        return clean(value)
    if isinstance(value, dict):
        return {clean(name): tidy(inner) for name, inner in value.items()}
    return [tidy(inner) for inner in value] if isinstance(value, list) else value


def tolerated(value: object) -> list[dict[str, Any]]:
    """The objects of a list that help, and spoil nothing where they are broken."""
    return [item for item in value if isinstance(item, dict)] if isinstance(value, list) else []


def member(value: object, name: str) -> object:
    """A member of an object, None where there is neither."""
    return value.get(name) if isinstance(value, dict) else None


def _redacted(text: str) -> str:
    from llm_gateway.domain.redaction import redacted

    return redacted(text)


def _refuse(name: str, expected: str) -> NoReturn:
    raise ProviderResponseInvalid(f"The provider's answer has no usable {name}: it should be {expected}.")
