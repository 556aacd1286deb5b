"""The engine with its real adapters: what a wire, a header or a closed port comes to in the end."""

import io
import logging
import socket
import traceback
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest
from llm_gateway.domain.chat import ChatAnswer, OutputFormat, Parameters
from llm_gateway.domain.faults import (
    ProviderAuthFailed,
    ProviderFailed,
    ProviderRateLimited,
    ProviderResponseInvalid,
    ProviderTimeout,
    ProviderUnreachable,
)
from llm_gateway.domain.keys import Caller, Role
from llm_gateway.domain.providers import CircuitPolicy, ProviderCredentials, RetryPolicy, Timeouts
from llm_gateway.domain.queries import QueryProblem
from llm_gateway.errors import GatewayError, NoProviderAvailable
from llm_gateway.instruments.journal import EmbeddedMetricsJournal
from llm_gateway.instruments.system import SystemClock
from llm_gateway.providers.registry import ProviderRegistry
from llm_gateway.services.queries.asking import Asked
from llm_gateway.wire.problems import Problem

from tests.adapters.credential_store import InMemoryCredentialStore
from tests.adapters.engine import Engine, question, settle, story
from tests.adapters.gates import in_memory_gates
from tests.adapters.gateway import FakeGateway
from tests.adapters.items import InMemoryItems
from tests.adapters.outside import FakeOutside
from tests.adapters.real_engine import KINDS, calling, real_engine, upstreams
from tests.adapters.upstream import Answer, HangUp, Raw, Refusal, ScriptedUpstream, StreamFault
from tests.adapters.upstream_wires import Said

Upstreams = dict[str, ScriptedUpstream]
JSON = OutputFormat(type="json_schema", schema={"type": "object", "required": ["name"], "properties": {"name": {}}})


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


def add(engine: Engine, upstream: Upstreams, names: str, **changes) -> None:
    engine.add(*(calling(name, upstream[name].url, **changes) for name in names))


def fails(engine: Engine, kind: type[Exception], **asked) -> GatewayError:
    with pytest.raises(kind) as caught:
        engine.ask(question(**asked))
    return caught.value


# --- Connections


