"""Thousands of answers with members missing, null, huge and of other types: always an answer or a fault, and always its bill.

The mutations are drawn from a seed: a failure names the number of its answer, which makes the same one again.
"""

import json
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from random import Random
from typing import Any

import pytest
from llm_gateway.domain.chat import ChatAnswer, ChatRequest, Parameters, ReasoningDelta, TextDelta, ToolCallDelta, Usage
from llm_gateway.domain.faults import ProviderFault
from llm_gateway.domain.providers import ProviderKind, Timeouts
from llm_gateway.errors import ContextWindowExceeded, GatewayError, UnsupportedParameter
from llm_gateway.instruments.system import SystemClock
from llm_gateway.providers.bedrock.event_stream import records
from llm_gateway.providers.exchange import Wire, WiredProvider
from llm_gateway.providers.registry import ProviderRegistry
from llm_gateway.providers.sse import Event, events
from llm_gateway.stores.codec import to_json

from tests.adapters.upstream import Raw, Refusal, ScriptedUpstream
from tests.adapters.upstream_converse import CONVERSE, frame
from tests.adapters.upstream_wires import CHAT_COMPLETIONS, MESSAGES, RESPONSES, Counts, Said, SaidCall
from tests.providers.conftest import asking, config, subject_of

IN_PROCESS = 5_000
OVER_HTTP = 300
WIRES = {
    ProviderKind.OPENAI_COMPATIBLE: CHAT_COMPLETIONS,
    ProviderKind.ANTHROPIC: MESSAGES,
    ProviderKind.OPENAI: RESPONSES,
    ProviderKind.BEDROCK: CONVERSE,
}
KINDS = tuple(WIRES)
TIMEOUTS = Timeouts(connect_s=5, first_token_s=10, total_s=20)
COUNTED = Usage(input_tokens=20, output_tokens=7)
TIERED = Usage(input_tokens=20, output_tokens=7, service_tier="flex")
SAID = (
    Said(),
    Said(thoughts=("hm",), pieces=("Grüße", " \N{OWL}")),
    Said(
        pieces=(),
        calls=(SaidCall(name="look"), SaidCall(name="go", id="call_2", arguments=("{}",))),
        finish="tool_calls",
    ),
    Said(pieces=("Look:",), calls=(SaidCall(name="look", arguments=()),), finish="tool_calls"),
    Said(finish="length"),
    Said(thoughts=("I", " see"), secrets=("gAAA", "gBBB"), calls=(SaidCall(name="look"),), finish="tool_calls"),
    Said(
        annotations=({"type": "url_citation", "url": "https://example.org"},), logprobs=({"token": "a"},), tier="flex"
    ),
    Said(pieces=("No", "."), refusal="I will not."),
)
MISSING = object()
VALUES: tuple[Callable[[Random], Any], ...] = (
    lambda _: MISSING,
    lambda _: None,
    lambda draw: draw.choice((0, -1, 1, 7, True, 2**53, 10**12, 10**46, 10**399, 1.5, 1e300)),
    lambda draw: draw.choice(
        ("", " ", "x", "stop", "tool_use", "text", "null", "\x00", "\ud83d", "\udc00x", "9" * 5000)
    ),
    lambda draw: "x" * draw.choice((65, 300, 3_000)),
    lambda draw: draw.choice(
        ([], {}, [None], [[]], [{}], {"a": None}, [{"type": "text"}], ["x"], {"type": "tool_use"})
    ),
    lambda draw: [{"type": "text", "text": draw.choice(("y", 7))}] * draw.choice((1, 3)),
    lambda _: [{"id": "a", "index": 0, "function": {"name": "n", "arguments": "{}"}}] * 130,
    lambda _: json.loads("[" * 90 + "]" * 90),
    lambda draw: {
        "message": draw.choice(("m", ["m"], None)),
        "code": draw.choice((429, "x", [1], 10**30)),
        "param": [],
    },
)


@dataclass(frozen=True)
class Script:
    """An upstream's answer; `touched` are the members that were changed, whatever they were."""

    kind: ProviderKind
    body: bytes
    touched: frozenset[str]

    @property
    def is_whole(self) -> bool:
        return self.body.startswith(b"{")

    @property
    def content_type(self) -> str:
        return "application/json" if self.is_whole else WIRES[self.kind].content_type


