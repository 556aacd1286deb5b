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
    *("seed", "tools", "tool_choice", "response_format", "n", "user", "reasoning_effort", "logprobs", "top_logprobs"),
    *("frequency_penalty", "presence_penalty", "logit_bias", "verbosity", "service_tier", "parallel_tool_calls"),
    *("prediction", "prompt_cache_key", "prompt_cache_options", "prompt_cache_retention", "safety_identifier"),
    *("service_tier", "verbosity", "parallel_tool_calls", "prompt_cache_key", "metadata", "safety_identifier"),
}
_MESSAGE_FIELDS = {
    *("model", "messages", "system", "max_tokens", "stream", "stop_sequences", "tools", "tool_choice", "output_config"),
    *("metadata", "thinking", "service_tier", "inference_geo", "speed"),
}
_SAMPLING = {"temperature", "top_p", "top_k"}
_VERSIONS = ("2023-06-01", "2026-10-21")
_MEDIA_TYPES = ("image/jpeg", "image/png", "image/gif", "image/webp")
_CALL_ID = re.compile(r"[a-zA-Z0-9_-]+")
_SCHEMA_KEYWORDS_REFUSED = {"minimum", "maximum", "minLength", "maxLength", "pattern", "oneOf"}


_RESPONSE_FIELDS = {
    *("model", "input", "instructions", "stream", "store", "include", "max_output_tokens", "temperature", "top_p"),
    *("top_logprobs", "tools", "tool_choice", "text", "reasoning", "service_tier", "parallel_tool_calls", "metadata"),
    *("prompt_cache_key", "safety_identifier", "truncation", "user"),
}
_EFFORTS = ("none", "minimal", "low", "medium", "high", "xhigh", "max")


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
    model, effort = str(body.get("model")), body.get("reasoning_effort")
    _refuse(effort not in (None, *_EFFORTS), param="reasoning_effort", code="unsupported_value")
    _refuse(not _reasons(model) and model != "model" and effort, param="reasoning_effort", code="unsupported_parameter")
    if body.get("tools") and model.startswith(("gpt-5.6", "gpt-6")):
        _refuse(effort != "none" or model.startswith("gpt-6-astra"), param="tools", code="unsupported_parameter")
    _refuse("top_logprobs" in body and not body.get("logprobs"), param="top_logprobs")
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
            _refuse(part.get("type") not in ("text", "image_url", "file", "input_audio"), param="messages.content.type")


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
    _check_thinking(body)
    binding = (body.get("thinking") or {}).get("block_binding")
    _refuse(
        binding and "thinking-binding-controls-2026-08-01" not in headers.get("anthropic-beta", ""), param="thinking"
    )


def _check_thinking(body: Mapping[str, Any]) -> None:
    thinking, effort = body.get("thinking") or {}, (body.get("output_config") or {}).get("effort")
    kind, always = thinking.get("type"), str(body["model"]).startswith(("claude-opus-5-5", "claude-fable-5-1"))
    _refuse(effort not in (None, "low", "medium", "high", "xhigh", "max"), param="output_config.effort")
    _refuse(effort and "4-5" in str(body["model"]) and "opus" not in str(body["model"]), param="output_config.effort")
    _refuse(kind not in (None, "adaptive", "enabled", "disabled", "between_tools"), param="thinking")
    _refuse(always and kind not in (None, "adaptive"), param="thinking")
    if kind == "enabled":
        _refuse(not 1024 <= thinking["budget_tokens"] < body["max_tokens"], param="thinking.budget_tokens")
        _refuse(_lacks_a_thought(body["messages"]), param="messages.content.type")
    if kind in ("enabled", "adaptive"):
        _refuse(_SAMPLING & body.keys(), param="temperature")
        _refuse((body.get("tool_choice") or {}).get("type") in ("any", "tool"), param="tool_choice")


def _lacks_a_thought(messages: list[Mapping[str, Any]]) -> bool:
    """Whether a round of tools goes on that the model began without a thought, as far as it is told."""
    results = any(block["type"] == "tool_result" for block in messages[-1]["content"])
    begun = next((turn for turn in reversed(messages) if turn["role"] == "assistant"), None)
    return bool(results and begun and begun["content"][0]["type"] not in ("thinking", "redacted_thinking"))


