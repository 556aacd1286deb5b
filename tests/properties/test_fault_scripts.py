"""Whatever providers do, a query ends once, in time, after few calls, and is billed what they bill."""

from dataclasses import dataclass
from decimal import Decimal

from hypothesis import event, given, settings
from hypothesis import strategies as st
from llm_gateway.domain.chat import ChatAnswer, OutputFormat, Usage
from llm_gateway.domain.faults import (
    ProviderAuthFailed,
    ProviderFailed,
    ProviderFault,
    ProviderNotConnected,
    ProviderRateLimited,
    ProviderRefused,
    ProviderRejected,
    ProviderResponseInvalid,
    ProviderTimeout,
    ProviderUnreachable,
)
from llm_gateway.domain.providers import (
    CircuitPolicy,
    ModelConfig,
    ProviderConfig,
    ProviderCredentials,
    ProviderLimits,
    RetryPolicy,
    Timeouts,
)
from llm_gateway.domain.queries import Attempt, AttemptOutcome, QueryRequest, total_usd
from llm_gateway.errors import GatewayError
from llm_gateway.services.queries.progress import Progress

from tests.adapters.credential_store import InMemoryCredentialStore
from tests.adapters.engine import Engine, question, settle, with_key
from tests.adapters.prices import FlatPrices
from tests.adapters.scripted_providers import Called, Raises, Says

SLACK_S = 0.25
MOST_CALLS = 6
JSON = OutputFormat(type="json_schema", schema={"type": "object", "required": ["name"]})
CALLED = (AttemptOutcome.OK, AttemptOutcome.ERROR, AttemptOutcome.CANCELLED)
OUTCOMES = {422, 429, 502, 503, 504}


class RotatingCredentials(InMemoryCredentialStore):
    """A store whose secrets have changed, now and then, whenever they are read anew."""

    def __init__(self, rotations: list[bool]) -> None:
        super().__init__()
        self._rotations = rotations
        self._version = 0

    def get(self, provider_id: str, *, fresh: bool = False, **_: object) -> ProviderCredentials | None:
        if fresh and self._rotations and self._rotations.pop():
            self._version += 1
            self.put(provider_id, ProviderCredentials(api_key=f"key-{self._version}"))
        return super().get(provider_id)


@dataclass(frozen=True)
class Ask:
    """One query of a script: what is asked, and after how many items of its stream the client leaves."""

    request: QueryRequest
    streams: bool
    leaves_after: int


usages = st.none() | st.builds(Usage, input_tokens=st.integers(0, 5_000), output_tokens=st.integers(0, 5_000))
durations_s = st.sampled_from([0, 0, 0, 0.01, 0.3, 1, 2.5, 9, 19, 31, 100])
waits_s = st.sampled_from([None, None, 0, 0.2, 1, 3, 11, 90])
fault_kinds = st.sampled_from(
    [
        ProviderFailed,
        ProviderFailed,
        ProviderRateLimited,
        ProviderRateLimited,
        ProviderUnreachable,
        ProviderNotConnected,
        ProviderAuthFailed,
        ProviderRefused,
        ProviderResponseInvalid,
        ProviderRejected,
        ProviderTimeout,
    ]
)


@st.composite
def faults(draw: st.DrawFn) -> Raises:
    kind, usage, wait_s = draw(fault_kinds), draw(usages), draw(waits_s)
    retry_after_s = wait_s if kind in (ProviderRateLimited, ProviderFailed) else None
    words = tuple(draw(st.lists(st.sampled_from(["Hel", "lo"]), max_size=2)))
    return Raises(
        fault=lambda: kind("It failed.", usage=usage, retry_after_s=retry_after_s),
        after_s=draw(durations_s),
        words=words,
    )


answers = st.builds(
    Says,
    text=st.sampled_from(['{"name": "Ada"}', "Hello.", '{"nome": "Ada"}', '{"name', ""]),
    after_s=durations_s,
    usage=usages.map(lambda usage: usage or Usage()),
)
behaviors = st.one_of(faults(), faults(), answers)
NAMES = "abcd"


@st.composite
def configs(draw: st.DrawFn) -> list[ProviderConfig]:
    return [
        with_key(
            name,
            enabled=draw(st.sampled_from([True, True, True, True, False])),
            priority=draw(st.integers(0, 2)),
            weight=draw(st.integers(1, 3)),
            models=(ModelConfig(name=f"{name}-model"), ModelConfig(name="unpriced")),
            default_model=draw(st.sampled_from([f"{name}-model", f"{name}-model", "unpriced"])),
            retry=RetryPolicy(max_attempts=draw(st.integers(1, 6))),
            timeouts=Timeouts(
                first_token_s=draw(st.sampled_from([0.5, 5, 20])), total_s=draw(st.sampled_from([0.5, 4, 10, 60]))
            ),
            circuit=CircuitPolicy(failure_threshold=draw(st.integers(1, 6)), cooldown_s=draw(st.sampled_from([1, 30]))),
            limits=ProviderLimits(
                requests_per_minute=draw(st.sampled_from([None, None, 1, 30, 600])),
                tokens_per_minute=draw(st.sampled_from([None, None, None, 50, 1_000])),
                max_concurrent=draw(st.sampled_from([None, None, 1])),
            ),
        )
        for name in NAMES[: draw(st.integers(1, 4))]
    ]