def script(number: int) -> Script:
    draw = Random(number)  # noqa: S311
    kind = draw.choice(KINDS)
    wire = WIRES[kind]
    said, streamed = draw.choice(SAID), draw.random() < 0.6
    parts = stream_of(wire, said) if streamed else [wire.whole(said, Counts())]
    touched: set[str] = set()
    for _ in range(draw.choice((0, 1, 1, 1, 2, 4))):
        touched |= mutate(draw.choice(parts), draw)
    if not streamed:
        return Script(kind, dumped(parts[0]), frozenset(touched))
    if draw.random() < 0.1:
        del parts[draw.randrange(len(parts))]
        touched.add("an event")
    if wire is CONVERSE:
        framed = b"".join(frame(dumped(body), {":event-type": name}) for part in parts for name, body in part.items())
        return Script(kind, framed, frozenset(touched))
    done = [b"data: [DONE]\n\n"] if wire is CHAT_COMPLETIONS else []
    return Script(kind, b"".join([*(b"data: " + dumped(part) + b"\n\n" for part in parts), *done]), frozenset(touched))


def stream_of(wire: Any, said: Said) -> list[Any]:
    if wire is CONVERSE:
        return [json.loads(text) for text in records(data for data, _ in wire.events({}, said, Counts()))]
    asked = {"stream_options": {"include_usage": True}}
    data = [sent.decode().partition("data: ")[2].strip() for sent, _ in wire.events(asked, said, Counts())]
    return [json.loads(text) for text in data if text != "[DONE]"]


def mutate(value: Any, draw: Random) -> set[str]:
    """Changes a member somewhere within `value`; the names on the way to it."""
    way: set[str] = set()
    while True:
        places = list(value) if isinstance(value, dict) else list(range(len(value)))
        if isinstance(value, dict) and draw.random() < 0.05:
            places = [
                "error",
                "usage",
                "function_call",
                "tool_calls",
                "stop_reason",
                "finish_reason",
                "content",
                "type",
                "status",
                "output",
                "incomplete_details",
                "input_transformations",
                "summary",
                "annotations",
                "logprobs",
            ]
        if not places:
            return way
        place = draw.choice(places)
        way.add(str(place))
        inner = value.get(place) if isinstance(value, dict) else value[place]
        if isinstance(inner, dict | list) and inner and draw.random() < 0.75:
            value = inner
            continue
        changed = draw.choice(VALUES)(draw)
        if changed is MISSING:
            value.pop(place, None) if isinstance(value, dict) else value.pop(place)
        else:
            value[place] = changed
        return way


def dumped(part: Any) -> bytes:
    return json.dumps(part).encode()


@dataclass(frozen=True, kw_only=True)
class Canned:
    """The wire `spoken`, over which `body` comes back."""

    spoken: Wire
    body: bytes
    reader: Callable[[Iterator[bytes]], Iterator[Event]]

    def faults(self, request: ChatRequest):
        return self.spoken.faults(request)

    def joiner(self, request: ChatRequest, faults):
        return self.spoken.joiner(request, faults)

    @contextmanager
    def opened(self, request: ChatRequest, **_: Any) -> Iterator[Iterator[Event]]:
        yield self.reader(self.body[start : start + 1000] for start in range(0, len(self.body), 1000))


@pytest.fixture(scope="module")
def wires() -> dict[ProviderKind, Wire]:
    registry = ProviderRegistry(clock=SystemClock(), private_addresses_allowed=True)
    opened = {kind: registry.open(config(kind, "http://127.0.0.1:9/v1"), None) for kind in KINDS}
    return {kind: provider.wire for kind, provider in opened.items() if isinstance(provider, WiredProvider)}


@pytest.mark.parametrize("share", range(10))
def test_always_an_answer_or_a_fault_and_its_bill(wires: dict[ProviderKind, Wire], share: int) -> None:
    for number in range(share, IN_PROCESS, 10):
        made = script(number)
        reader = records if made.kind is ProviderKind.BEDROCK and not made.is_whole else events
        canned = Canned(spoken=wires[made.kind], body=made.body, reader=reader)
        provider = WiredProvider(wire=canned, clock=SystemClock())
        check_all(number, made, provider)


def test_so_it_is_over_http(upstream: ScriptedUpstream, registry: ProviderRegistry) -> None:
    for number in range(IN_PROCESS, IN_PROCESS + OVER_HTTP):
        made = script(number)
        by_responses = made.kind is ProviderKind.OPENAI
        provider = subject_of(made.kind, upstream, registry, by_responses=by_responses).provider
        upstream.otherwise = Raw(body=made.body, content_type=made.content_type)
        check_all(number, made, provider)


