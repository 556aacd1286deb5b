"""What strange answers of providers come to in the end: for the caller, the bill, the circuit and the limits."""

from collections.abc import Iterator
from datetime import UTC, datetime

import pytest
from llm_gateway.domain.chat import Message, MessageRole, OutputFormat, TextPart, ToolCall
from llm_gateway.domain.circuits import CircuitState
from llm_gateway.domain.faults import ProviderRateLimited, ProviderResponseInvalid, ResponseValidationFailed
from llm_gateway.domain.providers import CircuitPolicy, ProviderCredentials, ProviderLimits
from llm_gateway.errors import ContextWindowExceeded, GatewayError, UnsupportedParameter
from llm_gateway.instruments.system import SystemClock
from llm_gateway.providers.registry import ProviderRegistry

from tests.adapters.engine import Engine, question, story
from tests.adapters.real_engine import calling, real_engine, upstreams
from tests.adapters.upstream import Answer, Refusal, ScriptedUpstream
from tests.adapters.upstream_wires import Counts, Said

Upstreams = dict[str, ScriptedUpstream]
JSON = OutputFormat(type="json_schema", schema={"type": "object", "required": ["a"]})
TOO_LONG = Refusal(status=400, type="exceed_context_size_error")


@pytest.fixture(scope="module")
def servers() -> Iterator[Upstreams]:
    with upstreams() as servers:
        yield servers


@pytest.fixture(scope="module")
def registry() -> ProviderRegistry:
    return ProviderRegistry(clock=SystemClock(), private_addresses_allowed=True)


@pytest.fixture
def upstream(servers: Upstreams) -> Upstreams:
    for server in servers.values():
        server.reset()
    return servers


@pytest.fixture
def engine(registry: ProviderRegistry) -> Engine:
    return real_engine(registry)


def add(engine: Engine, upstream: Upstreams, name: str, **changes) -> None:
    engine.add(calling(name, upstream[name].url, **changes))
    engine.credentials.put(name, ProviderCredentials(api_key="sk-test"))


def failing(engine: Engine, kind: type[GatewayError], **asked):
    progress = engine.progress(question(**asked))
    with pytest.raises(kind) as caught:
        engine.ask(question(**asked), progress)
    return caught.value, progress


def calling_with(arguments: str) -> tuple[Message, ...]:
    call = ToolCall(id="t1", name="w", arguments=arguments)
    return (
        Message(role=MessageRole.USER, content=(TextPart(text="a"),)),
        Message(role=MessageRole.ASSISTANT, tool_calls=(call,)),
        Message(role=MessageRole.TOOL, tool_call_id="t1", content=(TextPart(text="r"),)),
    )


@pytest.mark.parametrize("arguments", ['{"a": "\\ud83d"}', '{"a": NaN}', "{half"])
def test_a_request_that_cannot_be_sent_says_nothing_of_the_provider(engine, upstream, arguments: str) -> None:
    add(engine, upstream, "b", circuit=CircuitPolicy(failure_threshold=2))

    for _ in range(3):
        fault, _ = failing(engine, UnsupportedParameter, messages=calling_with(arguments))
        assert fault.status == 422
        assert [error.field for error in fault.errors] == ["messages[1].tool_calls[0].function.arguments"]

    state = engine.gates.state(engine.store.get("b"))
    assert (upstream["b"].requests, state.circuit, state.metrics.errors) == ([], CircuitState.CLOSED, 0)
    assert engine.ask(question())[0].text == "Hello there."


def test_a_count_beyond_reason_shuts_nobody_out(engine: Engine, upstream: Upstreams) -> None:
    add(engine, upstream, "d", limits=ProviderLimits(tokens_per_minute=100_000))
    upstream["d"].otherwise = Answer(counts=Counts(input=10**12))

    for _ in range(2):
        answered, _ = engine.ask(question())
        assert answered.usage.estimated
        assert answered.usage.input_tokens < 100


def test_a_window_that_is_too_small_is_told_and_another_candidate_asked(engine: Engine, upstream: Upstreams) -> None:
    add(engine, upstream, "c")
    upstream["c"].otherwise = TOO_LONG
    fault, progress = failing(engine, ContextWindowExceeded)
    assert (fault.status, fault.code) == (422, "context_window_exceeded")

    add(engine, upstream, "d")
    _, progress = engine.ask(question())
    assert story(progress) == [("c", "error", "context_window_exceeded"), ("d", "ok", None)]


def test_an_answer_without_the_calls_that_it_speaks_of_is_held_against_the_schema(engine, upstream: Upstreams) -> None:
    add(engine, upstream, "d")
    upstream["d"].otherwise = Answer(said=Said(pieces=("no json",), finish="tool_calls"))

    fault, progress = failing(engine, ResponseValidationFailed, output=JSON)

    assert fault.complete
    assert len(upstream["d"].requests) == len(progress.attempts) == 2


@pytest.mark.parametrize("before", ["<think>What is {a}?</think>\n", "thoughts that a template began</think>"])
def test_thoughts_before_json_are_passed_over(engine: Engine, upstream: Upstreams, before: str) -> None:
    add(engine, upstream, "d")
    upstream["d"].otherwise = Answer(said=Said(pieces=(before, '{"a": "</think>"}')))

    assert engine.ask(question(output=JSON))[0].json == {"a": "</think>"}


@pytest.mark.parametrize("streams", [False, True])
def test_an_answer_that_ends_for_an_unknown_reason_is_billed(engine, upstream: Upstreams, streams: bool) -> None:
    add(engine, upstream, "d")
    upstream["d"].otherwise = Answer(said=Said(finish="whim"), counts=Counts(input=1000, output=1000))
    progress = engine.progress(question())

    with pytest.raises(ProviderResponseInvalid) as caught:
        list(engine.stream(question(), progress)) if streams else engine.ask(question(), progress)

    assert caught.value.complete
    assert [attempt.cost_usd for attempt in progress.attempts if attempt.cost_usd] != []
    assert len(upstream["d"].requests) == 1


def test_a_moment_to_come_back_is_the_same_in_the_answer_and_at_the_gate(engine: Engine, upstream: Upstreams) -> None:
    add(engine, upstream, "d")
    in_a_minute = datetime.now(UTC).timestamp() + 60
    upstream["d"].otherwise = Refusal(status=429, headers={"retry-after": str(int(in_a_minute))})

    waits = [failing(engine, ProviderRateLimited)[0].retry_after_s for _ in range(2)]

    assert len(upstream["d"].requests) == 1
    assert all(50 < (wait or 0) <= 60 for wait in waits)


def test_an_endless_wait_is_an_hour_in_both(engine: Engine, upstream: Upstreams) -> None:
    add(engine, upstream, "d")
    upstream["d"].otherwise = Refusal(status=429, headers={"retry-after": "1e300"})

    waits = [failing(engine, ProviderRateLimited)[0].retry_after_s for _ in range(2)]

    assert all(3590 < (wait or 0) <= 3600 for wait in waits)
