"""Every word of a request and of an answer, each shown with the field that it stands in, and replaced by what is made of it."""

import json
from collections import Counter
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, replace
from typing import Any, Final

from llm_gateway.domain.chat import (
    AudioPart,
    FilePart,
    ImagePart,
    JsonObject,
    Message,
    Part,
    Reasoning,
    ReasoningItem,
    Tool,
    ToolCall,
)
from llm_gateway.domain.queries import Output, QueryRequest
from llm_gateway.domain.query_context import ContextItem, ContextReport, ContextWish
from llm_gateway.domain.strict_json import InvalidJson, parse

Change = Callable[[str, str], str]
"""What becomes of a text that stands in a field."""
ChangeNamed = Callable[[str, str, str], str]
"""What becomes of a text that stands in a field, as a JSON member with a name: `536904399` is nothing, an `ssn` of it is."""

_SHORTEST_NUMBER: Final = 6
_LONGEST_NUMBER: Final = 1e21
_LONGEST_NAME: Final = 40
_LONGEST_LEAD: Final = 56
# Only its vendor can read them.
_OPAQUE: Final = frozenset({"encrypted_content", "signature", "data", "id"})


def _as_it_is(text: str, _: str) -> str:
    return text


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """What is made of each text: of one that may be replaced, of one that a provider would not take otherwise (a name, an id, an
    address), and of what is no text. `named` None: what a JSON member is called tells nothing of its text. `in_json` None: a
    text that is JSON is read, and its values are changed. `is_schema`: a text cannot stand in a number's place."""

    change: Change
    fixed: Change = _as_it_is
    data: Change = _as_it_is
    named: ChangeNamed | None = None
    in_json: Change | None = None
    is_schema: bool = False

    def request(self, request: QueryRequest) -> QueryRequest:
        """`request` with what became of its words; the gateway's own settings are none."""
        output, parameters = request.output, request.parameters
        return replace(
            request,
            system=None if request.system is None else self.change(request.system, "system.text"),
            messages=tuple(
                self._message(message, f"messages[{place}]") for place, message in enumerate(request.messages)
            ),
            context=None if request.context is None else self._context(request.context),
            tools=tuple(self._tool(tool, f"tools[{place}].function") for place, tool in enumerate(request.tools)),
            output=output
            if output.schema is None
            else replace(output, schema=self._unnamed.json(output.schema, "output.schema")),
            parameters=replace(
                parameters, stop=tuple(self.change(stop, "parameters.stop") for stop in parameters.stop)
            ),
            vendor={kind: self._members(options, f"vendor.{kind}") for kind, options in request.vendor.items()},
            metadata=self._members(request.metadata, "metadata"),
        )

    def output(self, output: Output, *, is_json: bool) -> Output:
        """`output` with what became of its words; the vendor's own items go back to the vendor as they came."""
        text, reasoning = output.text, output.reasoning
        if text is not None:
            text = self.json_text(text, "output.text") if is_json else self.change(text, "output.text")
        return replace(
            output,
            text=text,
            json=self.json(output.json, "output.json"),
            tool_calls=tuple(self._call(call, f"output.tool_calls[{n}]") for n, call in enumerate(output.tool_calls)),
            stop_sequence=None
            if output.stop_sequence is None
            else self.change(output.stop_sequence, "output.stop_sequence"),
            reasoning=None if reasoning is None else self._reasoning(reasoning),
            annotations=None
            if output.annotations is None
            else tuple(self.json(each, "output.annotations") for each in output.annotations),
        )

    def report(self, report: ContextReport) -> ContextReport:
        """`report` with what became of its items' ids."""
        return replace(
            report,
            items=tuple(
                replace(
                    item,
                    id=self.change(item.id, "context.items.id"),
                    duplicate_of=None
                    if item.duplicate_of is None
                    else self.change(item.duplicate_of, "context.items.id"),
                )
                for item in report.items
            ),
        )

    def json(self, value: Any, field: str, *, name: str = "") -> Any:
        """A JSON value with what became of its texts, names and long numbers. A number that is replaced becomes a text.

        `name` is what the members are called that it stands in.
        """
        if isinstance(value, str):
            return self._value(value, field, name)
        if isinstance(value, Mapping):
            return self._members(value, field, name=name)
        if isinstance(value, list | tuple):
            return [self.json(each, f"{field}[{place}]", name=name) for place, each in enumerate(value)]
        text = _digits(value)
        if text is None:
            return value
        changed = self.fixed(text, field) if self.is_schema else self._value(text, field, name)
        return value if changed == text else changed

    def _value(self, text: str, field: str, name: str) -> str:
        return self.named(text, field, name) if self.named and name else self.change(text, field)

    def json_text(self, text: str, field: str) -> str:
        """A text that is JSON, or should be."""
        if self.in_json is not None:
            return self.in_json(text, field)
        try:
            value = parse(text, half_pairs=True)
        except InvalidJson:
            return self.change(text, field)
        changed = self.json(value, field)
        return text if changed == value else json.dumps(changed, ensure_ascii=False)

    def _members(self, value: JsonObject, field: str, *, name: str = "") -> dict[str, Any]:
        members, met = dict[str, Any](), Counter[str]()
        for own, part in value.items():
            changed = self.json(part, _member(field, own), name=f"{name} {own}"[-_LONGEST_LEAD:].strip())
            members[_free(self.change(own, field), members, met)] = changed
        return members

    @property
    def _unnamed(self) -> "Reading":
        """For a schema: what a property is called tells nothing of a bound of it."""
        return replace(self, named=None, is_schema=True)

    def _message(self, message: Message, field: str) -> Message:
        single = len(message.content) == 1
        return replace(
            message,
            content=tuple(
                self._part(part, f"{field}.content" if single else f"{field}.content[{place}]")
                for place, part in enumerate(message.content)
            ),
            name=None if message.name is None else self.fixed(message.name, f"{field}.name"),
            tool_calls=tuple(
                self._call(call, f"{field}.tool_calls[{place}]") for place, call in enumerate(message.tool_calls)
            ),
            tool_call_id=None
            if message.tool_call_id is None
            else self.fixed(message.tool_call_id, f"{field}.tool_call_id"),
            reasoning=tuple(self._thought(item, f"{field}.reasoning") for item in message.reasoning),
        )

    def _part(self, part: Part, field: str) -> Part:
        match part:
            case ImagePart() if part.url.startswith("data:"):
                return replace(part, url=self.data(part.url, f"{field}.image_url"))
            case ImagePart():
                return replace(part, url=self.fixed(part.url, f"{field}.image_url"))
            case FilePart():
                named = None if part.filename is None else self.fixed(part.filename, f"{field}.file.filename")
                return replace(part, filename=named, data=self.data(part.data, f"{field}.file"))
            case AudioPart():
                return replace(part, data=self.data(part.data, f"{field}.input_audio"))
            case _:
                return replace(part, text=self.change(part.text, field))

    def _call(self, call: ToolCall, field: str) -> ToolCall:
        return replace(
            call,
            id=self.fixed(call.id, f"{field}.id"),
            name=self.fixed(call.name, f"{field}.function.name"),
            arguments=self.json_text(call.arguments, f"{field}.function.arguments"),
        )

    def _tool(self, tool: Tool, field: str) -> Tool:
        return replace(
            tool,
            name=self.fixed(tool.name, f"{field}.name"),
            description=None if tool.description is None else self.change(tool.description, f"{field}.description"),
            parameters=self._unnamed.json(tool.parameters, f"{field}.parameters"),
        )

    def _thought(self, item: ReasoningItem, field: str) -> ReasoningItem:
        """Looked at alone: it goes back exactly as it came."""
        reading = Reading(change=self.fixed)
        return replace(
            item,
            item={name: part if name in _OPAQUE else reading.json(part, field) for name, part in item.item.items()},
        )

    def _reasoning(self, reasoning: Reasoning) -> Reasoning:
        return replace(
            reasoning,
            text=None if reasoning.text is None else self.change(reasoning.text, "output.reasoning"),
            items=tuple(self._thought(item, "output.reasoning") for item in reasoning.items),
        )

    def _context(self, wish: ContextWish) -> ContextWish:
        return replace(
            wish, items=tuple(self._item(item, f"context.items[{place}]") for place, item in enumerate(wish.items))
        )

    def _item(self, item: ContextItem, field: str) -> ContextItem:
        return replace(
            item,
            id=self.change(item.id, f"{field}.id"),
            text=self.change(item.text, f"{field}.text"),
            source=None if item.source is None else self.change(item.source, f"{field}.source"),
        )


def _free(name: str, taken: Collection[str], met: Counter[str]) -> str:
    """`name`, or where it is taken the same with a number: of two members whose names became one, none is lost.

    How often a name was `met` is remembered: a thousand of them do not try a thousand numbers each.
    """
    free = name
    while free in taken:
        met[name] += 1
        free = f"{name} {met[name] + 1}"
    return free


def _member(field: str, name: str) -> str:
    """A long name is left out: what is personal in it would not be known by its beginning."""
    return f"{field}.{name}" if len(name) <= _LONGEST_NAME else field


def _digits(value: Any) -> str | None:
    """A number that is long enough to be somebody's, however it was written; None for any other value."""
    if isinstance(value, float) and value.is_integer() and abs(value) < _LONGEST_NUMBER:
        value = int(value)
    if not isinstance(value, int) or isinstance(value, bool):
        return None
    text = str(value)
    return text if len(text) >= _SHORTEST_NUMBER else None
