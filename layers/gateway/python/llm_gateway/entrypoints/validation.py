"""What validation found wrong with a request, in the words of the API and not of the library that found it."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, Final, TypeVar

from pydantic import ValidationError

from llm_gateway.errors import FieldError, ValidationFailed
from llm_gateway.wire.schema import Incoming, Known

S = TypeVar("S", bound=Incoming)

# An answer through Lambda holds 6 MB: a body of nothing but faults must not make one that is larger.
_MOST_ERRORS: Final = 100
_LONGEST_FIELD: Final = 200
_LONGEST_MESSAGE: Final = 500
_MOST_LISTED: Final = 3

_NUMBER: Final = "must be a number"
_OBJECT: Final = "must be an object"
_WHOLE_NUMBER: Final = "must be a whole number"
_FLAG: Final = "must be true or false"
# By the type of the fault; any other says itself what must be.
_WORDS: Final = {
    "bool_parsing": _FLAG,
    "bool_type": _FLAG,
    "decimal_parsing": _NUMBER,
    "decimal_type": _NUMBER,
    "dict_type": _OBJECT,
    "enum": "must be {expected}",
    "float_parsing": _NUMBER,
    "float_type": _NUMBER,
    "greater_than": "must be more than {gt}",
    "greater_than_equal": "must be at least {ge}",
    "int_from_float": _WHOLE_NUMBER,
    "int_parsing": _WHOLE_NUMBER,
    "int_type": _WHOLE_NUMBER,
    "less_than": "must be less than {lt}",
    "less_than_equal": "must be at most {le}",
    "list_type": "must be a list",
    "literal_error": "must be {expected}",
    "missing": "is required",
    "model_attributes_type": _OBJECT,
    "model_type": _OBJECT,
    "string_pattern_mismatch": "must match {pattern}",
    "string_too_long": "must have at most {max_length} character(s)",
    "string_too_short": "must have at least {min_length} character(s)",
    "string_type": "must be a string",
    "too_long": "must have at most {max_length} item(s)",
    "too_short": "must have at least {min_length} item(s)",
    "union_tag_invalid": "must be one of {expected_tags}",
    "union_tag_not_found": "is required",
}
# What tells a union's members apart is no field: right after an index the role or type, elsewhere a name in brackets.
_TAGS: Final = frozenset(
    {
        *("user", "assistant", "tool", "system", "developer"),  # messages
        *("text", "image_url", "file", "input_audio"),  # their parts
        *("equals", "contains", "regex", "json_schema", "json_path", "similar", "judge"),  # assertions
        *("max_tokens", "max_latency_ms", "max_cost_usd"),
        *("input_text", "input_image", "input_file", "output_text", "refusal"),  # parts of an item
        *("image", "document", "tool_use", "tool_result", "thinking", "redacted_thinking"),  # blocks of a message
    }
)
_FORMATS: Final = frozenset({"text", "json_object", "json_schema"})
# Beside an index, they follow these names.
_TAGS_OF: Final = {
    "response_format": _FORMATS,
    "format": _FORMATS,
    "source": frozenset({"base64", "url", "file", "text", "content"}),
    "thinking": frozenset({"adaptive", "enabled", "disabled", "between_tools"}),
    "tool_choice": frozenset({"auto", "any", "tool", "none"}),
}
# The members of a context's items have names of their own, `text` among them.
_WITHOUT_TAGS: Final = "items"


def validated(schema: type[S], value: Any) -> S:
    """`value`, a request's body, as `schema` has it. Raises `ValidationFailed`."""
    known: Known = {}
    try:
        return schema.model_validate(value, context=known)
    except ValidationError as error:
        # What was sent stays out of the errors: they would hold it once for each of them.
        faults = error.errors(include_url=False, include_input=False)
    for fault in faults[:_MOST_ERRORS]:
        if fault["type"] == "extra_forbidden":
            *place, name = fault["loc"]
            fault["msg"] = known[id(_at(value, place))].told_of_unknown(str(name))
    raise validation_failed([{**fault, "loc": ("body", *fault["loc"])} for fault in faults])


def _at(value: Any, place: Sequence[int | str]) -> Any:
    """What is at `place` in the body."""
    for step in _steps(place):
        value = value[step]
    return value


def validation_failed(faults: Sequence[Mapping[str, Any]]) -> ValidationFailed:
    """All that pydantic found, each with the field, parameter or header where it is."""
    errors = [
        FieldError(
            _field(fault)[:_LONGEST_FIELD],
            _message(fault)[:_LONGEST_MESSAGE],
            is_unknown=fault["type"] == "extra_forbidden",
        )
        for fault in faults[:_MOST_ERRORS]
    ]
    listed = "; ".join(f"{error.field}: {error.message}" for error in errors[:_MOST_LISTED])
    more = len(faults) - _MOST_LISTED
    return ValidationFailed(listed + (f"; and {more} more" if more > 0 else ""), errors=errors)


def _field(fault: Mapping[str, Any]) -> str:
    """`("body", "messages", 0, "user", "content", "[parts]", 2)` as `messages[0].content[2]`."""
    place, *steps = fault["loc"]
    if fault["type"] == "wrong_field":
        steps.append(fault["ctx"]["field"])
    elif fault["type"].startswith("union_tag"):
        steps.append(fault["ctx"]["discriminator"].strip("'"))
    path = ""
    for step in _steps(steps):
        if isinstance(step, int):
            path += f"[{step}]"
        else:
            path += f".{step}" if path else step
    return path or place


def _steps(place: Iterable[int | str]) -> Iterator[int | str]:
    """`place` without what tells a union's members apart."""
    tags: frozenset[str] = frozenset()
    name = ""
    for step in place:
        if isinstance(step, int):
            yield step
        elif not (step.startswith("[") or step in tags):
            name = step
            yield step
            tags = _TAGS_OF.get(name, frozenset())
            continue
        tags = _TAGS if isinstance(step, int) and name != _WITHOUT_TAGS else frozenset()


def _message(fault: Mapping[str, Any]) -> str:
    if fault["type"] not in _WORDS:
        return str(fault["msg"]).removeprefix("Value error, ")
    return _WORDS[fault["type"]].format(**{name: _plain(value) for name, value in fault.get("ctx", {}).items()})


def _plain(value: Any) -> Any:
    """As JSON has it."""
    if value in ("True", "False"):
        return value.lower()
    return int(value) if isinstance(value, float) and value.is_integer() else value
