"""A member that no object has is named by its path, wherever in a body it stands."""

import json
from collections.abc import Iterator
from typing import Any, Final

import pytest
from llm_gateway.entrypoints.validation import validated
from llm_gateway.errors import ValidationFailed
from llm_gateway.wire.anthropic.requests import MessagesBody
from llm_gateway.wire.keys import KeyBody
from llm_gateway.wire.openai.chat import ChatCompletionBody
from llm_gateway.wire.openai.embeddings import EmbeddingsBody
from llm_gateway.wire.prompts import PromptBody
from llm_gateway.wire.providers import ProviderBody
from llm_gateway.wire.queries import QueryBody
from llm_gateway.wire.schema import Incoming

_TEXT: Final = {"type": "text", "text": "x"}
_IMAGE: Final = {"type": "image_url", "image_url": {"url": "https://example.com/a.png"}}
_FILE: Final = {"type": "file", "file": {"filename": "a.pdf", "file_data": "data:application/pdf;base64,JVBERi0x"}}
_CALL: Final = {"id": "a", "type": "function", "function": {"name": "w", "arguments": "{}"}}
_TURNS: Final = [
    {"role": "system", "content": [{**_TEXT, "cache_control": {"type": "ephemeral"}}]},
    {"role": "user", "content": [_TEXT, _IMAGE, _FILE]},
    {"role": "assistant", "content": None, "tool_calls": [_CALL], "reasoning": {"items": []}},
    {"role": "tool", "tool_call_id": "a", "content": "x"},
]
_TOOLS: Final = {
    "tools": [{"type": "function", "function": {"name": "w"}}],
    "tool_choice": {"type": "function", "function": {"name": "w"}},
}
_CONTEXT: Final = {"items": [{"id": "a", "text": "x"}], "history": {"max_tokens": 9}}
_BLOCKS: Final = [
    _TEXT,
    {"type": "image", "source": {"type": "url", "url": "https://example.com/a.png"}},
    {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": "iVBORw0KGgo="}},
    {"type": "document", "source": {"type": "text", "media_type": "text/plain", "data": "x"}},
    {"type": "document", "source": {"type": "content", "content": [_TEXT]}},
]
_BODIES: Final[list[tuple[type[Incoming], dict[str, Any]]]] = [
    (
        QueryBody,
        {
            "messages": _TURNS,
            "system": {"text": "x"},
            "context": _CONTEXT,
            "parameters": {"seed": 1},
            "output": {"type": "json_schema", "schema": {}},
            "prompt": {"id": "a"},
            **_TOOLS,
        },
    ),
    *(
        (ChatCompletionBody, {"model": "m", "messages": _TURNS, "response_format": form, "gateway": {}})
        for form in ({"type": "text"}, {"type": "json_object"})
    ),
    (
        ChatCompletionBody,
        {
            "model": "m",
            "messages": _TURNS,
            "response_format": {"type": "json_schema", "json_schema": {"name": "a"}},
            "stream": True,
            "stream_options": {"include_usage": True},
            "gateway": {"system": {"text": "x"}, "context": _CONTEXT},
            **_TOOLS,
        },
    ),
    (EmbeddingsBody, {"model": "m", "input": "x", "gateway": {}}),
    *(
        (MessagesBody, {"model": "m", "max_tokens": 9, "messages": [], "thinking": thinking, "tool_choice": choice})
        for thinking in ({"type": "enabled", "budget_tokens": 1024}, {"type": "adaptive"}, {"type": "disabled"})
        for choice in ({"type": "auto"}, {"type": "any"}, {"type": "tool", "name": "w"}, {"type": "none"})
    ),
    (
        MessagesBody,
        {
            "model": "m",
            "max_tokens": 9,
            "system": [{**_TEXT, "cache_control": {"type": "ephemeral"}}],
            "messages": [
                {"role": "user", "content": _BLOCKS},
                {"role": "assistant", "content": [{"type": "thinking", "thinking": "x", "signature": "x"}]},
                {"role": "assistant", "content": [{"type": "tool_use", "id": "a", "name": "w", "input": {}}]},
                {"role": "user", "content": [{"type": "tool_result", "tool_use_id": "a", "content": [_TEXT]}]},
            ],
            "tools": [{"name": "w", "input_schema": {}}],
            "output_config": {"format": {"type": "json_schema", "schema": {}}},
            "metadata": {"user_id": "x"},
        },
    ),
    (
        ProviderBody,
        {
            "models": [{"name": "m"}],
            **{name: {} for name in ("limits", "timeouts", "retry", "circuit", "credentials")},
        },
    ),
    (KeyBody, {"limits": {}, "budget_usd": {}, "allow": {}}),
    (
        PromptBody,
        {
            "template": {
                "system": {"text": "x"},
                "messages": [{"role": "user", "content": [_TEXT, _IMAGE]}],
                "variables": {"a": {"type": "array", "items": {"type": "string"}}},
            },
            "defaults": {"parameters": {}},
            "output": {"type": "json"},
            "tests": [
                {
                    "name": "t",
                    "messages": [{"role": "user", "content": "x"}],
                    "assert": [
                        {"type": "json_path", "path": "$.a"},
                        {"type": "judge", "rubric": "x", "provider": "a"},
                        {"type": "max_tokens", "value": 9},
                    ],
                }
            ],
        },
    ),
]
# Their members have names of their own.
_FREE: Final = frozenset({"schema", "input", "input_schema", "variables"})


def _objects(value: Any, path: str = "") -> Iterator[tuple[str, dict[str, Any]]]:
    """Each object in `value` with its path."""
    if isinstance(value, dict):
        yield path, value
    for name, inner in value.items() if isinstance(value, dict) else enumerate(value):
        if isinstance(inner, dict | list):
            yield from _objects(inner, f"{path}[{name}]" if isinstance(name, int) else f"{path}.{name}".lstrip("."))


@pytest.mark.parametrize(("schema", "body"), _BODIES, ids=lambda value: getattr(value, "__name__", ""))
def test_an_unknown_member_is_named_by_its_path(schema: type[Incoming], body: dict[str, Any]) -> None:
    paths = [path for path, _ in _objects(body) if path.rpartition(".")[2] not in _FREE]
    for path in paths:
        sent = json.loads(json.dumps(body))
        dict(_objects(sent))[path]["xyzzy"] = 1
        with pytest.raises(ValidationFailed) as refused:
            validated(schema, sent)
        assert f"{path}.xyzzy".lstrip(".") in {fault.field for fault in refused.value.errors if fault.is_unknown}
