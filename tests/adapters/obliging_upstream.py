"""A provider over HTTP, by each vendor's wire, that does what it is asked: it calls the tool, fills the schema, or says hello."""

import json
from collections.abc import Mapping
from typing import Any

from tests.adapters.obliging import filled
from tests.adapters.upstream import Answer, Behavior, Recorded, ScriptedUpstream
from tests.adapters.upstream_wires import Said, SaidCall

_ANSWERS = ("function_call_output", "tool_result")


class ObligingUpstream(ScriptedUpstream):
    """As scripted, and then obliging."""

    def record(self, request: Recorded) -> Behavior:
        behavior = super().record(request)
        return Answer(said=_said(request.body)) if behavior is self.otherwise else behavior


def _said(body: Mapping[str, Any]) -> Said:
    turns = body.get("messages") or body.get("input")
    if not isinstance(turns, list) or not turns or not isinstance(turns[-1], dict):
        return Said()
    tools, question = body.get("tools") or [], json.dumps(turns[-1].get("content"))
    if tools and not _answers(turns[-1]) and body.get("tool_choice") not in ("none", {"type": "none"}):
        tool = tools[0].get("function", tools[0])
        arguments = json.dumps(filled(tool.get("parameters") or tool.get("input_schema") or {}, question))
        half = len(arguments) // 2
        call = SaidCall(name=tool["name"], arguments=(arguments[:half], arguments[half:]))
        return Said(pieces=(), calls=(call,), finish="tool_calls")
    schema = _schema(body)
    return Said(pieces=(json.dumps(filled(schema, question)),)) if schema is not None else Said(pieces=("Hel", "lo!"))


def _answers(turn: Mapping[str, Any]) -> bool:
    """Whether a tool has answered in it."""
    content = turn.get("content")
    parts = content if isinstance(content, list) else []
    return turn.get("role") == "tool" or any(each.get("type") in _ANSWERS for each in (turn, *parts))


def _schema(body: Mapping[str, Any]) -> Mapping[str, Any] | None:
    form = (
        body.get("response_format") or body.get("text", {}).get("format") or body.get("output_config", {}).get("format")
    )
    found: Mapping[str, Any] | None = (form or {}).get("schema", (form or {}).get("json_schema", {}).get("schema"))
    return found
