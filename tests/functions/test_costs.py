"""What a query takes of AWS is what `make cost` reckons with, counted while each kind of query is asked of the functions."""

import json
import random
import time
from collections.abc import Iterator
from importlib import import_module
from types import SimpleNamespace
from typing import Any

import pytest
from llm_gateway.domain.keys import Role
from llm_gateway.entrypoints import composition

from operations.workloads import MODES, SIZES, WORKLOADS, Size
from tests.adapters.metered import Meter
from tests.adapters.upstream import Answer, ScriptedUpstream
from tests.adapters.upstream_wires import Said
from tests.functions.conftest import Deployed

API = "/api/v1/llm"
# A count may be off by one where an item is as large as DynamoDB's step.
OFF = 1.0


@pytest.fixture(scope="module")
def upstream(deployed: Deployed) -> Iterator[ScriptedUpstream]:
    with ScriptedUpstream() as upstream:
        provider = {
            "id": "metered",
            "name": "Metered",
            "kind": "openai_compatible",
            "base_url": upstream.openai_base_url,
            "default_model": "small",
            "models": [{"name": "small", "input_usd_per_mtok": "1", "output_usd_per_mtok": "2"}],
            "credentials": {"api_key": "sk-metered"},
        }
        made = deployed.invoke("create_provider", "POST", f"{API}/providers", provider)
        assert made["statusCode"] == 201
        yield upstream


@pytest.fixture(scope="module")
def meter(deployed: Deployed, upstream: ScriptedUpstream) -> Meter:
    meter = Meter(composition.gateway().outside.aws)
    meter.attach()
    return meter


def text(length: int) -> str:
    """Words that are as hard to compress as a language's, the same ones each time."""
    chance = random.Random(length)  # noqa: S311
    vocabulary = ["".join(chance.choices("abcdefghijklmnoprstuvwyz", k=chance.randint(2, 10))) for _ in range(3_000)]
    return " ".join(chance.choices(vocabulary, k=length // 5))[:length]


def asked(deployed: Deployed, mode: str, size: Size) -> None:
    """One query of its kind, to its end, by a caller who reads an async one's status and result once each."""
    body = {"provider": "metered", "messages": [{"role": "user", "content": text(size.question_bytes)}]}
    if mode == "stream":
        answer = deployed.invoke("stream_query", "POST", f"{API}/query/stream", body, role=Role.CALLER)
        assert (answer["statusCode"], "event: done" in answer["body"]) == (200, True)
        return
    answer = deployed.invoke("run_query", "POST", f"{API}/query", {**body, "mode": mode}, role=Role.CALLER)
    assert answer["statusCode"] == (202 if mode == "async" else 200), answer
    if mode == "async":
        query_id = json.loads(answer["body"])["id"]
        sqs, url = composition.gateway().outside.aws.sqs, deployed.settings.queue_url
        event = {"Records": [_record(message, url) for message in sqs.receive_message(QueueUrl=url)["Messages"]]}
        context = SimpleNamespace(aws_request_id="1", function_name="f", get_remaining_time_in_millis=lambda: 900_000)
        assert import_module("functions.process_query").handler(event, context) == {"batchItemFailures": []}
        for what in ("status", "result"):
            read = deployed.invoke(f"get_query_{what}", "GET", f"{API}/query/{query_id}/{what}", role=Role.CALLER)
            assert json.loads(read["body"])["status"] == "succeeded"


def _record(message: dict[str, Any], url: str) -> dict[str, Any]:
    return {
        "messageId": message["MessageId"],
        "receiptHandle": message["ReceiptHandle"],
        "body": message["Body"],
        "attributes": {"ApproximateReceiveCount": "1", "SentTimestamp": "1700000000000"},
        "messageAttributes": {},
        "eventSourceARN": f"arn:aws:sqs:eu-west-1:123456789012:{url.rpartition('/')[2]}",
        "eventSource": "aws:sqs",
    }


@pytest.mark.parametrize("size", SIZES, ids=lambda size: size.name)
@pytest.mark.parametrize("mode", MODES)
def test_what_a_query_takes_is_what_is_reckoned_with(
    mode: str,
    size: Size,
    deployed: Deployed,
    upstream: ScriptedUpstream,
    meter: Meter,
    capsys: pytest.CaptureFixture[str],
) -> None:
    upstream.otherwise = Answer(said=Said(pieces=(text(size.answer_bytes),)))
    logged = 0
    for _ in range(3):
        minute = time.time() // 60
        # The first of its kind in a minute makes what later ones find: the gate's items, the provider's credential.
        asked(deployed, mode, size)
        composition.gateway().outside.provider_store.all()
        capsys.readouterr()
        meter.units.clear()
        asked(deployed, mode, size)
        logged = len(capsys.readouterr().out.encode())
        if minute == time.time() // 60:
            break
    reckoned = WORKLOADS[mode, size.name]
    counted = meter.units
    told = f"counted {dict(counted)}, {logged} bytes of log"
    assert counted["writes"] == pytest.approx(reckoned.writes, abs=OFF), told
    assert counted["reads"] == pytest.approx(reckoned.reads, abs=OFF), told
    assert (counted["PutObject"], counted["GetObject"]) == (reckoned.puts, reckoned.gets), told
    assert counted["SendMessage"] == reckoned.messages, told
    assert 0 < logged <= reckoned.log_bytes, told
