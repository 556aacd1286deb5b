"""Variables: whether their declarations can be used, and whether what is given for them may fill a template."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from itertools import islice
from typing import Any, Final

from llm_gateway.domain.addresses import fault_in_image_url
from llm_gateway.domain.prompts.templates import Variable, VariableType
from llm_gateway.domain.strict_json import DEEPEST, digest, is_deeper
from llm_gateway.errors import FieldError, TemplateVariablesInvalid, listed
from llm_gateway.services.output.patterns import InvalidPattern, Matching, TooMuchWork, check_pattern

_TEXTS: Final = (VariableType.STRING, VariableType.IMAGE)
_NUMBERS: Final = (VariableType.INTEGER, VariableType.NUMBER)
_DEEPEST_ITEMS: Final = 10
_MOST_FAULTS: Final = 50
_LONGEST_ADDRESS: Final = 8_000
_IMAGE_DATA: Final = re.compile(r"data:image/[a-z0-9.+-]+;base64,[A-Za-z0-9+/]+=*")
_CALLED: Final = {
    VariableType.STRING: "a text", VariableType.INTEGER: "a whole number", VariableType.NUMBER: "a number",
    VariableType.BOOLEAN: "true or false", VariableType.ARRAY: "a list", VariableType.OBJECT: "an object",
    VariableType.IMAGE: "an image's address, as a text",
}  # fmt: skip

Fault = tuple[str, str]
"""Where it is, as a path from the variable on, and what is wrong there."""


@dataclass(frozen=True, slots=True)
class _Checking:
    """What checking many values takes, taken once for them all: the digests of choices by their variable, and matching."""

    choices: dict[int, frozenset[str]] = field(default_factory=dict)
    matching: Matching = field(default_factory=Matching)

    def allows(self, variable: Variable, value: Any) -> bool:
        if variable.enum is None:
            return True
        # Variables are the declaration's own, which outlives this.
        if id(variable) not in self.choices:
            self.choices[id(variable)] = frozenset(map(digest, variable.enum))
        return digest(value) in self.choices[id(variable)]


def filled(declared: Mapping[str, Variable], given: Mapping[str, Any], *, field: str) -> dict[str, Any]:
    """The values of all variables that have one: `given` ones, and defaults for the others.

    Null stands for a value that is not given. Raises `TemplateVariablesInvalid`, which names each field below `field`.
    """
    # No more are looked for than are told: a list may have a million elements.
    faults = islice(_faults_in_all(declared, given, _Checking()), _MOST_FAULTS + 1)
    errors = [FieldError(f"{field}{path}", message) for path, message in faults]
    if errors:
        others = "more" if len(errors) > _MOST_FAULTS else f"{len(errors) - 1} more"
        more = f" (and {others})" if len(errors) > 1 else ""
        detail = f"{errors[0].field}: {errors[0].message}{more}"
        raise TemplateVariablesInvalid(detail, errors=errors[:_MOST_FAULTS])
    values = {name: _as_declared(variable, _value(variable, given.get(name))) for name, variable in declared.items()}
    return {name: value for name, value in values.items() if value is not None}


def faults_in_declaration(variable: Variable, *, levels: int = _DEEPEST_ITEMS) -> Iterator[Fault]:
    """What keeps a variable from being used as it is declared."""
    kind = variable.type
    yield from _faults_in_bounds(variable, kind)
    if variable.items is not None:
        yield from _faults_in_items(variable.items, kind, levels)
    if variable.enum is not None and not variable.enum:
        yield ".enum", "is empty: nothing could be given"
    for index, value in enumerate(variable.enum or ()):
        if not _has_type(kind, value):
            yield f".enum[{index}]", f"must be {_CALLED[kind]}, as the variable is"
    if variable.pattern is not None:
        in_pattern = [*_faults_in_pattern(variable.pattern, kind)]
        yield from in_pattern
        if in_pattern:
            return
    if variable.default is not None:
        for path, message in _faults(variable, variable.default, _Checking()):
            yield f".default{path}", message


def _faults_in_bounds(variable: Variable, kind: VariableType) -> Iterator[Fault]:
    if kind not in _NUMBERS and (variable.minimum is not None or variable.maximum is not None):
        yield (".minimum" if variable.minimum is not None else ".maximum"), "bounds numbers alone"
    has_length = variable.min_length is not None or variable.max_length is not None
    if has_length and kind not in (*_TEXTS, VariableType.ARRAY):
        yield (".min_length" if variable.min_length is not None else ".max_length"), "bounds texts and arrays alone"
    if _is_above(variable.minimum, variable.maximum):
        yield ".minimum", "is above the maximum"
    if _is_above(variable.min_length, variable.max_length):
        yield ".min_length", "is above max_length"


def _faults_in_items(items: Variable, kind: VariableType, levels: int) -> Iterator[Fault]:
    if kind is not VariableType.ARRAY:
        yield ".items", "describes the elements of arrays alone"
    elif items.type is VariableType.IMAGE:
        yield ".items.type", "cannot be image: an image is a variable of its own"
    elif levels == 0:
        yield ".items", f"is nested too deeply: {_DEEPEST_ITEMS} levels at most"
    else:
        for path, message in faults_in_declaration(items, levels=levels - 1):
            yield f".items{path}", message


def _faults_in_pattern(pattern: str, kind: VariableType) -> Iterator[Fault]:
    if kind not in _TEXTS:
        yield ".pattern", "bounds texts alone"
    try:
        check_pattern(pattern)
    except InvalidPattern as fault:
        yield ".pattern", f"is not a regular expression that RE2 has ({str(fault)[:200]})"


def _is_above(least: float | None, most: float | None) -> bool:
    return least is not None and most is not None and least > most


def _faults_in_all(declared: Mapping[str, Variable], given: Mapping[str, Any], checking: _Checking) -> Iterator[Fault]:
    for name in given:
        if name not in declared:
            known = f"there are: {listed(declared)}" if declared else "it has none"
            yield f".{name[:100]}", f"is no variable of the template; {known}"
    for name, variable in declared.items():
        value = _value(variable, given.get(name))
        if value is not None:
            for path, message in _faults(variable, value, checking):
                yield f".{name}{path}", message
        elif variable.required:
            yield f".{name}", f"is required: {_CALLED[variable.type]}"


def _value(variable: Variable, given: Any) -> Any:
    return variable.default if given is None else given


def _as_declared(variable: Variable, value: Any) -> Any:
    """A whole number is written as one, however it was sent."""
    return int(value) if variable.type is VariableType.INTEGER and value is not None else value


def _faults(variable: Variable, value: Any, checking: _Checking) -> Iterator[Fault]:
    if not _has_type(variable.type, value):
        yield "", f"must be {_CALLED[variable.type]}"
    elif not checking.allows(variable, value):
        yield "", f"must be one of {listed(str(each)[:100] for each in variable.enum or ())}"
    elif variable.type in _NUMBERS:
        yield from _faults_in_number(variable, value)
    elif variable.type is VariableType.ARRAY:
        yield from _faults_in_array(variable, value, checking)
    elif variable.type in _TEXTS:
        yield from _faults_in_text(variable, value, checking)
    elif is_deeper(value, DEEPEST):
        yield "", f"is nested too deeply: {DEEPEST} levels at most"


def _has_type(kind: VariableType, value: Any) -> bool:
    match kind:
        case VariableType.STRING | VariableType.IMAGE:
            return isinstance(value, str)
        case VariableType.BOOLEAN:
            return isinstance(value, bool)
        case VariableType.NUMBER:
            return isinstance(value, int | float) and not isinstance(value, bool)
        case VariableType.INTEGER:
            is_whole = isinstance(value, int) or (isinstance(value, float) and value.is_integer())
            return is_whole and not isinstance(value, bool)
        case VariableType.ARRAY:
            return isinstance(value, list | tuple)
        case VariableType.OBJECT:
            return isinstance(value, dict)


def _faults_in_number(variable: Variable, value: float) -> Iterator[Fault]:
    if variable.minimum is not None and value < variable.minimum:
        yield "", f"must be at least {variable.minimum:g}"
    if variable.maximum is not None and value > variable.maximum:
        yield "", f"must be at most {variable.maximum:g}"


def _faults_in_array(variable: Variable, value: list[Any], checking: _Checking) -> Iterator[Fault]:
    yield from _faults_in_length(variable, len(value), "elements")
    if is_deeper(value, DEEPEST):
        yield "", f"is nested too deeply: {DEEPEST} levels at most"
    elif variable.items is not None:
        for index, element in enumerate(value):
            for path, message in _faults(variable.items, element, checking):
                yield f"[{index}]{path}", message


def _faults_in_text(variable: Variable, value: str, checking: _Checking) -> Iterator[Fault]:
    yield from _faults_in_length(variable, len(value), "characters")
    if variable.type is VariableType.IMAGE and (fault := fault_in_image(value)):
        yield "", fault
    if variable.pattern is None:
        return
    try:
        if not checking.matching.matches(variable.pattern, value):
            yield "", f"must match {variable.pattern[:200]!r}"
    except TooMuchWork:
        yield "", "is too long for the variable's pattern"


def _faults_in_length(variable: Variable, length: int, unit: str) -> Iterator[Fault]:
    if variable.min_length is not None and length < variable.min_length:
        yield "", f"must have at least {variable.min_length} {unit}"
    if variable.max_length is not None and length > variable.max_length:
        yield "", f"must have at most {variable.max_length} {unit}"


def fault_in_image(address: str) -> str | None:
    """What is wrong with the address of an image; whether it may be a private one, planning says."""
    if _IMAGE_DATA.fullmatch(address):
        return None
    if not address.startswith("https://"):
        return "must be an https address or data:image/…;base64,…"
    if len(address) > _LONGEST_ADDRESS:
        return f"is too long for an address: {_LONGEST_ADDRESS} characters at most"
    return fault_in_image_url(address, private_allowed=True)
