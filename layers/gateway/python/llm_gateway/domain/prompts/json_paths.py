"""Paths into JSON: the part of JSONPath (RFC 9535) whose work grows with the value alone.

There are names (`.name`, `['name']`, `["name"]`), indexes (`[0]`, `[-1]`) and wildcards (`.*`, `[*]`). Descendants (`..`),
slices, filters and lists of selectors are left out: nested, they take time that nobody can foresee.
"""

import re
from collections.abc import Iterator
from typing import Any, Final

from llm_gateway.values import dataclass

LONGEST_PATH: Final = 500

_STEP: Final = re.compile(
    r"""
    \.(?P<member>[A-Za-z_\u0080-\U0010ffff][0-9A-Za-z_\u0080-\U0010ffff]*)
    | (?P<all>\.\*|\[\*\])
    | \[(?P<index>0|-?[1-9][0-9]{0,8})\]
    | \['(?P<single>(?:[^'\\]|\\['\\])*)'\]
    | \["(?P<double>(?:[^"\\]|\\["\\])*)"\]
    """,
    re.VERBOSE,
)
_ESCAPED: Final = re.compile(r"\\(.)")


class InvalidPath(ValueError):
    """The message is a predicate without its subject; it says where the path goes wrong."""


@dataclass(frozen=True, slots=True)
class _Everything:
    """Leads to all elements of an array, and to the values of an object's members."""


_ALL: Final = _Everything()

JsonPath = tuple["str | int | _Everything", ...]
"""Steps from the whole value on: the name of a member, an index, or everything."""


def parsed_path(text: str) -> JsonPath:
    """Raises `InvalidPath`."""
    if len(text) > LONGEST_PATH:
        raise InvalidPath(f"is too long: {LONGEST_PATH} characters at most")
    if not text.startswith("$"):
        raise InvalidPath("must start with $, the whole answer")
    return tuple(_steps(text))


def _steps(text: str) -> "Iterator[str | int | _Everything]":
    place = 1
    while place < len(text):
        found = _STEP.match(text, place)
        if found is None:
            rest = text[place : place + 20]
            raise InvalidPath(
                f"has {rest!r} at character {place + 1}: there are .name, ['name'], [0], [-1], .* and [*] alone"
            )
        place = found.end()
        yield _step(found)


def _step(found: re.Match[str]) -> "str | int | _Everything":
    if found["all"]:
        return _ALL
    if found["index"]:
        return int(found["index"])
    if found["member"]:
        return found["member"]
    return _ESCAPED.sub(r"\1", found["single"] or found["double"] or "")


def found_at(path: JsonPath, value: Any) -> list[Any]:
    """What the path leads to; a step that leads nowhere leads to nothing."""
    found = [value]
    for step in path:
        found = [inner for each in found for inner in _inner(step, each)]
    return found


def _inner(step: "str | int | _Everything", value: Any) -> Iterator[Any]:
    if isinstance(step, _Everything):
        yield from value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    elif isinstance(step, int):
        if isinstance(value, list) and -len(value) <= step < len(value):
            yield value[step]
    elif isinstance(value, dict) and step in value:
        yield value[step]
