"""Traces: what a collector gets of a query, over real HTTP from its caller to its provider, and what it never gets."""

import json
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import opentelemetry.semconv._incubating.attributes.gen_ai_attributes as gen_ai
import pytest
from llm_gateway.domain.keys import Role
from llm_gateway.entrypoints.http import app_of
from llm_gateway.entrypoints.sqs import QueueHandler
from llm_gateway.instruments.spans import OpenTelemetry
from llm_gateway.instruments.system import SystemClock
from llm_gateway.providers.registry import ProviderRegistry
from llm_gateway.settings import Settings
from opentelemetry.semconv._incubating.attributes import http_attributes, messaging_attributes
from opentelemetry.semconv.attributes import error_attributes, server_attributes
from starlette.testclient import TestClient

from functions.__main__ import every_endpoint
from functions.process_query import process_query
from tests.adapters.gateway import FakeGateway
from tests.adapters.otlp_receiver import OtlpReceiver, Received
from tests.adapters.outside import FakeOutside
from tests.adapters.upstream import Answer, Refusal, ScriptedUpstream, StreamFault
from tests.adapters.upstream_wires import Said, SaidCall
from tests.entrypoints.conftest import PROVIDER, PROVIDERS, QUERY, Lines
from tests.entrypoints.test_sqs import batch, sent_for

SECRET_WORDS = "A QUESTION OF NOBODY ELSE'S"
SENT = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"

WEATHER: dict[str, Any] = {"type": "function", "function": {"name": "weather", "parameters": {"type": "object"}}}
QUESTION: dict[str, Any] = {
    "messages": [{"role": "user", "content": SECRET_WORDS}],
    "system": {"text": f"{SECRET_WORDS} system"},
    "parameters": {"temperature": 0, "max_output_tokens": 50, "stop": ["END"]},
}


class Traced:
    """A gateway with a collector and a provider, each over HTTP."""

    def __init__(self, receiver: OtlpReceiver, upstream: ScriptedUpstream, *, content: bool) -> None:
        self.receiver, self.upstream = receiver, upstream
        self.outside = FakeOutside(models=ProviderRegistry(clock=SystemClock(), private_addresses_allowed=True))
        detector = (lambda: self.outside.detector) if content else None
        self.tracing = OpenTelemetry(receiver.endpoint, detector=detector, clock=SystemClock())
        self.outside.tracing = self.tracing  # type: ignore[assignment]
        settings = replace(Settings.from_environment({}), allow_private_addresses=True)
        self.gateway = FakeGateway(settings=settings, outside=self.outside)
        self.client = TestClient(app_of(*every_endpoint(), gateway=lambda: self.gateway))
        self.client.headers["Authorization"] = f"Bearer {self.gateway.new_key(Role.ADMIN)[1]}"
        self.client.headers["traceparent"] = SENT
        config = PROVIDER | {"base_url": upstream.openai_base_url, "retry": {"max_attempts": 2}}
        assert self.client.post(PROVIDERS, json=config).status_code == 201
        self.flush()
        receiver.spans.clear()

    def flush(self) -> list[Received]:
        self.tracing.flush()
        return self.receiver.spans

    def ask(self, path: str = QUERY, **said: Any) -> Any:
        return self.client.post(path, json=QUESTION | said)


@pytest.fixture
def receiver() -> Iterator[OtlpReceiver]:
    with OtlpReceiver() as receiver:
        yield receiver


@pytest.fixture
def upstream() -> Iterator[ScriptedUpstream]:
    with ScriptedUpstream() as upstream:
        yield upstream


@pytest.fixture
def traced(
    receiver: OtlpReceiver, upstream: ScriptedUpstream, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest
) -> Traced:
    monkeypatch.setenv("OTLP_ENDPOINT", receiver.endpoint)
    return Traced(receiver, upstream, content=getattr(request, "param", False))


WITH_CONTENT = pytest.mark.parametrize("traced", [True], indirect=True)