def test_errors_over_http_too(upstream: ScriptedUpstream, registry: ProviderRegistry) -> None:
    for number in range(OVER_HTTP):
        draw = Random(number)  # noqa: S311
        error = {"error": {"message": "m", "type": "t", "code": "c", "param": "p", "details": {"error_code": "e"}}}
        for _ in range(3):
            mutate(error, draw)
        status = draw.choice((301, 400, 401, 403, 404, 408, 413, 422, 429, 500, 529))
        upstream.otherwise = Refusal(
            status=status, body=dumped(error), headers={"retry-after": draw.choice(("x", "1e9"))}
        )
        with pytest.raises((ProviderFault, ContextWindowExceeded, UnsupportedParameter)) as caught:
            subject_of(draw.choice(KINDS), upstream, registry).provider.complete(asking(), timeouts=TIMEOUTS)
        message = caught.value.provider_message
        assert message is None or 0 < len(message) <= 500
        assert (caught.value.retry_after_s or 0) <= 3600


def check_all(number: int, made: Script, provider) -> None:
    deltas: list = []
    whole = None
    asked = asking(
        by_responses=made.kind is ProviderKind.OPENAI, parameters=Parameters(reasoning_effort="high", logprobs=1)
    )
    try:
        whole = provider.complete(asked, timeouts=TIMEOUTS)
    except GatewayError as fault:
        check_fault(number, made, fault, deltas)
    try:
        deltas.extend(provider.stream(asked, timeouts=TIMEOUTS))
    except GatewayError as fault:
        check_fault(number, made, fault, deltas)
        assert whole is None, number
    else:
        streamed = deltas.pop()
        assert whole == streamed, number
        check_answer(number, made, streamed, deltas)


def check_fault(number: int, made: Script, fault: GatewayError, deltas: list) -> None:
    assert isinstance(fault, ProviderFault | ContextWindowExceeded | UnsupportedParameter), number
    assert fault.detail.isprintable(), number
    usage = fault.usage if isinstance(fault, ProviderFault) else None
    if deltas and isinstance(fault, ProviderFault):
        assert usage is not None, f"{number}: what was generated is billed"
    if made.is_whole and is_counted(made) and isinstance(fault, ProviderFault):
        assert usage in (COUNTED, TIERED), f"{number}: what was counted is billed"
    check_usage(number, usage)


def check_answer(number: int, made: Script, answer: ChatAnswer, deltas: list) -> None:
    assert isinstance(answer, ChatAnswer), number
    check_usage(number, answer.usage)
    if is_counted(made):
        assert answer.usage in (COUNTED, TIERED), number
    text = "".join(delta.text for delta in deltas if isinstance(delta, TextDelta))
    assert text == (answer.text or ""), number
    thought = "".join(delta.text for delta in deltas if isinstance(delta, ReasoningDelta))
    assert thought == ((answer.reasoning and answer.reasoning.text) or ""), number
    items = answer.reasoning.items if answer.reasoning else ()
    assert all(0 <= item.after <= len(answer.tool_calls) + 1 for item in items), number
    json.dumps([dict(item.item) for item in items], ensure_ascii=False).encode()
    to_json(ChatAnswer, answer)
    for index, call in enumerate(answer.tool_calls):
        pieces = [delta for delta in deltas if isinstance(delta, ToolCallDelta) and delta.index == index]
        assert "".join(piece.arguments for piece in pieces) == call.arguments, number
        assert re.fullmatch(r"[a-zA-Z0-9_-]{1,64}", call.name), number
    ids = [call.id for call in answer.tool_calls]
    assert len(set(ids)) == len(ids) <= 128, number
    assert all(name.strip() for name in (*ids, answer.model)), number
    (repr(answer) + text).encode()


def check_usage(number: int, usage: Usage | None) -> None:
    if usage is not None:
        assert 0 <= usage.input_tokens < 500_000, number
        assert 0 <= usage.output_tokens < 1_000_000, number
        assert usage.cached_input_tokens + usage.cache_write_tokens <= usage.input_tokens, number
        assert usage.reasoning_tokens <= usage.output_tokens, number


def is_counted(made: Script) -> bool:
    """Whether nothing was changed that could change the bill, or that makes another thing than an answer of it."""
    spoilt = {"usage", "error", "type", "object", "service_tier", "status", "response"}
    if not made.is_whole:
        spoilt |= {"message", "choices", "an event", "delta", "metadata", "messageStop"}
    return not made.touched & spoilt and b"9" * 400 not in made.body and b"1" + b"0" * 300 not in made.body
