"""Every function on Lambda's real runtime client, with the layers as they are deployed and nothing else to import."""

import json
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import fields
from pathlib import Path
from typing import Any

import httpx2
import pytest
from llm_gateway.access import Endpoint, Resource
from llm_gateway.domain.keys import KeySpec, Role
from llm_gateway.endpoints import ENDPOINTS, WORKERS

from bench.built import Built, build
from layers.cache import size_mb
from local_aws.runtime_api import Function, rest_api_event, running
from tests.adapters.authors import BY
from tests.adapters.aws import ENVIRONMENT
from tests.adapters.ministack import free_port
from tests.adapters.upstream import Answer, ScriptedUpstream
from tests.adapters.upstream_wires import Said
from tests.end_to_end.calling import Client, eventually, question, text_of
from tests.end_to_end.stack import Stack, deployed
from tests.end_to_end.table import FIRST_STATUSES, path_of

ROWS = {row.name: row for row in (*ENDPOINTS, *WORKERS)}
MOST_MB = 100
# Slow to import, and needed by some requests only.
HEAVY = {"anthropic", "genai_prices", "jinja2", "jsonschema", "openai", "re2", "semantic_text_splitter", "tiktoken"}
SCHEMA = {
    "type": "object",
    "properties": {"city": {"type": "string"}},
    "required": ["city"],
    "additionalProperties": False,
}
# Within the tokens per minute below as a tokenizer counts them, and too large by an estimate from its bytes.
LONG = "Name a city, please. " * 250
PROVIDERS: dict[str, dict[str, Any]] = {
    "openai": {"default_model": "gpt-4.1-mini", "limits": {"tokens_per_minute": 1900}, "kind": "openai"},
    "anthropic": {"default_model": "claude-sonnet-4-5", "limits": {"tokens_per_minute": 2800}, "kind": "anthropic"},
    "llama_cpp": {"default_model": "SmolLM2-135M-Instruct", "kind": "llama_cpp"},
}
SDKS = {"openai": "openai", "anthropic": "anthropic", "llama_cpp": "openai"}


@pytest.fixture(scope="module")
def built() -> Built:
    return build()


@pytest.fixture(scope="module")
def own_stack(stack: Stack) -> Stack:
    """Whose queues nobody else works on."""
    return deployed(stack.aws, endpoint=stack.endpoint, name="runtime")


@pytest.fixture(scope="module")
def key(own_stack: Stack) -> str:
    return own_stack.keys.create(KeySpec(name="runtime", role=Role.ADMIN), by=BY).secret


@pytest.fixture
def start(built: Built, own_stack: Stack, tmp_path: Path) -> Callable[..., Any]:
    @contextmanager
    def start(name: str, **more: str) -> Iterator[Function]:
        """The function `name`, with `more` in its environment; its log has every module that it imports."""
        options = ("-X", "importtime")
        environment = variables(own_stack, built, asks=Resource.CREDENTIALS in ROWS[name].reads) | more
        path = built.path(name, tmp_path)
        with running(
            f"{name}.handler", path=path, scratch=tmp_path, environment=environment, python_options=options
        ) as function:
            yield function

    return start


@pytest.fixture
def ask(start: Callable[[str], Any], key: str) -> Callable[..., Any]:
    """The answer of a function that is started for one request alone."""

    def ask(name: str, body: Any = None, **ids: str) -> Any:
        with start(name) as function:
            return answer(function, ROWS[name], key, body, **ids)

    return ask


def variables(stack: Stack, built: Built, *, asks: bool) -> dict[str, str]:
    """What the stacks tell a function; the tokenizers' layer is for those that ask providers."""
    settings = {field.name.upper(): getattr(stack.settings, field.name) for field in fields(stack.settings)}
    return {
        **{name: str(value) for name, value in settings.items() if value is not None},
        **ENVIRONMENT,
        "ALLOW_PRIVATE_ADDRESSES": "true",
        "AWS_ENDPOINT_URL": stack.endpoint,
        **(built.environment if asks else {}),
    }