def tree(spans: list[Received]) -> dict[str, str]:
    """The name of each span's parent, by its own; "" for those whose parent is another process's."""
    names = {span.span_id: span.name for span in spans}
    return {span.name: names.get(span.parent_id, "") for span in spans}


def known_names() -> set[str]:
    """Every attribute that the conventions have, and the gateway's own beside them."""
    modules = (gen_ai, http_attributes, messaging_attributes, error_attributes, server_attributes)
    names = {value for module in modules for name, value in vars(module).items() if name.isupper()}
    own = {"request_id", "query_id", "endpoint", "provider.id", "cache.hit"}
    return {name for name in names if isinstance(name, str)} | {f"llm_gateway.{name}" for name in own}


def test_a_query_is_a_tree_of_spans_in_its_callers_trace(traced: Traced, lines: Lines) -> None:
    traced.upstream.script(Refusal(status=503), Answer())
    response = traced.ask()
    assert response.status_code == 200, response.text
    spans = traced.flush()
    assert {span.trace_id for span in spans} == {SENT[3:35]}
    assert tree(spans) == {
        "POST": "",
        "booking": "POST",
        "cache look up": "booking",
        "chat small": "POST",
        "cache fill": "POST",
    }
    (request,) = traced.receiver.named("POST")
    assert (request.parent_id, request.kind) == (SENT[36:52], "SERVER")
    assert request.attributes["http.route"] == QUERY
    assert request.attributes["http.response.status_code"] == 200
    assert request.attributes["llm_gateway.request_id"] == response.headers["X-Request-Id"]
    assert request.attributes["llm_gateway.query_id"] == response.json()["id"]
    assert traced.receiver.resources[-1]["service.name"] == "llm-gateway"
    assert lines.named("request")[-1]["trace_id"] == SENT[3:35]


def test_each_attempt_is_a_span_by_the_conventions_and_is_handed_on(traced: Traced) -> None:
    traced.upstream.script(Refusal(status=503), Answer())
    traced.ask()
    traced.flush()
    failed, answered = traced.receiver.named("chat small")
    assert (failed.kind, failed.failed, answered.failed) == ("CLIENT", True, False)
    assert failed.attributes["error.type"] == "provider_error"
    assert failed.attributes["http.response.status_code"] == 503
    told = answered.attributes
    address = traced.upstream.openai_base_url.removeprefix("http://").split("/")[0]
    assert f"{told['server.address']}:{told['server.port']}" == address
    assert {name: told[name] for name in told if name.startswith("gen_ai.")} == {
        "gen_ai.operation.name": "chat",
        "gen_ai.provider.name": "openai_compatible",
        "gen_ai.request.model": "small",
        "gen_ai.request.stream": False,
        "gen_ai.request.temperature": 0.0,
        "gen_ai.request.max_tokens": 50,
        "gen_ai.output.type": "text",
        "gen_ai.response.model": "model-2026-11-01",
        "gen_ai.response.finish_reasons": ["stop"],
        "gen_ai.usage.input_tokens": told["gen_ai.usage.input_tokens"],
        "gen_ai.usage.output_tokens": told["gen_ai.usage.output_tokens"],
        "gen_ai.usage.cache_read.input_tokens": told["gen_ai.usage.cache_read.input_tokens"],
        "gen_ai.usage.cache_creation.input_tokens": 0,
        "gen_ai.usage.reasoning.output_tokens": told["gen_ai.usage.reasoning.output_tokens"],
    }
    heard = [request.headers["traceparent"] for request in traced.upstream.requests]
    assert heard == [f"00-{SENT[3:35]}-{span.span_id}-01" for span in (failed, answered)]


