"""Templates: held against the rules where they are saved, and filled where they are asked for.

What a value says stays within the text that it stands in: the messages, their roles and their parts are the template's own.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any, Final

from llm_gateway.domain.chat import ImagePart, Message, Part, TextPart
from llm_gateway.domain.prompts.templates import PromptTemplate, Variable, VariableType
from llm_gateway.domain.redaction import redacted
from llm_gateway.errors import FieldError, TemplateInvalid, TemplateVariablesInvalid
from llm_gateway.services.prompts.metering import Meter, TemplateFault
from llm_gateway.services.prompts.variables import fault_in_image, faults_in_declaration, filled

_MOST_ERRORS: Final = 50
_MOST_MESSAGES: Final = 200
_MOST_VARIABLES: Final = 100
_BRACES: Final = ("{{", "{%", "{#")
_ONE_VARIABLE: Final = re.compile(r"\{\{-?\s*([A-Za-z][A-Za-z0-9_]*)\s*-?\}\}", re.ASCII)
# Those that a text has no use for: a model may take them for something that is not there to be seen.
_CONTROL: Final = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x84\x86-\x9f]")
_FILLED_IN: Final = re.compile(r"\{\{[^{}]{0,500}\}\}")
_QUOTED: Final = re.compile(r"\"[^\"]*\"|'[^']*'")


@dataclass(frozen=True, slots=True, kw_only=True)
class Filled:
    """A template's messages and system text, with the values in their places."""

    messages: tuple[Message, ...] = ()
    system_text: str | None = None


@dataclass(frozen=True, slots=True)
class _Place:
    """A text, or an image's address, and the field that it is in."""

    field: str
    text: str
    is_image: bool = False


def check_template(template: PromptTemplate, *, field: str = "template") -> None:
    """Raises `TemplateInvalid`, which names each field: for a text that is no template, or holds a credential or characters for
    control; for a variable that is used and not declared, or declared and not used, or declared so that nothing can fill it."""
    errors = [*_faults_in_template(template, field)]
    if errors:
        more = f" (and {len(errors) - 1} more)" if len(errors) > 1 else ""
        detail = f"{errors[0].field}: {errors[0].message}{more}"
        raise TemplateInvalid(detail, errors=errors[:_MOST_ERRORS])


def fill_template(
    template: PromptTemplate,
    given: Mapping[str, Any],
    *,
    field: str = "prompt.variables",
    meter: Meter | None = None,
) -> Filled:
    """Raises `TemplateVariablesInvalid` for values that the variables do not take, or that the template can do nothing with.

    Templates that are filled for one query share a `meter`.
    """
    values = filled(template.variables, given, field=field)
    meter = meter or Meter()
    try:
        return Filled(
            messages=tuple(_filled(message, values, meter) for message in template.messages),
            system_text=None if template.system_text is None else _text(template.system_text, values, meter),
        )
    except TemplateFault as fault:
        raise TemplateVariablesInvalid.of(field, f"do not fill the template: it {fault}") from None


def _filled(message: Message, values: Mapping[str, Any], meter: Meter) -> Message:
    return replace(message, content=tuple(_part(part, values, meter) for part in message.content))


def _part(part: Part, values: Mapping[str, Any], meter: Meter) -> Part:
    if isinstance(part, TextPart):
        return replace(part, text=_text(part.text, values, meter))
    name = _ONE_VARIABLE.fullmatch(part.url) if isinstance(part, ImagePart) else None
    if name is None or not isinstance(part, ImagePart):
        return part
    if name[1] not in values:
        raise TemplateFault(f"takes an image's address from {name[1]!r}, which is not given")
    return replace(part, url=values[name[1]])


def _text(source: str, values: Mapping[str, Any], meter: Meter) -> str:
    if not is_template(source):
        meter.put_out(source)
        return source
    from llm_gateway.services.prompts.engine import render

    return render(source, values, meter)


def is_template(text: str) -> bool:
    """Whether there is anything to fill in."""
    return any(mark in text for mark in _BRACES)