def answer(function: Function, row: Any, key: str, body: Any = None, **ids: str) -> Any:
    headers = {"Authorization": f"Bearer {key}", "Content-Type": "application/json"}
    path = row.path.format(**ids) if ids else path_of(row)
    event = rest_api_event(row.method, path, headers=headers, body=None if body is None else json.dumps(body))
    return function.invoke(event)


def imported(function: Function) -> set[str]:
    return set(re.findall(r"^import time:.*\| +(\w+)$", function.log.read_text(errors="replace"), re.MULTILINE))


def delivered(stack: Stack, queue_url: str) -> dict[str, Any]:
    """A batch of the one message that is in the queue, as SQS gives it to a function."""
    found = stack.aws.sqs.receive_message(QueueUrl=queue_url, WaitTimeSeconds=5).get("Messages", [])
    assert len(found) == 1
    return {
        "Records": [
            {
                "messageId": message["MessageId"],
                "receiptHandle": message["ReceiptHandle"],
                "body": message["Body"],
                "attributes": {"ApproximateReceiveCount": "1"},
                "messageAttributes": {},
                "md5OfBody": message["MD5OfBody"],
                "eventSource": "aws:sqs",
                "eventSourceARN": f"arn:aws:sqs:eu-west-1:000000000000:{queue_url.rsplit('/', 1)[1]}",
                "awsRegion": "eu-west-1",
            }
            for message in found
        ]
    }


def work_off(worker: Function, stack: Stack, queue_url: str) -> None:
    """What Lambda does for a queue: it hands a message over, and deletes it if it was dealt with."""
    batch = delivered(stack, queue_url)
    assert worker.invoke(batch) == {"batchItemFailures": []}
    for record in batch["Records"]:
        stack.aws.sqs.delete_message(QueueUrl=queue_url, ReceiptHandle=record["receiptHandle"])


def test_the_layers_are_small(built: Built) -> None:
    sizes_mb = {part.name: size_mb(part) for part in (built.dependencies, built.gateway, built.tokenizers)}
    assert sum(sizes_mb.values()) <= MOST_MB, sizes_mb
    assert min(sizes_mb.values()) > 0.1, sizes_mb


@pytest.mark.parametrize("row", ENDPOINTS, ids=lambda row: row.name)
def test_an_endpoint_starts_light_and_answers(row: Endpoint, start: Callable[[str], Any], key: str) -> None:
    with start(row.name) as function:
        modules = imported(function)
        assert {"starlette", "llm_gateway"} <= modules
        assert modules & {*HEAVY, "fastapi"} == set()
        answered = answer(function, row, key)
    assert answered["statusCode"] == FIRST_STATUSES[row.name], answered["body"]


@pytest.mark.parametrize("kind", PROVIDERS)
def test_a_model_is_asked_with_the_layers_own_packages(
    kind: str, ask: Callable[..., Any], start: Callable[[str], Any], key: str
) -> None:
    with ScriptedUpstream(otherwise=Answer(said=Said(pieces=('{"city": ', '"Paris"}')))) as upstream:
        address = upstream.anthropic_base_url if kind == "anthropic" else upstream.openai_base_url
        provider = {"id": kind.replace("_", "-"), "name": kind, "base_url": address, "credentials": {"api_key": "sk-1"}}
        created = ask("create_provider", provider | PROVIDERS[kind])
        assert created["statusCode"] == 201, created["body"]

        with start("run_query") as function:
            body = question(LONG, provider=provider["id"], output={"type": "json_schema", "schema": SCHEMA})
            body["parameters"] = {"max_output_tokens": 100}
            answered = answer(function, ROWS["run_query"], key, body)
            modules = imported(function)
    found = json.loads(answered["body"])
    assert answered["statusCode"] == 200, found
    assert (found["output"]["json"], found["usage"]["estimated"]) == ({"city": "Paris"}, False)
    assert (found["cost_usd"] is None) == (kind == "llama_cpp")
    assert {SDKS[kind], "jsonschema"} | ({"tiktoken", "genai_prices"} if kind != "llama_cpp" else set()) <= modules
    assert modules & {"openai", "anthropic"} == {SDKS[kind]}
    assert len(upstream.requests) == 1