def test_every_attribute_is_one_of_the_conventions_or_our_own(traced: Traced) -> None:
    for behavior in (Answer(said=Said(calls=(SaidCall(name="weather"),))), Refusal(status=400), Answer()):
        traced.upstream.script(behavior)
        assert traced.ask(tools=[WEATHER], cache="bypass").status_code in (200, 422)
        traced.ask(f"{QUERY}/stream", cache="bypass")
    deliver(traced)
    spans = traced.flush()
    assert {name for span in spans for name in span.attributes} <= known_names()
    assert {span.attributes.get("gen_ai.operation.name", "chat") for span in spans} == {"chat"}
    providers = {span.attributes.get("gen_ai.provider.name") for span in spans} - {None}
    values = {each.value for each in gen_ai.GenAiProviderNameValues}
    # The conventions leave a name to those whom they do not know.
    assert providers <= values | {"openai_compatible", "llama_cpp"}


def test_a_tool_that_the_model_asks_for_is_a_span_of_the_call(traced: Traced) -> None:
    traced.upstream.script(Answer(said=Said(pieces=(), calls=(SaidCall(name="weather"),), finish="tool_calls")))
    assert traced.ask(tools=[WEATHER]).status_code == 200
    spans = traced.flush()
    assert tree(spans)["tool_call weather"] == "chat small"
    (tool,) = traced.receiver.named("tool_call weather")
    assert tool.attributes == {
        "gen_ai.tool.name": "weather",
        "gen_ai.tool.call.id": "call_1",
        "gen_ai.tool.type": "function",
    }


def test_a_stream_tells_when_its_first_piece_came(traced: Traced) -> None:
    assert traced.ask(f"{QUERY}/stream").status_code == 200
    spans = traced.flush()
    assert tree(spans)["chat small"] == "POST"
    (call,) = traced.receiver.named("chat small")
    assert call.attributes["gen_ai.request.stream"] is True
    assert call.attributes["gen_ai.response.time_to_first_chunk"] > 0
    assert traced.upstream.requests[-1].headers["traceparent"].split("-")[2] == call.span_id


def test_a_stream_that_breaks_off_has_failed(traced: Traced) -> None:
    traced.upstream.script(Answer(fault=StreamFault(kind="disconnect", after=1)))
    traced.ask(f"{QUERY}/stream")
    traced.flush()
    (call,) = traced.receiver.named("chat small")
    assert (call.failed, call.attributes["error.type"]) == (True, "provider_error")
    (request,) = traced.receiver.named("POST")
    assert (request.failed, request.attributes["error.type"]) == (True, "provider_error")


def deliver(traced: Traced) -> dict[str, Any]:
    """Asks, and has a worker answer; the query's status."""
    accepted = traced.ask(mode="async")
    assert accepted.status_code == 202, accepted.text
    (request,) = [span for span in traced.flush() if span.attributes.get("http.response.status_code") == 202]
    # What the real queue carries beside the id: tests/stores/test_queue.py.
    carried = f"00-{request.trace_id}-{request.span_id}-01"
    handler = QueueHandler(process_query.work, gateway=lambda: traced.gateway)
    message = sent_for(accepted.json()["id"], traceparent=carried, request_id=accepted.headers["X-Request-Id"], at_ms=1)
    assert handler(batch(message), None) == {"batchItemFailures": []}
    status: dict[str, Any] = traced.client.get(f"{QUERY}/{accepted.json()['id']}/status").json()
    return status


def test_a_worker_goes_on_with_the_trace(traced: Traced, lines: Lines) -> None:
    assert deliver(traced)["status"] == "succeeded"
    traced.flush()
    (work,) = traced.receiver.named("process")
    (accepted,) = [
        span for span in traced.receiver.named("POST") if span.attributes["http.response.status_code"] == 202
    ]
    assert (work.trace_id, work.parent_id, work.kind) == (SENT[3:35], accepted.span_id, "CONSUMER")
    assert work.attributes["messaging.system"] == "aws_sqs"
    (call,) = traced.receiver.named("chat small")
    assert call.parent_id == work.span_id
    assert {line["trace_id"] for line in lines.named("delivery")} == {SENT[3:35]}