def _check_message_turns(messages: list[Mapping[str, Any]]) -> None:
    asked: set[str] = set()
    last = messages[-1]
    prefill = last["content"][-1].get("text", "") if last["role"] == "assistant" and last["content"] else ""
    _refuse(prefill != prefill.rstrip(), param="messages")
    for message in messages:
        _refuse(message.get("role") not in ("user", "assistant"), param="messages.role")
        _refuse(not message["content"], param="messages.content")
        for block in message["content"]:
            if block["type"] in ("thinking", "redacted_thinking"):
                _refuse(message["role"] != "assistant", param="messages.content.thinking")
                _refuse(block["type"] == "thinking" and not block.get("signature"), param="messages.content.signature")
                continue
            _refuse(block["type"] == "text" and not block["text"].strip(), param="messages.content.text")
            media_type = block.get("source", {"media_type": _MEDIA_TYPES[0]}).get("media_type", _MEDIA_TYPES[0])
            taken = ("application/pdf",) if block["type"] == "document" else _MEDIA_TYPES
            _refuse(media_type not in taken, param="messages.content.source.media_type")
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


def check_responses(headers: Mapping[str, str], body: Mapping[str, Any]) -> None:
    """Raises `Complaint`, where nothing is to be kept, unless it is: thoughts are to come encrypted then."""
    if headers.get("authorization") == "Bearer wrong":
        raise Complaint(401, code="invalid_api_key")
    for name in body.keys() - _RESPONSE_FIELDS:
        _refuse(True, param=name, code="unknown_parameter")
    _refuse(body.get("store") is not False, param="store")
    _refuse(not body.get("input"), param="input")
    _refuse("tool_choice" in body and not body.get("tools"), param="tool_choice")
    model, effort = str(body["model"]), (body.get("reasoning") or {}).get("effort")
    includes = body.get("include") or []
    _refuse("reasoning.encrypted_content" in includes and not _reasons(model) and model != "model", param="include")
    _refuse(effort not in (None, *_EFFORTS), param="reasoning.effort", code="unsupported_value")
    _refuse(effort == "none" and "astra" in model, param="reasoning.effort", code="unsupported_value")
    if _reasons(model) and effort != "none":
        for name in {"temperature", "top_p", "top_logprobs"} & body.keys():
            _refuse(True, param=name, code="unsupported_parameter")
    for tool in body.get("tools", []):
        _refuse(tool.get("type") != "function" or "parameters" not in tool or "strict" not in tool, param="tools")
    _check_items(body["input"])
    wanted = (body.get("text") or {}).get("format") or {"type": "text"}
    if wanted["type"] == "json_object":
        _refuse("json" not in str(body["input"]).lower(), param="input")
    if wanted["type"] == "json_schema":
        _check_response_format({"response_format": {"type": "json_schema", "json_schema": wanted}})


def _reasons(model: str) -> bool:
    return model.startswith(("gpt-5", "gpt-6", "o1", "o3", "o4")) and "chat" not in model


def _check_items(items: list[Mapping[str, Any]]) -> None:
    asked: set[str] = set()
    for number, item in enumerate(items):
        match item.get("type", "message"):
            case "message":
                _refuse(item.get("role") not in ("user", "assistant", "system", "developer"), param=f"input[{number}]")
                _refuse(set(item) - {"type", "role", "content", "phase"}, param=f"input[{number}]")
                _refuse(item.get("phase", "final_answer") not in ("commentary", "final_answer"), param="input.phase")
                parts = item["content"] if isinstance(item["content"], list) else []
                _refuse(item["role"] == "assistant" and parts, param=f"input[{number}].content")
                kinds = {part.get("type") for part in parts}
                _refuse(kinds - {"input_text", "input_image", "input_file"}, param=f"input[{number}].content")
                for part in parts:
                    _refuse(part["type"] == "input_image" and "detail" not in part, param=f"input[{number}].content")
            case "function_call":
                _refuse(not item.get("call_id") or not isinstance(item.get("arguments"), str), param=f"input[{number}]")
                asked.add(item["call_id"])
            case "function_call_output":
                _refuse(item.get("call_id") not in asked, param=f"input[{number}].call_id")
            case "reasoning":
                led_to = items[number + 1] if number + 1 < len(items) else {}
                led = led_to.get("type") in ("reasoning", "function_call") or led_to.get("role") == "assistant"
                _refuse(not led, param=f"input[{number}]")
                _refuse("encrypted_content" not in item or "summary" not in item, param=f"input[{number}]")
            case _:
                _refuse(True, param=f"input[{number}].type")


def check_thoughts(body: Mapping[str, Any], given: list[dict[str, Any]]) -> None:
    """Raises `Complaint` unless all the thoughts that were given come back, in their order and unchanged."""
    _refuse(thoughts_in(body) != given, param="input[0]", code="invalid_encrypted_content")


def thoughts_in(value: Any) -> list[dict[str, Any]]:
    """The thoughts in a request or an answer, in their order."""
    if isinstance(value, dict):
        if value.get("type") in ("reasoning", "thinking", "redacted_thinking"):
            return [value]
        return [found for inner in value.values() for found in thoughts_in(inner)]
    return [found for inner in value for found in thoughts_in(inner)] if isinstance(value, list) else []