@pytest.fixture
def closed_port() -> Iterator[int]:
    """A port of this machine at which nobody listens, and at which nobody can begin to."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        yield taken.getsockname()[1]


@pytest.mark.parametrize("name", list(KINDS))
@pytest.mark.parametrize("streams", [False, True])
def test_where_nobody_listens_nobody_is_available(engine: Engine, closed_port: int, name: str, streams: bool) -> None:
    engine.add(calling(name, f"http://127.0.0.1:{closed_port}", retry=RetryPolicy(max_attempts=2)))
    progress = engine.progress(question())

    with pytest.raises(NoProviderAvailable) as caught:
        list(engine.stream(question(), progress)) if streams else engine.ask(question(), progress)

    assert (caught.value.status, caught.value.code) == (503, "no_provider_available")
    assert story(progress) == [(name, "error", "provider_error")] * 2
    assert str(closed_port) not in caught.value.detail


def test_a_name_without_an_address_is_not_available(engine: Engine) -> None:
    engine.add(calling("d", "http://nobody.invalid"))

    fails(engine, NoProviderAvailable)


@pytest.mark.parametrize("name", list(KINDS))
@pytest.mark.parametrize("broken", [HangUp(), Answer(fault=StreamFault(kind="disconnect", after=0))])
def test_a_connection_that_breaks_is_a_bad_gateway(engine: Engine, upstream: Upstreams, name: str, broken) -> None:
    add(engine, upstream, name)
    upstream[name].script(broken)
    progress = engine.progress(question())

    with pytest.raises(ProviderUnreachable) as caught:
        list(engine.stream(question(), progress))

    assert (caught.value.status, caught.value.code) == (502, "provider_error")
    assert story(progress) == [(name, "error", "provider_error")]


def test_where_nobody_listens_the_next_one_answers(engine: Engine, upstream: Upstreams, closed_port: int) -> None:
    engine.add(calling("a", f"http://127.0.0.1:{closed_port}"))
    add(engine, upstream, "b")

    _, progress = engine.ask(question())

    assert progress.answering.provider.id == "b"
    assert story(progress) == [("a", "error", "provider_error"), ("b", "ok", None)]


# --- One clean answer


@pytest.mark.parametrize("name", list(KINDS))
@pytest.mark.parametrize(
    ("behavior", "code"),
    [
        (Refusal(status=500), "provider_error"),
        (Refusal(status=529), "provider_error"),
        (Refusal(status=408), "provider_error"),
        (Refusal(status=429), "provider_rate_limited"),
        (Refusal(status=403), "provider_error"),
        (Refusal(status=404), "provider_error"),
        (Refusal(status=401), "provider_auth_failed"),
        (Answer(delay_s=2), "provider_timeout"),
        (Raw(body=b"<html>"), "provider_response_invalid"),
        (Raw(body=b'{"half": '), "provider_response_invalid"),
        (HangUp(), "provider_error"),
    ],
    ids=lambda value: str(value)[:24],
)
def test_whatever_one_does_another_answers(engine: Engine, upstream: Upstreams, name: str, behavior, code) -> None:
    other = "b" if name != "b" else "d"
    add(engine, upstream, name, timeouts=Timeouts(total_s=0.3), priority=0)
    add(engine, upstream, other)
    upstream[name].script(behavior)

    answered, progress = engine.ask(question())

    assert answered.text == "Hello there."
    assert story(progress) == [(name, "error", code), (other, "ok", None)]


@pytest.mark.parametrize("name", list(KINDS))
@pytest.mark.parametrize("kind", ["disconnect", "truncate", "stall", "malformed", "error"])
def test_half_a_stream_before_its_first_piece_falls_over(engine: Engine, upstream: Upstreams, name: str, kind) -> None:
    other = "b" if name != "b" else "d"
    add(engine, upstream, name, timeouts=Timeouts(first_token_s=0.3), priority=0)
    add(engine, upstream, other)
    upstream[name].script(Answer(fault=StreamFault(kind=kind, after=0, lasting_s=2)))
    progress = engine.progress(question())

    *pieces, last = engine.stream(question(), progress)
    settle(progress)

    assert "".join(piece.text for piece in pieces) == "Hello there."
    assert isinstance(last, ChatAnswer)
    assert [attempt.provider for attempt in progress.attempts] == [name, other]
    assert engine.gates.all_ended_once


@pytest.mark.parametrize("name", list(KINDS))
@pytest.mark.parametrize(
    ("kind", "expected"),
    [
        ("disconnect", ProviderUnreachable),
        ("truncate", ProviderResponseInvalid),
        ("stall", ProviderTimeout),
        ("malformed", ProviderResponseInvalid),
        ("error", ProviderFailed),
    ],
)
def test_half_a_stream_after_its_first_piece_is_an_error(
    engine, upstream: Upstreams, name: str, kind, expected
) -> None:
    # Long enough for the first piece on a busy machine: without it, the next provider would be asked.
    add(engine, upstream, name, timeouts=Timeouts(first_token_s=1), priority=0)
    add(engine, upstream, "b" if name != "b" else "d")
    upstream[name].script(Answer(fault=StreamFault(kind=kind, after=1, lasting_s=2)))
    progress = engine.progress(question())
    items = engine.stream(question(), progress)

    assert next(items).text == "Hello"
    with pytest.raises(expected):
        list(items)

    (attempt,) = progress.attempts
    assert attempt.cost_usd > 0
    assert engine.gates.all_ended_once


@pytest.mark.parametrize("name", list(KINDS))
def test_an_answer_of_the_wrong_form_is_mended_once(engine: Engine, upstream: Upstreams, name: str) -> None:
    add(engine, upstream, name)
    upstream[name].script(Answer(said=Said(pieces=('{"nome": 1}',))), Answer(said=Said(pieces=('{"name": "Ada"}',))))

    answered, progress = engine.ask(question(output=JSON))

    assert answered.json == {"name": "Ada"}
    assert story(progress) == [(name, "error", "response_validation_failed"), (name, "ok", None)]
    complaint = str(upstream[name].requests[1].body["messages"][-1])
    assert "'name' is a required property" in complaint


def test_what_only_the_adapter_cannot_take_is_skipped(engine: Engine, upstream: Upstreams) -> None:
    add(engine, upstream, "a", default_model="gpt-4.1")
    add(engine, upstream, "b", default_model="claude-haiku-4-5")
    add(engine, upstream, "d")
    upstream["a"].script(Refusal(status=500))

    _, progress = engine.ask(question(parameters=Parameters(temperature=1.5, max_output_tokens=10)))

    assert story(progress) == [
        ("a", "error", "provider_error"),
        ("b", "skipped", "unsupported_parameter"),
        ("d", "ok", None),
    ]
    assert upstream["b"].requests == []


# --- Retry-After


@pytest.mark.parametrize("name", ["a", "b"])
@pytest.mark.parametrize(
    ("headers", "at_least_s"),
    [
        ({"retry-after": "1"}, 1),
        ({"retry-after": "0.4"}, 0.4),
        ({"retry-after-ms": "600", "retry-after": "20"}, 0.6),
    ],
)
def test_a_provider_is_not_asked_again_before_it_wants(engine, upstream, name: str, headers, at_least_s: float) -> None:
    add(engine, upstream, name, retry=RetryPolicy(max_attempts=2))
    upstream[name].script(Refusal(status=429, headers=headers))

    _, progress = engine.ask(question())

    assert len(upstream[name].requests) == 2
    assert at_least_s <= progress.waiting_s < at_least_s + 0.6


@pytest.mark.parametrize("name", ["a", "b"])
def test_a_date_is_a_wait_too(engine: Engine, upstream: Upstreams, name: str) -> None:
    add(engine, upstream, name, retry=RetryPolicy(max_attempts=2))
    at = format_datetime(datetime.now(UTC) + timedelta(seconds=40), usegmt=True)
    upstream[name].script(Refusal(status=429, headers={"retry-after": at}))

    fault = fails(engine, ProviderRateLimited)

    assert 38 < fault.retry_after_s <= 40
    assert len(upstream[name].requests) == 1


def test_all_are_at_their_limits(engine: Engine, upstream: Upstreams) -> None:
    add(engine, upstream, "ab")
    upstream["a"].script(Refusal(status=429, headers={"retry-after": "40"}))
    upstream["b"].script(Refusal(status=429, headers={"retry-after": "50"}))

    fault = fails(engine, ProviderRateLimited)

    assert 39 < fault.retry_after_s <= 40


# --- Credentials


class Rotated(InMemoryCredentialStore):
    """What has been rotated elsewhere shows only when it is read anew."""

    def get(self, provider_id: str, *, fresh: bool = False, **_: object) -> ProviderCredentials | None:
        if fresh:
            self.put(provider_id, ProviderCredentials(api_key=f"new-key-of-{provider_id}"))
        return super().get(provider_id)


def key_sent(headers) -> str:
    return headers.get("x-api-key") or headers["authorization"].removeprefix("Bearer ")


@pytest.mark.parametrize("name", list(KINDS))
def test_after_the_first_refusal_the_old_key_is_never_sent_again(
    engine: Engine, upstream: Upstreams, name: str
) -> None:
    engine.credentials = Rotated()
    add(engine, upstream, name)
    engine.credentials.put(name, ProviderCredentials(api_key="wrong"))

    for _ in range(3):
        engine.ask(question())

    sent = [key_sent(request.headers) for request in upstream[name].requests]
    assert sent == ["wrong"] + [f"new-key-of-{name}"] * 3


@pytest.mark.parametrize("name", list(KINDS))
def test_a_key_that_stays_wrong(engine: Engine, upstream: Upstreams, name: str) -> None:
    add(engine, upstream, name, retry=RetryPolicy(max_attempts=3))
    engine.credentials.put(name, ProviderCredentials(api_key="wrong"))

    fault = fails(engine, ProviderAuthFailed)

    assert (fault.status, fault.code, fault.provider) == (502, "provider_auth_failed", name)
    assert len(upstream[name].requests) == 1


# --- Words that nobody is to read

MARKER = "MARKED"
KEY = f"sk-{MARKER}-KEY"


def words_of(error: BaseException) -> str:
    """Everything that an error shows: its fields, its text, and its traceback with all that it was raised from.

    Only `provider_message` is the provider's own: it is made for those who asked, and shown on purpose.
    """
    fields = {name: value for name, value in vars(error).items() if name != "provider_message"}
    return "".join(traceback.format_exception(error)) + str(error) + repr(error) + repr(fields)


@pytest.fixture
def log() -> Iterator[io.StringIO]:
    """Everything that any logger says, at any level, with tracebacks."""
    stream = io.StringIO()
    handler = logging.StreamHandler(stream)
    root = logging.getLogger()
    level = root.level
    root.addHandler(handler)
    root.setLevel(logging.DEBUG)
    yield stream
    root.removeHandler(handler)
    root.setLevel(level)


@pytest.mark.parametrize("name", list(KINDS))
@pytest.mark.parametrize(
    "behavior",
    [
        *(
            Refusal(status=status, body=MARKER.encode())
            for status in (400, 401, 403, 404, 408, 409, 413, 429, 500, 529)
        ),
        Refusal(status=302, body=MARKER.encode(), headers={"location": f"http://{MARKER}/"}),
        Refusal(status=400, type=MARKER, code=MARKER, param=MARKER),
        Refusal(status=429, headers={"retry-after": MARKER, "x-request-id": MARKER}),
        Raw(body=MARKER.encode()),
        Raw(body=f'{{"{MARKER}": '.encode()),
        Raw(body=f'{{"choices": "{MARKER}", "content": "{MARKER}"}}'.encode()),
        Raw(body=f'{{"error": {{"message": "Out of owls.", "type": "{MARKER}"}}}}'.encode()),
        Answer(said=Said(finish=MARKER)),
        HangUp(),
    ],
    ids=lambda value: str(value)[:40],
)
def test_neither_words_nor_keys_of_providers_show(engine, upstream, log: io.StringIO, name: str, behavior) -> None:
    add(engine, upstream, name, circuit=CircuitPolicy(failure_threshold=2))
    engine.credentials.put(name, ProviderCredentials(api_key=KEY))
    upstream[name].otherwise = behavior

    told = []
    for streams in (False, True, False):
        progress = engine.progress(question())
        with pytest.raises(GatewayError) as caught:
            list(engine.stream(question(), progress)) if streams else engine.ask(question(), progress)
        told += [words_of(caught.value), repr(progress), repr(engine.gates.settled)]
    told += [repr(engine.gates.state(engine.store.get(name))), log.getvalue()]

    assert len(upstream[name].requests) >= 2
    assert key_sent(upstream[name].requests[0].headers) == KEY
    assert not [text[:3000] for text in told if MARKER in text]


@pytest.mark.parametrize("name", list(KINDS))
@pytest.mark.parametrize(
    ("behavior", "status", "said"),
    [
        (Refusal(status=500), 500, None),
        (Refusal(status=503, body=b'{"error": {"message": "Out of owls."}}'), 503, "Out of owls."),
        (
            Refusal(status=401, body=f'{{"error": {{"message": "No owl for {KEY}."}}}}'.encode()),
            401,
            "No owl for [redacted].",
        ),
        (Refusal(status=502, body=b"<html>Out of owls.</html>"), 502, None),
    ],
    ids=["500", "503", "401", "html"],
)
def test_what_a_provider_says_of_its_failure_is_told(engine, upstream, name: str, behavior, status: int, said) -> None:
    add(engine, upstream, name)
    engine.credentials.put(name, ProviderCredentials(api_key=KEY))
    upstream[name].otherwise = behavior
    progress = engine.progress(question())

    with pytest.raises(GatewayError) as caught:
        engine.ask(question(), progress)

    last = engine.gates.state(engine.store.get(name)).last_error
    assert last is not None
    assert last.upstream_status == progress.attempts[-1].upstream_status == status
    if said is not None:
        assert caught.value.provider_message == said
        assert said in (progress.attempts[-1].detail or "")
        assert said in (last.detail or "")


def calling_gateway(items: InMemoryItems) -> FakeGateway:
    """A gateway whose providers are real and call the upstreams, and whose gates keep `items`."""
    outside = FakeOutside(journal=EmbeddedMetricsJournal())
    outside.models = ProviderRegistry(clock=outside.clock, private_addresses_allowed=True)
    outside.gates = in_memory_gates(outside.clock, outside.ids, items)
    return FakeGateway(outside=outside)


@pytest.mark.parametrize(
    "behaviors",
    [
        {name: Refusal(status=500, body=MARKER.encode()) for name in KINDS},
        {name: Refusal(status=401, body=MARKER.encode()) for name in KINDS},
        {
            name: Raw(body=f'{{"error": {{"type": "{MARKER}", "message": {{"x": "{MARKER}"}}}}}}'.encode())
            for name in KINDS
        },
        {"a": Refusal(status=429, code=MARKER), "b": Raw(body=MARKER.encode()), "c": HangUp(), "d": Answer()},
        {"a": Refusal(status=400, code=MARKER, param=MARKER), "b": Answer(), "c": Answer(), "d": Answer()},
    ],
    ids=["500", "401", "garbage", "one answers", "rejected"],
)
@pytest.mark.parametrize("streams", [False, True])
def test_neither_are_they_kept(upstream: Upstreams, log: io.StringIO, capsys, behaviors: dict, streams: bool) -> None:
    items = InMemoryItems()
    gateway = calling_gateway(items)
    for name, behavior in behaviors.items():
        gateway.outside.provider_store.add(calling(name, upstream[name].url))
        gateway.outside.credentials.put(name, ProviderCredentials(api_key=KEY))
        upstream[name].otherwise = behavior
    caller = Caller(key_id="key_1", role=Role.ADMIN)
    asked = Asked(request=question(), caller=caller, received_s=gateway.outside.clock.monotonic_s())

    told: list[str] = []
    try:
        told.append(repr(list(gateway.asking.stream(asked)) if streams else gateway.asking.run(asked)))
    except GatewayError as error:
        told += [words_of(error), Problem.of(QueryProblem.of(error), query_id=error.query_id).model_dump_json()]
        told.append(repr(gateway.reading.get(error.query_id, caller=caller)))
    told += [repr(gateway.status.status(name, probe=True, caller=caller)) for name in behaviors]
    kept = [repr(vars(gateway.outside.query_store)), repr(gateway.outside.provider_store.all()), repr(items.items)]
    output = capsys.readouterr()

    assert "key_1" in output.out
    assert "'requests': " in kept[-1]
    assert not [text for text in (*told, *kept, log.getvalue(), output.out, output.err) if MARKER in text]
