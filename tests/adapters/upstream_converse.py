"""Bedrock's Converse as a scripted upstream speaks it: answers, event-stream frames with their CRCs, errors; and what it refuses.

Requests are checked against botocore's own description of the API, and their signatures by botocore's own signer.
"""

import base64
import json
import re
import struct
from binascii import crc32
from collections.abc import Iterator, Mapping
from functools import cache
from itertools import pairwise
from typing import Any

from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from botocore.model import ServiceModel, Shape
from botocore.session import Session
from botocore.validate import ParamValidator

from tests.adapters.upstream_rules import Complaint
from tests.adapters.upstream_wires import Counts, JsonDict, Said, Wire

ACCESS_KEY, SECRET_KEY, TOKEN = "AKIDEXAMPLE", "a secret access key", "a token"
_AUTHORIZATION = re.compile(
    r"AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/\d{8}/([a-z0-9-]+)/bedrock/aws4_request, "
    r"SignedHeaders=([a-z0-9;-]+), Signature=([0-9a-f]{64})"
)
_STOP_REASONS = {
    "stop": "end_turn",
    "length": "max_tokens",
    "tool_calls": "tool_use",
    "content_filter": "guardrail_intervened",
}
_EXCEPTIONS = {
    "overloaded_error": "serviceUnavailableException",
    "rate_limit_error": "throttlingException",
    "invalid_request_error": "validationException",
}


def frame(payload: bytes, headers: Mapping[str, str]) -> bytes:
    """A message of `application/vnd.amazon.eventstream`, by its specification."""
    packed = b"".join(
        bytes([len(name)]) + name.encode() + b"\x07" + struct.pack("!H", len(value.encode())) + value.encode()
        for name, value in headers.items()
    )
    prelude = struct.pack("!II", 12 + len(packed) + len(payload) + 4, len(packed))
    message = prelude + struct.pack("!I", crc32(prelude)) + packed + payload
    return message + struct.pack("!I", crc32(message))


def event(name: str, body: JsonDict, *, kind: str = "event") -> bytes:
    headers = {f":{kind}-type": name, ":content-type": "application/json", ":message-type": kind}
    return frame(json.dumps(body, ensure_ascii=False).encode(), headers)


def _usage(counts: Counts) -> JsonDict:
    details = {"1h": counts.cache_write_1h, "5m": counts.cache_write - counts.cache_write_1h}
    return {
        "inputTokens": counts.input - counts.cached - counts.cache_write,
        "outputTokens": counts.output,
        "totalTokens": counts.input + counts.output,
        "cacheReadInputTokens": counts.cached,
        "cacheWriteInputTokens": counts.cache_write,
        "cacheDetails": [{"ttl": ttl, "inputTokens": tokens} for ttl, tokens in details.items() if tokens],
    }


def _converse(said: Said, counts: Counts | None) -> JsonDict:
    text = said.text + (said.refusal or "")
    blocks: list[JsonDict] = [{"reasoningContent": {"reasoningText": {"text": thought}}} for thought in said.thoughts]
    blocks += [{"text": text}] if text else []
    blocks += [
        {"toolUse": {"toolUseId": call.id, "name": call.name, "input": json.loads("".join(call.arguments) or "{}")}}
        for call in said.calls
    ]
    return {
        "output": {"message": {"role": "assistant", "content": blocks}},
        "stopReason": _STOP_REASONS.get(said.finish, said.finish),
        "usage": _usage(counts) if counts else None,
        "metrics": {"latencyMs": 12},
    }


def _events(_: JsonDict, said: Said, counts: Counts | None) -> Iterator[tuple[bytes, bool]]:
    def delta(index: int, body: JsonDict) -> tuple[bytes, bool]:
        return event("contentBlockDelta", {"delta": body, "contentBlockIndex": index, "p": "abcd"}), True

    yield event("messageStart", {"role": "assistant"}), False
    index = 0
    thoughts: list[JsonDict] = [{"reasoningContent": {"text": thought}} for thought in said.thoughts]
    texts: list[JsonDict] = [{"text": piece} for piece in (*said.pieces, *([said.refusal] if said.refusal else []))]
    for pieces in (thoughts, texts):
        if pieces:
            yield from (delta(index, piece) for piece in pieces)
            yield event("contentBlockStop", {"contentBlockIndex": index}), False
            index += 1
    for call in said.calls:
        start = {"toolUse": {"toolUseId": call.id, "name": call.name}}
        yield event("contentBlockStart", {"start": start, "contentBlockIndex": index}), True
        yield from (delta(index, {"toolUse": {"input": piece}}) for piece in call.arguments)
        yield event("contentBlockStop", {"contentBlockIndex": index}), False
        index += 1
    yield event("messageStop", {"stopReason": _STOP_REASONS.get(said.finish, said.finish)}), False
    yield event("metadata", {"usage": _usage(counts) if counts else None, "metrics": {"latencyMs": 12}}), False