@st.composite
def asks(draw: st.DrawFn, names: list[str]) -> Ask:
    return Ask(
        request=question(
            provider=draw(st.none() | st.sampled_from(names)),
            fallback=draw(st.none() | st.lists(st.sampled_from(names), max_size=4).map(tuple)),
            output=draw(st.sampled_from([OutputFormat(), JSON])),
            timeout_s=draw(st.sampled_from([1, 3, 10, 28])),
        ),
        streams=draw(st.booleans()),
        leaves_after=draw(st.sampled_from([0, 1, 2, 99, 99, 99])),
    )


def run(engine: Engine, ask: Ask, progress: Progress) -> ChatAnswer | GatewayError | None:
    """How the query ended; None where its client left."""
    try:
        if not ask.streams:
            return engine.ask(ask.request, progress)[0]
        items = engine.stream(ask.request, progress)
        for number, item in enumerate(items):
            if isinstance(item, ChatAnswer):
                settle(progress)
                assert list(items) == []
                return item
            if number == ask.leaves_after:
                items.close()
                return None
        raise AssertionError("a stream ended without its answer")
    except GatewayError as error:
        return error


def billed(call: Called, attempt: Attempt) -> Decimal | None:
    """What the provider bills for the call, as far as it said so."""
    usage = call.raised.usage if isinstance(call.raised, ProviderFault) else None
    if call.raised is None and isinstance(call.behavior, Says):
        usage = call.behavior.usage
    return None if usage is None or attempt.model == "unpriced" else Decimal(usage.total_tokens) / 1_000_000


def check_attempts(progress: Progress, called: list[Called], end: ChatAnswer | GatewayError | None) -> None:
    attempts = [attempt for attempt in progress.attempts if attempt.outcome in CALLED]
    assert [attempt.provider for attempt in attempts] == [call.provider for call in called]
    for attempt, call in zip(attempts, called, strict=True):
        assert attempt.latency_ms == round((call.ended_s - call.started_s) * 1000)
        if attempt.outcome is not AttemptOutcome.CANCELLED:
            assert attempt.cost_usd == billed(call, attempt)
        if isinstance(call.raised, ProviderFault):
            assert (attempt.outcome, attempt.error_code) == (AttemptOutcome.ERROR, call.raised.code)
    for attempt in progress.attempts:
        assert (attempt.error_code is None) == (attempt.outcome in (AttemptOutcome.OK, AttemptOutcome.CANCELLED))
    ended_well = [number for number, attempt in enumerate(progress.attempts) if attempt.outcome is AttemptOutcome.OK]
    assert ended_well == ([len(progress.attempts) - 1] if isinstance(end, ChatAnswer) else [])


def check_waits(called: list[Called]) -> None:
    """A provider is not called again before the time that it asked for."""
    for number, call in enumerate(called):
        asked_s = call.raised.retry_after_s if isinstance(call.raised, ProviderFault) else None
        again = next((later for later in called[number + 1 :] if later.provider == call.provider), None)
        if asked_s and again:
            assert again.started_s >= call.ended_s + asked_s - 1e-6


def check_end(ask: Ask, progress: Progress, end: ChatAnswer | GatewayError | None) -> None:
    match end:
        case ChatAnswer():
            known = [attempt.cost_usd for attempt in progress.attempts if attempt.cost_usd is not None]
            unknown = progress.attempts[-1].cost_usd is None
            assert total_usd(progress.attempts) == (None if unknown else sum(known, Decimal(0)))
            assert (end.json is not None) == (ask.request.output is JSON)
        case GatewayError():
            assert end.status in OUTCOMES
            assert end.retry_after_s is None or end.retry_after_s >= 0
            if isinstance(end, ProviderFault):
                assert end.code in {attempt.error_code for attempt in progress.attempts}
        case None:
            assert progress.attempts[-1].outcome is AttemptOutcome.CANCELLED


@settings(max_examples=200, deadline=None)
@given(data=st.data())
def test_whatever_providers_do(data: st.DataObject) -> None:
    book = data.draw(configs(), label="providers")
    names = [config.id for config in book]
    engine = Engine(prices=FlatPrices("unpriced"))
    engine.credentials = RotatingCredentials(data.draw(st.lists(st.booleans(), max_size=3), label="rotations"))
    engine.add(*book)
    for name in names:
        engine.providers.script(name, *data.draw(st.lists(behaviors, max_size=8), label=f"script of {name}"))
    engine.providers.otherwise = data.draw(behaviors, label="otherwise")

    for ask in data.draw(st.lists(asks(names), min_size=1, max_size=3), label="queries"):
        started_s, called_before = engine.clock.monotonic_s(), len(engine.providers.called)
        progress = engine.progress(ask.request)

        end = run(engine, ask, progress)

        took_s = engine.clock.monotonic_s() - started_s
        called = engine.providers.called[called_before:]
        event(type(end).__name__)
        event(f"{len(called)} calls")
        assert len(called) == progress.calls <= MOST_CALLS
        assert took_s <= ask.request.timeout_s + SLACK_S
        assert abs(progress.provider_s + progress.waiting_s - took_s) < 1e-6
        assert engine.gates.all_ended_once
        check_attempts(progress, called, end)
        check_waits(called)
        check_end(ask, progress, end)
