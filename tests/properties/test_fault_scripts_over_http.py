"""The same over real HTTP: whatever upstreams send through the real adapters, a query ends once, in time, and is billed."""

import time
from collections import Counter
from collections.abc import Iterator, Sequence
from decimal import Decimal

import pytest
from hypothesis import HealthCheck, event, given, settings
from hypothesis import strategies as st
from llm_gateway.domain.chat import ChatAnswer, OutputFormat, Parameters
from llm_gateway.domain.providers import CircuitPolicy, ProviderConfig, RetryPolicy, Timeouts
from llm_gateway.domain.queries import Attempt, AttemptOutcome, QueryRequest, total_usd
from llm_gateway.errors import GatewayError
from llm_gateway.instruments.system import SystemClock
from llm_gateway.providers.registry import ProviderRegistry
from llm_gateway.services.queries.progress import Progress

from tests.adapters.engine import Engine, question, settle
from tests.adapters.real_engine import KINDS, calling, real_engine, upstreams
from tests.adapters.upstream import Answer, Behavior, HangUp, Raw, Refusal, ScriptedUpstream, StreamFault
from tests.adapters.upstream_wires import Said
from tests.patience import FOREVER_S, LATE_S

MOST_CALLS = 6
TIMEOUT_S = 1.2
PRICE = Decimal(27) / 1_000_000  # Of the tokens that an upstream counts unless told otherwise.
JSON = OutputFormat(type="json_schema", schema={"type": "object", "required": ["name"], "properties": {"name": {}}})
Upstreams = dict[str, ScriptedUpstream]


@pytest.fixture(scope="module")
def servers() -> Iterator[Upstreams]:
    with upstreams() as servers:
        yield servers


@pytest.fixture(scope="module")
def registry(servers: Upstreams) -> ProviderRegistry:
    """Its adapters have each been called: importing an SDK takes longer than these tests let a call last."""
    registry = ProviderRegistry(clock=SystemClock(), private_addresses_allowed=True)
    for name, server in servers.items():
        engine = real_engine(registry).add(calling(name, server.url))
        engine.ask(question())
    return registry


waits = st.sampled_from(
    [{}, {}, {"retry-after": "0"}, {"retry-after-ms": "80"}, {"retry-after": "30"}, {"retry-after": "soon"}]
)
refusals = st.builds(Refusal, status=st.sampled_from([500, 503, 529, 429, 429, 408, 401, 403, 400]), headers=waits)
texts = st.sampled_from([('{"name":', ' "Ada"}'), ("Hello", "."), ('{"nome":', ' "Ada"}'), ('{"name',)])
stream_faults = st.none() | st.builds(
    StreamFault,
    kind=st.sampled_from(["disconnect", "truncate", "stall", "chatter", "malformed", "error"]),
    after=st.integers(0, 1),
    lasting_s=st.just(FOREVER_S),
)
answers = st.builds(
    Answer,
    said=texts.map(lambda pieces: Said(pieces=pieces)),
    delay_s=st.sampled_from([0, 0, 0.05, FOREVER_S]),
    fault=stream_faults,
)
garbage = st.sampled_from([b"", b"<html>", b"null", b'{"choices": [{}]}', b'{"content": "', b"\xff\xfe"]).map(
    lambda body: Raw(body=body)
)
drips = st.just(Raw(body=b" " * 1_200, dripped_s=0.05))
behaviors: st.SearchStrategy[Behavior] = st.one_of(
    refusals, refusals, answers, answers, garbage, drips, st.builds(HangUp, delay_s=st.sampled_from([0, 0.1]))
)


def book(servers: Upstreams, count: int, most: int, total_s: float) -> list[ProviderConfig]:
    return [
        calling(
            name,
            servers[name].url,
            retry=RetryPolicy(max_attempts=most),
            timeouts=Timeouts(connect_s=0.2, first_token_s=min(0.2, total_s), total_s=total_s),
            circuit=CircuitPolicy(failure_threshold=4),
        )
        for name in list(KINDS)[:count]
    ]


def run(
    engine: Engine, request: QueryRequest, progress: Progress, leaves_after: int | None
) -> ChatAnswer | GatewayError | None:
    """How the query ended; None where its client left."""
    try:
        if leaves_after is None:
            return engine.ask(request, progress)[0]
        items = engine.stream(request, progress)
        for number, item in enumerate(items):
            if isinstance(item, ChatAnswer):
                items.close()
                settle(progress)
                return item
            if number == leaves_after:
                items.close()
                return None
        raise AssertionError("a stream ended without its answer")
    except GatewayError as error:
        return error


def have_met(servers: Upstreams, called: Sequence[Attempt]) -> bool:
    """Whether the upstreams met these calls and no others.

    One that was given up may still be on its way for a moment, or, on a busy machine, was given up before it was sent.
    """
    for _ in range(100):
        counts = Counter({name: len(server.requests) for name, server in servers.items()})
        if counts == Counter(attempt.provider for attempt in called):
            return True
        time.sleep(0.01)
    in_time = Counter(attempt.provider for attempt in called if attempt.error_code != "provider_timeout")
    return in_time <= counts <= Counter(attempt.provider for attempt in called)


@settings(max_examples=36, deadline=None, suppress_health_check=list(HealthCheck))
@given(data=st.data())
def test_whatever_upstreams_do(data: st.DataObject, servers: Upstreams, registry: ProviderRegistry) -> None:
    configs = book(
        servers,
        data.draw(st.integers(1, 4), label="providers"),
        data.draw(st.integers(1, 3), label="tries"),
        # Where a provider has a minute, the query's own time alone ends a call.
        data.draw(st.sampled_from([0.3, FOREVER_S]), label="total_s"),
    )
    engine = real_engine(registry).add(*configs)
    for config in configs:
        servers[config.id].reset()
        servers[config.id].script(*data.draw(st.lists(behaviors, max_size=5), label=config.id))
    output = data.draw(st.sampled_from([OutputFormat(), JSON]), label="output")
    leaves_after = data.draw(st.sampled_from([None, None, 0, 99]), label="leaves after")
    request = question(output=output, timeout_s=TIMEOUT_S, parameters=Parameters(max_output_tokens=50))
    progress = engine.progress(request)

    end = run(engine, request, progress, leaves_after)
    took_s = time.monotonic() - progress.deadline.since_s

    called = [attempt for attempt in progress.attempts if attempt.outcome is not AttemptOutcome.SKIPPED]
    event(type(end).__name__)
    event(f"{len(called)} calls")
    assert took_s <= TIMEOUT_S + LATE_S
    assert len(called) == progress.calls <= MOST_CALLS
    assert progress.provider_s + progress.waiting_s <= took_s
    assert engine.gates.all_ended_once
    assert have_met({config.id: servers[config.id] for config in configs}, called)
    answered = [attempt for attempt in progress.attempts if attempt.outcome is AttemptOutcome.OK]
    assert len(answered) == isinstance(end, ChatAnswer)
    for attempt in called:
        whole = attempt.outcome is AttemptOutcome.OK or attempt.error_code == "response_validation_failed"
        assert attempt.cost_usd == PRICE if whole else attempt.cost_usd is None or leaves_after is not None
    if isinstance(end, ChatAnswer):
        assert progress.attempts[-1].outcome is AttemptOutcome.OK
        assert total_usd(progress.attempts) == sum(filter(None, [attempt.cost_usd for attempt in called]))
        assert (end.json is not None) == (output is JSON)
    elif isinstance(end, GatewayError):
        assert end.status in (422, 429, 502, 503, 504)
        assert "SECRET-WORDS" not in end.detail