def _error(kind: str, code: str | None, _: str | None) -> bytes:
    return json.dumps({"message": "SECRET-WORDS", "__type": code or kind}).encode()


def _error_event(error: Mapping[str, Any]) -> bytes:
    name = _EXCEPTIONS.get(str(error.get("type")), str(error.get("type")))
    return event(name, {"message": error.get("message")}, kind="exception")


_WHOLE = event("messageStart", {"role": "assistant"})

CONVERSE = Wire(
    whole=_converse,
    events=_events,
    error=_error,
    error_event=_error_event,
    # The API has no event for it: one of a kind that nobody knows.
    keep_alive=event("ping", {}),
    content_type="application/vnd.amazon.eventstream",
    malformed=_WHOLE[:-1] + bytes([_WHOLE[-1] ^ 1]),
)


@cache
def _service() -> ServiceModel:
    model: ServiceModel = Session().get_service_model("bedrock-runtime")
    return model


def check_converse(path: str, headers: Mapping[str, str], raw: bytes) -> None:
    """Raises `Complaint` for a request that is not signed as AWS asks, or that botocore's model of the API does not know."""
    check_signature(path, headers, raw)
    operation = _service().operation_model("ConverseStream" if path.endswith("-stream") else "Converse")
    shape = operation.input_shape
    body = {**_with_blobs(json.loads(raw), shape), "modelId": "model"}
    report = ParamValidator().validate(body, shape)
    if report.has_errors():
        raise Complaint(param=report.generate_report(), type="ValidationException")
    _check_turns(body)


def _with_blobs(value: Any, shape: Shape) -> Any:
    """A body as botocore's validator takes it: what is base64 in JSON is bytes there."""
    match shape.type_name:
        case "structure" if isinstance(value, dict) and not getattr(shape, "is_document_type", False):
            members = shape.members  # type: ignore[attr-defined]
            return {name: _with_blobs(one, members[name]) if name in members else one for name, one in value.items()}
        case "list" if isinstance(value, list):
            return [_with_blobs(one, shape.member) for one in value]  # type: ignore[attr-defined]
        case "blob":
            return base64.b64decode(value, validate=True)
        case _:
            return value


def check_signature(path: str, headers: Mapping[str, str], raw: bytes) -> None:
    found = _AUTHORIZATION.fullmatch(headers.get("authorization", ""))
    if found is None:
        raise Complaint(403, type="MissingAuthenticationTokenException")
    region, names, signature = found.groups()
    request = AWSRequest(
        method="POST",
        url=f"http://{headers['host']}{path}",
        data=raw,
        headers={name: headers[name] for name in names.split(";")},
    )
    request.context["timestamp"] = headers["x-amz-date"]
    signer = SigV4Auth(Credentials(ACCESS_KEY, SECRET_KEY, TOKEN), "bedrock", region)
    text = signer.string_to_sign(request, signer.canonical_request(request))
    if signer.signature(text, request) != signature or headers.get("x-amz-security-token") != TOKEN:
        raise Complaint(403, type="InvalidSignatureException")


def _check_turns(body: Mapping[str, Any]) -> None:
    """What the service refuses beyond its model: turns that do not take turns, blank texts, tools that nobody declared."""

    def refuse(condition: object, param: str) -> None:
        if condition:
            raise Complaint(param=param, type="ValidationException")

    turns = body.get("messages") or []
    refuse(not turns or turns[0]["role"] != "user", "messages")
    refuse(any(one["role"] == other["role"] for one, other in pairwise(turns)), "messages.role")
    asked: set[str] = set()
    for turn in turns:
        refuse(not turn["content"], "messages.content")
        for block in turn["content"]:
            refuse("text" in block and not block["text"].strip(), "messages.content.text")
            refuse(block.keys() & {"toolUse", "toolResult"} and "toolConfig" not in body, "toolConfig")
            refuse("toolResult" in block and block["toolResult"]["toolUseId"] not in asked, "toolUseId")
            refuse("toolResult" in block and not block["toolResult"]["content"], "toolResult.content")
        asked = {block["toolUse"]["toolUseId"] for block in turn["content"] if "toolUse" in block}
    for tool in (body.get("toolConfig") or {}).get("tools", []):
        refuse(tool["toolSpec"]["inputSchema"]["json"].get("type") != "object", "toolConfig")
    wanted = (body.get("outputConfig") or {}).get("textFormat")
    if wanted:
        _check_schema(json.loads(wanted["structure"]["jsonSchema"]["schema"]), refuse)


def _check_schema(schema: Mapping[str, Any], refuse: Any) -> None:
    refuse(schema.keys() & {"minimum", "maximum", "minLength", "maxLength", "pattern", "oneOf"}, "schema")
    refuse(schema.get("type") == "object" and schema.get("additionalProperties") is not False, "schema")
    for inner in (*schema.get("properties", {}).values(), *schema.get("anyOf", ())):
        _check_schema(inner, refuse)