def test_a_callers_word_that_it_is_not_to_be_recorded_is_heard(traced: Traced, lines: Lines) -> None:
    traced.client.headers["traceparent"] = SENT[:-2] + "00"
    assert traced.ask().status_code == 200
    assert traced.flush() == []
    # It is handed on all the same, and in the log.
    assert traced.upstream.requests[-1].headers["traceparent"].startswith(SENT[:36])
    assert lines.named("request")[-1]["trace_id"] == SENT[3:35]


def test_who_has_no_trace_gets_one(traced: Traced, lines: Lines) -> None:
    del traced.client.headers["traceparent"]
    traced.ask()
    (request,) = [span for span in traced.flush() if span.name == "POST"]
    assert request.parent_id == ""
    assert lines.named("request")[-1]["trace_id"] == request.trace_id


# Words


def test_no_word_of_a_query_is_in_a_span(traced: Traced) -> None:
    traced.upstream.script(
        Answer(said=Said(pieces=("SECRET ANSWER",), calls=(SaidCall(name="weather", arguments=('{"x": "SECRET"}',)),))),
        Refusal(status=400, body=json.dumps({"error": {"message": f"SECRET {SECRET_WORDS}"}}).encode()),
    )
    for _ in range(2):
        traced.ask(
            tools=[{"type": "function", "function": WEATHER["function"] | {"description": "SECRET"}}], cache="bypass"
        )
    traced.flush()
    for body in traced.receiver.bodies:
        assert b"SECRET" not in body
        assert SECRET_WORDS.encode() not in body
        assert b"END" not in body


@WITH_CONTENT
def test_words_are_in_a_span_where_a_deployment_asks_for_them(traced: Traced) -> None:
    key = "sk-" + "proj-abcDEF123456_7890-ghijklmnop"
    said = Said(pieces=(f"Hi {key}",), calls=(SaidCall(name="weather"),), finish="tool_calls")
    traced.upstream.script(Answer(said=said))
    assert traced.ask(tools=[WEATHER]).status_code == 200
    traced.flush()
    (call,) = traced.receiver.named("chat small")
    told = call.attributes
    assert json.loads(told["gen_ai.input.messages"]) == [
        {"role": "user", "parts": [{"type": "text", "content": SECRET_WORDS}]}
    ]
    assert json.loads(told["gen_ai.system_instructions"])[0]["content"] == f"{SECRET_WORDS} system"
    ((answer,)) = (json.loads(told["gen_ai.output.messages"]),)
    assert answer[0]["finish_reason"] == "tool_calls"
    assert answer[0]["parts"][0] == {"type": "text", "content": "Hi [redacted]"}
    assert answer[0]["parts"][1]["name"] == "weather"
    assert told["gen_ai.request.stop_sequences"] == ["END"]
    (tool,) = traced.receiver.named("tool_call weather")
    assert json.loads(tool.attributes["gen_ai.tool.call.arguments"]) == {"city": "Paris"}


@WITH_CONTENT
@pytest.mark.parametrize("rules", [[], ["log"], ["mask"]], ids=str)
@pytest.mark.holds("LLM02")
def test_no_personal_data_is_in_a_span_whatever_the_policy(traced: Traced, rules: list[str]) -> None:
    email, card, ssn = "anna.novak@example.com", "4111111111111111", "536904399"
    key = "sk-" + "proj-abcDEF123456_7890-ghijklmnop"
    made = traced.client.post("/api/v1/llm/keys", json={"name": "k", "role": "caller", "pii": rules})
    traced.client.headers["Authorization"] = f"Bearer {made.json()['secret']}"
    call = SaidCall(name="weather", id=card, arguments=(f'{{"to": "{email}", "ssn": "{ssn}"}}',))
    made_up = SaidCall(name=f"write_{card}", id="call_2", arguments=("{}",))
    said = Said(
        pieces=(f"To {email} or bela@example.org: {key}",), calls=(call, made_up), finish="tool_calls", model=email
    )
    traced.upstream.script(Answer(said=said))
    asked = traced.ask(
        messages=[
            {"role": "user", "content": f"I am {email}. My SSN: {ssn}"},
            {"role": "user", "content": f"Again {ssn}"},
        ],
        parameters={"stop": [email, key]},
        tools=[WEATHER],
    )
    assert asked.status_code == 200, asked.text
    traced.flush()
    assert traced.receiver.named("chat small")[0].attributes["gen_ai.input.messages"]
    sent = b"".join(traced.receiver.bodies)
    assert b"weather" in sent
    assert [value for value in (email, "bela@example.org", card, ssn, key) if value.encode() in sent] == []


