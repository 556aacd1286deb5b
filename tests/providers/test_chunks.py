"""Chunks of Chat Completions that hold a text alone are read by a shorter way: what comes of them is the same."""

import json
from copy import deepcopy
from typing import Any

from hypothesis import example, given, settings
from hypothesis import strategies as st
from llm_gateway.domain.chat import ChatRequest, Parameters
from llm_gateway.domain.providers import ProviderKind
from llm_gateway.domain.vendors import VENDORS
from llm_gateway.errors import GatewayError
from llm_gateway.instruments.system import SystemClock
from llm_gateway.providers.chat_completions.answer import ChunkJoiner
from llm_gateway.providers.chat_completions.faults import fault_table

from tests.providers.conftest import asking

REQUESTS = (asking(), asking(parameters=Parameters(logprobs=2, reasoning_effort="low")))
FAULTS = fault_table(SystemClock())

texts = st.sampled_from(["", "Hello", " there", "\ud83d", "\ude00", "\x00", "é"]) | st.text(max_size=5)
strange = st.none() | st.sampled_from([0, 1, False, True, "", "x", [], [None], {}, {"a": 1}, ["x"], 1.5])
usages = st.fixed_dictionaries({"prompt_tokens": st.integers(0, 9), "completion_tokens": st.integers(0, 9)})
calls = st.lists(
    st.fixed_dictionaries(
        {"index": st.integers(0, 1), "function": st.fixed_dictionaries({"name": texts, "arguments": texts})}
    ),
    max_size=2,
)
tokens = st.just({"content": [{"token": "x", "logprob": -1.0}]})


CHUNK, CHOICE, DELTA = (), ("choices", 0), ("choices", 0, "delta")
MEMBERS: dict[tuple[tuple[str | int, ...], str], st.SearchStrategy[Any]] = {
    (CHUNK, "object"): st.just("error"),
    (CHUNK, "error"): st.just({"message": "no"}),
    (CHUNK, "model"): st.just("another"),
    (CHUNK, "service_tier"): st.sampled_from(["default", "flex", "<>"]),
    (CHUNK, "usage"): usages,
    (CHUNK, "x_groq"): st.fixed_dictionaries({"usage": usages}),
    (CHUNK, "choices"): st.lists(st.just({"delta": {"content": "of many"}}) | strange, max_size=2),
    (CHOICE, "delta"): strange,
    (CHOICE, "message"): st.just({"content": "of a message"}),
    (CHOICE, "finish_reason"): st.just("stop"),
    (CHOICE, "logprobs"): tokens,
    (CHOICE, "usage"): usages,
    (DELTA, "content"): st.just([{"type": "text", "text": "of a part"}]),
    (DELTA, "role"): st.just("assistant"),
    (DELTA, "refusal"): texts,
    (DELTA, "tool_calls"): calls,
    (DELTA, "function_call"): st.just({"name": "f", "arguments": "{}"}),
    (DELTA, "annotations"): st.just([{"type": "url_citation"}]),
    (DELTA, "reasoning_content"): texts,
    (DELTA, "reasoning"): texts,
    (DELTA, "another"): texts,
}


@st.composite
def chunks(draw: st.DrawFn) -> dict[str, Any]:
    """A chunk with a text alone, and often with a member or two that make it something else."""
    chunk: dict[str, Any] = {"model": "m", "choices": [{"index": 0, "delta": {"content": draw(texts)}}]}
    # Those of a delta first: others may leave no delta to put them into.
    for place, name in sorted(draw(st.sets(st.sampled_from(sorted(MEMBERS)), max_size=2)), reverse=True):
        inner: Any = chunk
        for step in place:
            inner = inner[step]
        inner[name] = draw(MEMBERS[place, name] | strange)
    return chunk


class Whole(ChunkJoiner):
    """Reads every chunk in full."""

    def _take(self, chunk: Any) -> Any:
        return self._take_any(chunk)


def _joined(joiner: type[ChunkJoiner], request: ChatRequest, stream: list[Any], *, is_named: bool = True) -> list[Any]:
    """All that can be seen of a joiner while it takes the chunks."""
    one = joiner(request=request, profile=VENDORS[ProviderKind.OPENAI].profile("m"), faults=FAULTS)
    if is_named:
        one.name_model("m")
    seen: list[Any] = []
    for chunk in stream:
        try:
            seen.append(one.take_record(json.dumps(chunk)))
        except GatewayError as fault:
            seen.append((type(fault), fault.detail))
        seen.append((one.generating, one.whole, one.reason, one._refused, one.model, list(one.bill.tiers)))
        seen.append(deepcopy((one.text, one.thought, one.bill.counts, one.annotations, one.logprobs, one.calls.calls)))
    return seen


@given(request=st.sampled_from(REQUESTS), is_named=st.booleans(), stream=st.lists(chunks(), min_size=1, max_size=8))
@settings(max_examples=200)
@example(
    is_named=True,
    request=REQUESTS[0],
    stream=[{"model": "m", "choices": [{"delta": {"content": half}}]} for half in "\ud83d\ude00"],
)
def test_the_shorter_way_ends_where_the_longer_does(request: ChatRequest, stream: list[Any], is_named: bool) -> None:
    shorter, longer = (_joined(joiner, request, stream, is_named=is_named) for joiner in (ChunkJoiner, Whole))
    assert shorter == longer


def test_a_stream_of_text_goes_the_shorter_way() -> None:
    class Shorter(ChunkJoiner):
        taken = 0

        def _take_any(self, chunk: Any) -> Any:
            type(self).taken += 1
            return super()._take_any(chunk)

    nothing = {"refusal": None, "tool_calls": None, "reasoning_content": None}
    text = {"index": 0, "delta": {"content": "x", **nothing}, "finish_reason": None, "logprobs": None}
    stream = [{"model": "m", "service_tier": "default", "usage": None, "choices": [text]}] * 10
    _joined(Shorter, REQUESTS[0], stream)
    assert Shorter.taken == 0
