"""What the vendors' own servers refuse: a scripted upstream that took any request would prove nothing about it."""

import re
from collections.abc import Mapping
from typing import Any

_COMPLETION_FIELDS = {
    *(
        "model",
        "messages",
        "stream",
        "stream_options",
        "max_tokens",
        "max_completion_tokens",
        "temperature",
        "top_p",
        "stop",
    ),
    *("seed", "tools", "tool_choice", "response_format", "n", "user"),
}
_MESSAGE_FIELDS = {
    *("model", "messages", "system", "max_tokens", "stream", "stop_sequences", "tools", "tool_choice", "output_config"),
    *("metadata", "thinking", "service_tier"),
}
_SAMPLING = {"temperature", "top_p", "top_k"}
_VERSIONS = ("2023-06-01", "2026-10-21")
_MEDIA_TYPES = ("image/jpeg", "image/png", "image/gif", "image/webp")
_CALL_ID = re.compile(r"[a-zA-Z0-9_-]+")
_SCHEMA_KEYWORDS_REFUSED = {"minimum", "maximum", "minLength", "maxLength", "pattern", "oneOf"}


class Complaint(Exception):
    """Why a request is refused."""

    def __init__(
        self,
        status: int = 400,
        *,
        type: str = "invalid_request_error",  # noqa: A002
        param: str | None = None,
        code: str | None = None,
    ) -> None:
        super().__init__(param)
        self.status = status
        self.type = type
        self.param = param
        self.code = code


def _refuse(condition: object, *, param: str, code: str | None = None) -> None:
    if condition:
        raise Complaint(param=param, code=code)


def check_chat_completions(headers: Mapping[str, str], body: Mapping[str, Any]) -> None:
    """Raises `Complaint`. A model named `gpt-5…` refuses what that family refuses; a key that is no key is a 401."""
    if headers.get("authorization") == "Bearer wrong":
        raise Complaint(401, code="invalid_api_key")
    for name in body.keys() - _COMPLETION_FIELDS:
        _refuse(True, param=name, code="unknown_parameter")
    _refuse(not body.get("messages"), param="messages")
    if str(body.get("model")).startswith("gpt-5"):
        for name in {"temperature", "top_p", "stop", "max_tokens"} & body.keys():
            _refuse(True, param=name, code="unsupported_parameter")
    _refuse("stream_options" in body and not body.get("stream"), param="stream_options")
    _refuse("tool_choice" in body and not body.get("tools"), param="tool_choice")
    _refuse(len(body.get("stop") or []) > 4, param="stop")
    _check_completion_turns(body["messages"])
    _check_response_format(body)


def _check_completion_turns(messages: list[Mapping[str, Any]]) -> None:
    asked: set[str] = set()
    for message in messages:
        role = message.get("role")
        _refuse(role not in ("system", "developer", "user", "assistant", "tool"), param="messages.role")
        _refuse(role == "tool" and message.get("tool_call_id") not in asked, param="messages.tool_call_id")
        _refuse(message.get("content") is None and not message.get("tool_calls"), param="messages.content")
        asked |= {call["id"] for call in message.get("tool_calls") or []}
        for part in message["content"] if isinstance(message.get("content"), list) else []:
            _refuse(part.get("type") not in ("text", "image_url"), param="messages.content.type")


def _check_response_format(body: Mapping[str, Any]) -> None:
    wanted = body.get("response_format") or {"type": "text"}
    if wanted["type"] == "json_object":
        _refuse("json" not in str(body["messages"]).lower(), param="messages")
    if wanted["type"] == "json_schema":
        schema = wanted["json_schema"]["schema"]
        open_object = schema.get("additionalProperties") is not False
        optional = set(schema.get("properties", {})) != set(schema.get("required", []))
        _refuse(wanted["json_schema"].get("strict") and (open_object or optional), param="response_format")


def check_messages(headers: Mapping[str, str], body: Mapping[str, Any]) -> None:
    """Raises `Complaint`."""
    credential = headers.get("x-api-key") or headers.get("authorization", "").removeprefix("Bearer ")
    if not credential or credential == "wrong":
        raise Complaint(401, type="authentication_error")
    _refuse(headers.get("anthropic-version") not in _VERSIONS, param="anthropic-version")
    sampling = _SAMPLING & body.keys()
    _refuse(sampling and headers["anthropic-version"] != "2023-06-01", param="temperature")
    _refuse(body.keys() - _MESSAGE_FIELDS - _SAMPLING, param="extra")
    _refuse(type(body.get("max_tokens")) is not int, param="max_tokens")
    _refuse(not body.get("messages"), param="messages")
    _refuse(body.get("temperature", 0) > 1, param="temperature")
    _refuse("tool_choice" in body and not body.get("tools"), param="tool_choice")
    for tool in body.get("tools", []):
        _refuse(tool["input_schema"].get("type") != "object", param="tools")
    _check_message_turns(body["messages"])
    _refuse(any(block["type"] != "text" or not block["text"] for block in body.get("system", [])), param="system")
    wanted = (body.get("output_config") or {}).get("format")
    if wanted:
        _check_output_schema(wanted["schema"])


def _check_message_turns(messages: list[Mapping[str, Any]]) -> None:
    asked: set[str] = set()
    last = messages[-1]
    prefill = last["content"][-1].get("text", "") if last["role"] == "assistant" and last["content"] else ""
    _refuse(prefill != prefill.rstrip(), param="messages")
    for message in messages:
        _refuse(message.get("role") not in ("user", "assistant"), param="messages.role")
        _refuse(not message["content"], param="messages.content")
        for block in message["content"]:
            _refuse(block["type"] == "text" and not block["text"].strip(), param="messages.content.text")
            media_type = block.get("source", {}).get("media_type", _MEDIA_TYPES[0])
            _refuse(media_type not in _MEDIA_TYPES, param="messages.content.source.media_type")
            _refuse(not _CALL_ID.fullmatch(block.get("id", "x")), param="messages.content.id")
            _refuse(
                block["type"] == "tool_use" and not isinstance(block["input"], dict), param="messages.content.input"
            )
            _refuse(block["type"] == "tool_result" and block["tool_use_id"] not in asked, param="tool_use_id")
        asked = {block["id"] for block in message["content"] if block["type"] == "tool_use"}


def _check_output_schema(schema: Mapping[str, Any]) -> None:
    _refuse(schema.keys() & _SCHEMA_KEYWORDS_REFUSED, param="output_config.format.schema")
    _refuse(schema.get("type") == "object" and schema.get("additionalProperties") is not False, param="output_config")
    for inner in (*schema.get("properties", {}).values(), *schema.get("anyOf", ())):
        _check_output_schema(inner)