@WITH_CONTENT
def test_no_word_is_told_where_personal_data_cannot_be_looked_for(traced: Traced) -> None:
    def cannot_read(text: str) -> Iterator[Any]:
        raise RuntimeError(text)

    traced.outside.detector.find = cannot_read  # type: ignore[method-assign]
    traced.upstream.script(
        Answer(said=Said(pieces=("SECRET",), calls=(SaidCall(name="weather", arguments=("SECRET",)),)))
    )
    assert traced.ask(tools=[WEATHER]).status_code == 200
    traced.flush()
    for body in traced.receiver.bodies:
        assert b"SECRET" not in body
        assert SECRET_WORDS.encode() not in body
    assert traced.receiver.named("tool_call weather")


# Without


def test_a_collector_that_is_away_keeps_nobody_from_an_answer(traced: Traced) -> None:
    traced.receiver.status = 503
    assert traced.ask().status_code == 200
    traced.flush()
    assert traced.receiver.spans == []


def test_a_trace_goes_on_to_the_provider_where_nobody_collects(upstream: ScriptedUpstream) -> None:
    """The caller's, as it is; who sends none sends none on."""
    outside = FakeOutside(models=ProviderRegistry(clock=SystemClock(), private_addresses_allowed=True))
    settings = replace(Settings.from_environment({}), allow_private_addresses=True)
    gateway = FakeGateway(settings=settings, outside=outside)
    client = TestClient(app_of(*every_endpoint(), gateway=lambda: gateway))
    client.headers["Authorization"] = f"Bearer {gateway.new_key(Role.ADMIN)[1]}"
    assert client.post(PROVIDERS, json=PROVIDER | {"base_url": upstream.openai_base_url}).status_code == 201
    for headers in ({"traceparent": SENT}, {}):
        assert client.post(QUERY, json=QUESTION | {"cache": "bypass"}, headers=headers).status_code == 200
    assert [request.headers.get("traceparent") for request in upstream.requests] == [SENT, None]


def test_nothing_is_imported_where_nobody_collects() -> None:
    done = subprocess.run(
        [sys.executable, "-c", "import sys, functions.run_query, functions.process_query; print(*sys.modules)"],
        env={"PYTHONPATH": f"layers/gateway/python:{':'.join(path for path in sys.path if path)}", "PATH": ""},
        cwd=Path(__file__).parents[2],
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
    # The interfaces, which FastAPI imports by itself, do nothing by themselves.
    heavy = ("opentelemetry.sdk", "opentelemetry.exporter", "opentelemetry.proto", "google.protobuf", "requests")
    assert [name for name in done.stdout.split() if name.startswith(heavy)] == []
    assert "llm_gateway.entrypoints.request_spans" not in done.stdout


@pytest.mark.parametrize(
    "wrong", ["collector:4318", "ftp://x", "https://user:secret@x", "https://x?token=1", "http://"]
)
def test_an_address_that_is_none_is_refused_by_name(wrong: str) -> None:
    with pytest.raises(ValueError, match=r"^OTLP_ENDPOINT must be an address as https"):
        Settings.from_environment({"OTLP_ENDPOINT": wrong})


def test_a_deployment_says_where_spans_go() -> None:
    settings = Settings.from_environment({"OTLP_ENDPOINT": "https://collector.example.com:4318", "OTLP_CONTENT": "on"})
    assert (settings.otlp_endpoint, settings.otlp_content) == ("https://collector.example.com:4318", True)
    assert Settings.from_environment({}).otlp_content is False
