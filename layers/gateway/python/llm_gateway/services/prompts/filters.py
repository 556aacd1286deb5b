"""The filters and tests of templates. Each takes what it handles from the meter before it makes anything larger of it."""

import json
import math
import re
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final

from jinja2 import Undefined, pass_context
from jinja2.filters import do_title
from jinja2.runtime import Context

from llm_gateway.services.prompts.language import LARGEST_NUMBER
from llm_gateway.services.prompts.metering import DEEPEST, Meter, TemplateFault, size, size_joined, weight

_WIDEST: Final = 8
_MOST_PLACES: Final = 15
_MOST_TRIMMED: Final = 100
_LONGEST_NUMBER: Final = 40
# Quotes, a comma and a space, and what a text takes beside its characters.
_MARKS: Final = 16
_PIECE: Final = 64
_CONTROL: Final = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f]")
_WORD: Final = re.compile(r"\S+")
_WORD_BEGINS: Final = re.compile(r"[-\s({\[<]+")


class MeteredContext(Context):
    """Where a template's names are looked up while it is rendered, with the meter of that rendering."""

    meter: Meter


Function = Callable[..., Any]


def as_json(meter: Meter, value: Any, indent: int | None = None) -> str:
    """`value` as JSON, with its members in their order."""
    width = None if indent is None else _width(indent)
    meter.read_whole(value)
    meter.make(_size_as_json(value, margin=(width or 0) * DEEPEST))
    return json.dumps(value, ensure_ascii=False, allow_nan=False, indent=width)


def as_text(meter: Meter, value: Any) -> str:
    """What stands in the text for a value: a text itself, everything else as JSON."""
    return value if isinstance(value, str) else as_json(meter, value)


def joined(meter: Meter, values: Iterable[Any], between: str = "") -> str:
    texts = [as_text(meter, value) for value in values]
    meter.make(size_joined(texts, _text(between)))
    return between.join(texts)


def each(meter: Meter, value: Any, parts: int) -> Any:
    """`value`, to be gone through by a loop whose body has so many `parts`."""
    meter.step((1 + len(_list_like(value))) * parts)
    return value


def sliced(_: Meter, value: Any, start: Any, stop: Any, step: Any) -> Any:
    if not isinstance(value, str | list | tuple):
        raise TemplateFault("takes a slice of something that is neither a text nor a list")
    return value[slice(start, stop, step)]


def _size_as_json(value: Any, *, margin: int) -> int:
    """How large it is at most: some characters are escaped by one more, those for control by five."""
    if isinstance(value, str):
        return _MARKS + margin + size(value) * (6 if _CONTROL.search(value) else 2)
    inner = (*value, *value.values()) if isinstance(value, dict) else value if isinstance(value, list | tuple) else ()
    own = len(str(value)) if isinstance(value, int | float) else 0
    return _MARKS + margin + own + sum(_size_as_json(each, margin=margin) for each in inner)


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise TemplateFault("applies a filter for texts to something else")
    return value


def _list_like(value: Any) -> Any:
    if not isinstance(value, str | list | tuple | dict):
        raise TemplateFault("goes through something that is neither a list nor an object nor a text")
    return value


def _object(value: Any) -> Mapping[str, Any]:
    if not isinstance(value, dict):
        raise TemplateFault("applies a filter for objects to something else")
    return value


def number(value: Any) -> Any:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise TemplateFault("calculates with something that is no number")
    return value


def _width(value: Any) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value <= _WIDEST:
        raise TemplateFault(f"indents by something other than 0 to {_WIDEST}")
    return value


def bounded(number: Any) -> Any:
    if not math.isfinite(number) or abs(number) > LARGEST_NUMBER:
        raise TemplateFault("calculates a number that is too large")
    return number


def _count(value: Any) -> int:
    if isinstance(value, bool) or not isinstance(value, int):
        raise TemplateFault("gives a filter something other than a whole number where it takes one")
    return value


def _replace(meter: Meter, value: Any, old: Any, new: Any, count: Any = -1) -> str:
    text, growth = _text(value), size(_text(new)) - len(_text(old))
    found = text.count(old)
    meter.make(size(text) + max(0, growth) * (found if _count(count) < 0 else min(found, count)))
    return text.replace(old, new, count)


def _indent(meter: Meter, value: Any, width: Any = 4, first: bool = False, blank: bool = False) -> str:
    margin, lines = " " * _width(width), _text(value).split("\n")
    meter.make(len(lines) * (_PIECE + len(margin)) + size(value))
    indented = [margin + line if line or blank else line for line in lines[1:]]
    return "\n".join([(margin if first else "") + lines[0], *indented])


def _truncate(_: Meter, value: Any, length: Any = 255, killwords: bool = False, end: Any = "…") -> str:
    """`value`, or its beginning with `end`, in `length` characters; at a word's end unless `killwords`."""
    text, most = _text(value), max(0, _count(length) - len(_text(end)))
    if len(text) <= length:
        return text
    cut = text[:most]
    return f"{cut if killwords else cut.rsplit(' ', 1)[0]}{end}"