def test_a_copy_of_a_snapshot_has_loaded_what_a_query_needs(
    ask: Callable[..., Any], start: Callable[..., Any], key: str
) -> None:
    with ScriptedUpstream() as upstream:
        provider = {
            "id": "snapped",
            "name": "Snapped",
            "kind": "openai_compatible",
            "base_url": upstream.openai_base_url,
        }
        assert ask("create_provider", provider | {"default_model": "small"})["statusCode"] == 201
        with start("run_query", AWS_LAMBDA_INITIALIZATION_TYPE="snap-start") as function:
            assert {"openai", "anthropic", "genai_prices", "pynamodb"} <= imported(function)
            answered = answer(function, ROWS["run_query"], key, question(provider="snapped"))
    assert answered["statusCode"] == 200, answered["body"]
    assert json.loads(answered["body"])["output"]["text"] == "Hello there."


def test_the_workers_answer_and_bury(ask: Callable[..., Any], start: Callable[[str], Any], own_stack: Stack) -> None:
    with ScriptedUpstream() as upstream:
        provider = {"id": "later", "name": "Later", "kind": "openai_compatible", "base_url": upstream.openai_base_url}
        assert ask("create_provider", provider | {"default_model": "small"})["statusCode"] == 201
        settings = own_stack.settings
        accepted = json.loads(ask("run_query", question(provider="later", mode="async"))["body"])
        with start("process_query") as worker:
            assert imported(worker) & HEAVY == set()
            work_off(worker, own_stack, settings.queue_url)
        result = json.loads(ask("get_query_result", query_id=accepted["id"])["body"])
        assert (result["status"], result["output"]["text"]) == ("succeeded", "Hello there.")

        given_up = json.loads(ask("run_query", question(provider="later", mode="async"))["body"])
        with start("bury_query") as worker:
            assert imported(worker) & HEAVY == set()
            work_off(worker, own_stack, settings.queue_url)
        status = json.loads(ask("get_query_status", query_id=given_up["id"])["body"])
        assert (status["status"], status["error"]["code"]) == ("failed", "no_provider_available")


def test_a_streaming_function_streams_from_its_layers(
    ask: Callable[..., Any], built: Built, own_stack: Stack, key: str, tmp_path: Path
) -> None:
    """As the web adapter starts it in AWS, whose runtime client does not take part."""
    with ScriptedUpstream() as upstream, serving("stream_query", built, own_stack, tmp_path) as base_url:
        provider = {"id": "stream", "name": "Stream", "kind": "openai_compatible", "base_url": upstream.openai_base_url}
        assert ask("create_provider", provider | {"default_model": "small"})["statusCode"] == 201
        with httpx2.Client(base_url=base_url, trust_env=False, timeout=30) as http:
            events = Client(http, key).stream(question(provider="stream"))
    assert [event.name for event in events] == ["query", "delta", "delta", "delta", "done"]
    assert text_of(events) == "Hello there."


@contextmanager
def serving(name: str, built: Built, stack: Stack, scratch: Path) -> Iterator[str]:
    port = free_port()
    path = ":".join(map(str, built.path(name, scratch)))
    environment = variables(stack, built, asks=True) | {"PYTHONPATH": path, "PYTHONDONTWRITEBYTECODE": "1"}
    command = [sys.executable, "-S", "-m", "uvicorn", f"{name}:app", "--port", str(port), "--log-level", "warning"]
    process = subprocess.Popen(command, cwd=scratch, env=environment)
    base_url = f"http://127.0.0.1:{port}"
    try:
        assert eventually(lambda: process.poll() is not None or listens(f"{base_url}/nothing"))
        yield base_url
    finally:
        process.terminate()
        process.wait()


def listens(url: str) -> bool:
    try:
        return httpx2.get(url, trust_env=False).status_code == 404
    except httpx2.TransportError:
        return False