def _faults_in_template(template: PromptTemplate, field: str) -> Iterator[FieldError]:
    if len(template.messages) > _MOST_MESSAGES:
        yield FieldError(f"{field}.messages", f"are too many: {_MOST_MESSAGES} at most")
    if len(template.variables) > _MOST_VARIABLES:
        yield FieldError(f"{field}.variables", f"are too many: {_MOST_VARIABLES} at most")
        return
    yield from _faults_in_variables(template, field)
    used: set[str] = set()
    for place in _places(template, field):
        fault = _fault_in_text(place.text)
        try:
            names = _names_used(place)
        except TemplateFault as unusable:
            fault, names = fault or str(unusable), frozenset()
        used |= names
        fault = fault or _fault_in_names(place, names, template)
        if fault:
            yield FieldError(place.field, fault)
    for name in template.variables:
        if name not in used:
            yield FieldError(f"{field}.variables.{name[:100]}", "is declared and not used")


def _faults_in_variables(template: PromptTemplate, field: str) -> Iterator[FieldError]:
    from llm_gateway.services.prompts.language import is_name

    for name, variable in template.variables.items():
        place = f"{field}.variables.{name[:100]}"
        if not is_name(name):
            message = "is no name: ASCII letters, digits and underscores, a letter first, and no word of the language"
            yield FieldError(place, message)
        for path, message in faults_in_declaration(variable):
            yield FieldError(f"{place}{path}", message)
        for path, value in _values_in(variable):
            if fault := next(filter(None, map(_fault_in_text, _texts_in(value))), None):
                yield FieldError(f"{place}{path}", fault)


def _values_in(declared: Variable) -> Iterator[tuple[str, Any]]:
    """What may come into the text from a declaration itself."""
    variable: Variable | None = declared
    path = ""
    while variable is not None:
        yield f"{path}.default", variable.default
        yield f"{path}.enum", variable.enum
        variable, path = variable.items, f"{path}.items"


def _texts_in(value: Any) -> Iterator[str]:
    rest = [value]
    while rest:
        value = rest.pop()
        if isinstance(value, str):
            yield value
        elif isinstance(value, dict):
            rest += [*value, *value.values()]
        elif isinstance(value, list | tuple):
            rest += value


def _places(template: PromptTemplate, field: str) -> Iterator[_Place]:
    if template.system_text is not None:
        yield _Place(f"{field}.system.text", template.system_text)
    for index, message in enumerate(template.messages):
        content = f"{field}.messages[{index}].content"
        for number, part in enumerate(message.content):
            where = content if len(message.content) == 1 else f"{content}[{number}]"
            match part:
                case TextPart(text=text):
                    yield _Place(where, text)
                case ImagePart(url=url):
                    yield _Place(f"{content}[{number}].image_url.url", url, is_image=True)


def _fault_in_text(text: str) -> str | None:
    if found := _CONTROL.search(text):
        return f"holds the character U+{ord(found[0]):04X}, which is for control: take it out"
    # A name before a place to fill announces no credential; what is quoted there may be one by itself.
    quoted = [each for place in _FILLED_IN.findall(text) for each in _QUOTED.findall(place)]
    words = [_FILLED_IN.sub(" ", text), *quoted]
    if not text.startswith("data:") and any(redacted(each) != each for each in words):
        return "holds what looks like a credential: take it out, or give it as a variable"
    return None


def _names_used(place: _Place) -> frozenset[str]:
    if not is_template(place.text):
        if place.is_image and (fault := fault_in_image(place.text)):
            raise TemplateFault(fault)
        return frozenset()
    if place.is_image:
        found = _ONE_VARIABLE.fullmatch(place.text)
        if found is None:
            raise TemplateFault("must be an address, or one variable of type image alone: {{ photo }}")
        return frozenset({found[1]})
    from llm_gateway.services.prompts.engine import names_used

    return names_used(place.text)


def _fault_in_names(place: _Place, names: frozenset[str], template: PromptTemplate) -> str | None:
    for name in sorted(names):
        if name not in template.variables:
            return f"uses {name!r}, which is not declared: add it to variables"
        is_image = template.variables[name].type is VariableType.IMAGE
        if is_image != place.is_image:
            kind = "an image, which fills the address of an image alone" if is_image else "no variable of type image"
            return f"uses {name!r}, which is {kind}"
    return None