def _trim(_: Meter, value: Any, chars: Any = None) -> str:
    # It takes as long as the two of them multiplied.
    if chars is not None and len(_text(chars)) > _MOST_TRIMMED:
        raise TemplateFault(f"trims by more than {_MOST_TRIMMED} characters")
    return _text(value).strip(chars)


def _round(_: Meter, value: Any, precision: Any = 0) -> Any:
    if not 0 <= _count(precision) <= _MOST_PLACES:
        raise TemplateFault(f"rounds to something other than 0 to {_MOST_PLACES} places")
    rounded = round(number(value), precision)
    return int(rounded) if precision == 0 else rounded


def _parsed(value: Any, kind: Callable[[Any], Any]) -> Any:
    if isinstance(value, str) and len(value) > _LONGEST_NUMBER:
        raise TemplateFault("takes a long text for a number")
    if not isinstance(value, str | int | float):
        raise TemplateFault("takes something for a number that is none")
    try:
        return bounded(kind(value))
    except (ValueError, OverflowError):
        raise TemplateFault("takes a text for a number that is none") from None


def _member(value: Any, name: Any) -> Any:
    if not isinstance(name, str) or name not in _object(value):
        raise TemplateFault("asks objects for a member that one of them does not have")
    return value[name]


def _elements(meter: Meter, value: Any, attribute: Any = None) -> list[Any]:
    """A new list of what is in `value`, or of that member of each."""
    meter.make(_PIECE * (1 + len(_list_like(value))))
    return list(value) if attribute is None else [_member(element, attribute) for element in value]


def _join(meter: Meter, value: Any, d: Any = "", attribute: Any = None) -> str:
    return joined(meter, _elements(meter, value, attribute), d)


def _sort_key(case_sensitive: bool) -> Callable[[Any], Any]:
    return lambda value: value.lower() if isinstance(value, str) and not case_sensitive else value


def _sort(
    meter: Meter, value: Any, reverse: bool = False, case_sensitive: bool = False, attribute: Any = None
) -> list[Any]:
    key = _sort_key(bool(case_sensitive))
    by = key if attribute is None else lambda element: key(_member(element, attribute))
    return sorted(_elements(meter, value), key=by, reverse=bool(reverse))


def _items(meter: Meter, value: Any) -> list[tuple[str, Any]]:
    meter.make(2 * _PIECE * len(_object(value)))
    return list(value.items())


def _dictsort(meter: Meter, value: Any, case_sensitive: bool = False) -> list[tuple[str, Any]]:
    key = _sort_key(bool(case_sensitive))
    return sorted(_items(meter, value), key=lambda item: key(item[0]))


def _reverse(meter: Meter, value: Any) -> Any:
    if isinstance(value, str):
        meter.make(size(value))
        return value[::-1]
    return _elements(meter, value)[::-1]


def _unique(meter: Meter, value: Any) -> list[Any]:
    first: dict[str, Any] = {}
    for element in _elements(meter, value):
        first.setdefault(as_json(meter, element), element)
        meter.make(2 * _PIECE)
    return list(first.values())


def _title(meter: Meter, value: Any) -> str:
    meter.make(2 * _PIECE * sum(1 for _ in _WORD_BEGINS.finditer(_text(value))))
    return do_title(value)


def _wordcount(meter: Meter, value: Any) -> int:
    meter.read(_text(value))
    return sum(1 for _ in _WORD.finditer(value))


def _extreme(find: Function) -> Function:
    def found(_: Meter, value: Any) -> Any:
        if not _list_like(value):
            raise TemplateFault(f"asks for the {find.__name__} of nothing")
        return find(value)

    return found


def _end(index: int) -> Function:
    def found(_: Meter, value: Any) -> Any:
        if not isinstance(value, str | list | tuple) or not value:
            raise TemplateFault("asks for the first or last element of nothing")
        return value[index]

    return found


def _map(meter: Meter, value: Any, *, attribute: Any) -> list[Any]:
    return _elements(meter, value, attribute)


def _sum(meter: Meter, value: Any, attribute: Any = None) -> Any:
    return bounded(sum(number(element) for element in _elements(meter, value, attribute)))


def _default(_: Meter, value: Any, default_value: Any = "", boolean: bool = False) -> Any:
    return default_value if isinstance(value, Undefined) or (boolean and not value) else value


def _divisibleby(_: Meter, value: Any, by: Any) -> bool:
    if number(by) == 0:
        raise TemplateFault("divides by zero")
    return bool(number(value) % by == 0)


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _alone(function: Function) -> Function:
    """A function that takes nothing from the meter itself."""
    return lambda _, *args, **kwargs: function(*args, **kwargs)


