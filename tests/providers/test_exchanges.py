"""What servers really send, each exchange played over HTTP on loopback: asked whole and asked as a stream, with one right value.

A file of `exchanges/` has what it shows, the kind of provider, answers of the upstream that all mean the same, and what they
mean: the parts of an answer, or the fault. A list for a count is a range, True for a call's id any usable one.
"""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from llm_gateway.domain import faults as domain_faults
from llm_gateway.domain.chat import ChatAnswer, TextDelta, ToolCallDelta, Usage
from llm_gateway.domain.faults import ProviderFault
from llm_gateway.domain.providers import ProviderKind, Timeouts
from llm_gateway.errors import ContextWindowExceeded, GatewayError, UnsupportedParameter
from llm_gateway.ports.providers import Provider
from llm_gateway.providers.registry import ProviderRegistry
from llm_gateway.wire.messages import ToolCall as IncomingCall

from tests.adapters.upstream import Raw, Refusal, ScriptedUpstream
from tests.providers.conftest import asking, subject_of

TIMEOUTS = Timeouts(connect_s=5, first_token_s=10, total_s=20)
EXCHANGES = {path.stem: json.loads(path.read_text()) for path in sorted(Path(__file__).parent.glob("exchanges/*.json"))}
ANSWERS = [
    pytest.param(exchange, upstream, id=f"{name}-{number}")
    for name, exchange in EXCHANGES.items()
    for number, upstream in enumerate(exchange["upstream"])
]
OTHER_FAULTS = {"ContextWindowExceeded": ContextWindowExceeded, "UnsupportedParameter": UnsupportedParameter}


def body_of(upstream: dict[str, Any]) -> bytes:
    if "json" in upstream:
        return json.dumps(upstream["json"]).encode()
    if "text" in upstream:
        return upstream["text"].encode()
    events = (event if isinstance(event, str) else json.dumps(event) for event in upstream["events"])
    return "".join(f"data: {event}\n\n" for event in events).encode()


def behavior_of(upstream: dict[str, Any]) -> Raw | Refusal:
    headers = upstream.get("headers", {})
    if "status" in upstream:
        return Refusal(status=upstream["status"], headers=headers, body=body_of(upstream))
    usual = "application/json" if "json" in upstream else "text/event-stream"
    return Raw(body=body_of(upstream), content_type=headers.get("content-type", usual))


@pytest.fixture
def provider(
    exchange: dict[str, Any], upstream_server: ScriptedUpstream, registry: ProviderRegistry
) -> Iterator[Provider]:
    upstream_server.reset()
    yield subject_of(ProviderKind(exchange["kind"]), upstream_server, registry).provider
    upstream_server.reset()


@pytest.mark.parametrize(("exchange", "upstream"), ANSWERS)
def test_asked_whole(exchange: dict, upstream: dict, provider: Provider, upstream_server: ScriptedUpstream) -> None:
    upstream_server.script(behavior_of(upstream))
    check(exchange, lambda: [provider.complete(asking(), timeouts=TIMEOUTS)])


@pytest.mark.parametrize(("exchange", "upstream"), ANSWERS)
def test_asked_as_a_stream(
    exchange: dict, upstream: dict, provider: Provider, upstream_server: ScriptedUpstream
) -> None:
    upstream_server.script(behavior_of(upstream))
    check(exchange, lambda: list(provider.stream(asking(), timeouts=TIMEOUTS)))


def check(exchange: dict[str, Any], ask) -> None:
    expected = exchange["expected"]
    if "fault" in expected:
        kind = OTHER_FAULTS.get(expected["fault"]) or getattr(domain_faults, expected["fault"])
        with pytest.raises(GatewayError) as caught:
            ask()
        assert type(caught.value) is kind, exchange["shows"]
        check_fault(caught.value, expected)
        return
    *deltas, answer = ask()
    assert isinstance(answer, ChatAnswer)
    check_answer(answer, expected)
    if deltas:
        check_deltas(deltas, answer)


def check_fault(fault: GatewayError, expected: dict[str, Any]) -> None:
    if "usage" in expected:
        assert isinstance(fault, ProviderFault)
        check_usage(fault.usage, expected["usage"])
    for name in ("provider_message", "retry_after_s", "complete"):
        if name in expected:
            assert getattr(fault, name) == expected[name]
    told = expected.get("upstream_status")
    assert told is None or fault.upstream_status in (told if isinstance(told, list) else [told])


def check_answer(answer: ChatAnswer, expected: dict[str, Any]) -> None:
    assert answer.text == expected["text"]
    assert answer.model == expected.get("model", answer.model)
    assert answer.finish_reason == expected.get("finish_reason", answer.finish_reason)
    calls = expected.get("tool_calls", [])
    assert [(call.name, call.arguments) for call in answer.tool_calls] == [(name, given) for _, name, given in calls]
    assert all(wanted in (call.id, True) for call, (wanted, *_) in zip(answer.tool_calls, calls, strict=True))
    ids = [call.id for call in answer.tool_calls]
    assert len(set(ids)) == len(ids), "each can be answered"
    for call in answer.tool_calls:
        IncomingCall.model_validate({"id": call.id, "function": {"name": call.name, "arguments": call.arguments}})
    check_usage(answer.usage, expected["usage"])


def check_usage(usage: Usage | None, expected: dict[str, Any]) -> None:
    assert usage is not None
    for name in Usage.__dataclass_fields__:
        wanted, found = expected.get(name, getattr(Usage(), name)), getattr(usage, name)
        assert wanted[0] <= found <= wanted[1] if isinstance(wanted, list) else found == wanted, name


def check_deltas(deltas: list, answer: ChatAnswer) -> None:
    """Joined, they are the answer."""
    assert "".join(delta.text for delta in deltas if isinstance(delta, TextDelta)) == (answer.text or "")
    pieces = [delta for delta in deltas if isinstance(delta, ToolCallDelta)]
    for index, call in enumerate(answer.tool_calls):
        own = [piece for piece in pieces if piece.index == index]
        assert [(piece.id, piece.name) for piece in own if piece.id] == [(call.id, call.name)]
        assert "".join(piece.arguments for piece in own) == call.arguments


def test_every_exchange_says_what_it_shows() -> None:
    assert len(EXCHANGES) > 50
    assert all(exchange["shows"].endswith(".") for exchange in EXCHANGES.values())