def _looks(function: Function) -> Function:
    """Looks at a value, and makes nothing that is larger than a number; or counts by itself what it makes."""

    @pass_context
    def apply(context: MeteredContext, value: Any, *args: Any, **kwargs: Any) -> Any:
        context.meter.step(1)
        for each_value in (value, *args, *kwargs.values()):
            context.meter.read(_defined(each_value))
        return function(context.meter, value, *args, **kwargs)

    return apply


def _compares(function: Function) -> Function:
    """Looks at all that is in its values."""

    @pass_context
    def apply(context: MeteredContext, value: Any, *args: Any, **kwargs: Any) -> Any:
        context.meter.step(1)
        context.meter.read_whole(*map(_defined, (value, *args, *kwargs.values())))
        return function(context.meter, value, *args, **kwargs)

    return apply


def _makes(function: Function) -> Function:
    """Makes something that is about as large as what it is given."""

    @pass_context
    def apply(context: MeteredContext, value: Any, *args: Any, **kwargs: Any) -> Any:
        context.meter.step(1)
        context.meter.make(weight(_defined(value)))
        for argument in (*args, *kwargs.values()):
            context.meter.read(_defined(argument))
        return function(context.meter, value, *args, **kwargs)

    return apply


def _asks(function: Function) -> Function:
    """Asks whether there is a value."""

    @pass_context
    def apply(context: MeteredContext, value: Any, *args: Any, **kwargs: Any) -> Any:
        context.meter.step(1)
        return function(context.meter, value, *args, **kwargs)

    return apply


def _defined(value: Any) -> Any:
    if isinstance(value, Undefined):
        str(value)  # A strict one raises, and says what is not defined.
    return value


FILTERS: Final[dict[str, Function]] = {
    "_concat": _looks(joined),
    "_each": _looks(each),
    "_slice": _makes(sliced),
    "_weigh": _compares(_alone(lambda value: value)),
    "abs": _looks(_alone(lambda value: abs(number(value)))),
    "capitalize": _makes(_alone(lambda value: _text(value).capitalize())),
    "count": _looks(_alone(lambda value: len(_list_like(value)))),
    "d": _asks(_default),
    "default": _asks(_default),
    "dictsort": _looks(_dictsort),
    "first": _looks(_end(0)),
    "float": _looks(_alone(lambda value: _parsed(value, float))),
    "indent": _looks(_indent),
    "int": _looks(_alone(lambda value: _parsed(value, int))),
    "items": _looks(_items),
    "join": _looks(_join),
    "last": _looks(_end(-1)),
    "length": _looks(_alone(lambda value: len(_list_like(value)))),
    "list": _looks(_elements),
    "lower": _makes(_alone(lambda value: _text(value).lower())),
    "map": _looks(_map),
    "max": _compares(_extreme(max)),
    "min": _compares(_extreme(min)),
    "replace": _looks(_replace),
    "reverse": _looks(_reverse),
    "round": _looks(_round),
    "sort": _compares(_sort),
    "string": _looks(as_text),
    "sum": _looks(_sum),
    "title": _makes(_title),
    "tojson": _looks(as_json),
    "trim": _makes(_trim),
    "truncate": _makes(_truncate),
    "unique": _looks(_unique),
    "upper": _makes(_alone(lambda value: _text(value).upper())),
    "wordcount": _looks(_wordcount),
}
TESTS: Final[dict[str, Function]] = {
    "boolean": _looks(_alone(lambda value: isinstance(value, bool))),
    "defined": _asks(_alone(lambda value: not isinstance(value, Undefined))),
    "divisibleby": _looks(_divisibleby),
    "eq": _compares(_alone(lambda value, other: value == other)),
    "equalto": _compares(_alone(lambda value, other: value == other)),
    "even": _looks(_alone(lambda value: number(value) % 2 == 0)),
    "false": _looks(_alone(lambda value: value is False)),
    "float": _looks(_alone(lambda value: isinstance(value, float))),
    "ge": _compares(_alone(lambda value, other: value >= other)),
    "gt": _compares(_alone(lambda value, other: value > other)),
    "in": _compares(_alone(lambda value, others: value in others)),
    "integer": _looks(_alone(lambda value: isinstance(value, int) and not isinstance(value, bool))),
    "iterable": _looks(_alone(lambda value: isinstance(value, str | list | tuple | dict))),
    "le": _compares(_alone(lambda value, other: value <= other)),
    "lt": _compares(_alone(lambda value, other: value < other)),
    "mapping": _looks(_alone(lambda value: isinstance(value, dict))),
    "ne": _compares(_alone(lambda value, other: value != other)),
    "none": _looks(_alone(lambda value: value is None)),
    "number": _looks(_alone(_is_number)),
    "odd": _looks(_alone(lambda value: number(value) % 2 == 1)),
    "sequence": _looks(_alone(lambda value: isinstance(value, str | list | tuple))),
    "string": _looks(_alone(lambda value: isinstance(value, str))),
    "true": _looks(_alone(lambda value: value is True)),
    "undefined": _asks(_alone(lambda value: isinstance(value, Undefined))),
}
