"""Three hundred secrets and personal values, sent by every road of a key whose policy is `log`: none is in clear afterwards.

Any table, object, message, log line and metric is searched. And whatever strangers send, a line stays a line.
"""

import json
import re
import zlib
from collections.abc import Iterator
from dataclasses import replace
from itertools import cycle
from random import Random
from typing import Any
from urllib.parse import quote
from uuid import uuid4

import pytest
from llm_gateway.domain.chat import ChatAnswer, FinishReason, ToolCall, Usage
from llm_gateway.domain.keys import Role
from llm_gateway.outside import Outside
from llm_gateway.ports.queries import Delivery
from llm_gateway.settings import Settings
from moto import mock_aws
from starlette.applications import Starlette
from starlette.testclient import TestClient

from tests.adapters.answering import AnsweringProviders
from tests.adapters.aws import connect, deploy
from tests.adapters.gateway import FakeGateway
from tests.adapters.prices import FlatPrices
from tests.adapters.token_counter import WordCounter
from tests.domain.secret_samples import SPECS, sample
from tests.entrypoints.conftest import PROMPT, QUERY, Api, Lines

PLANTED = 300
FUZZED = 5_000
SHARE = 1_250
TOOL = {"type": "function", "function": {"name": "look", "parameters": {"type": "object"}}}
HEADERS = {"User-Agent": "agent {}", "X-Note": "{}", "Referer": "https://example.com/?note={}"}


class Planting(Outside):
    """All of it as it ships, on AWS as moto plays it; but providers, prices and tokens answer without a network."""

    def __init__(self, settings: Settings, aws: Any) -> None:
        super().__init__(settings)
        self.__dict__ |= {
            "aws": aws, "models": AnsweringProviders(), "prices": FlatPrices(), "counter": WordCounter()
        }  # fmt: skip


@pytest.fixture
def on_aws() -> Iterator[FakeGateway]:
    with mock_aws():
        aws = connect()
        settings = deploy(aws, name=f"planted-{uuid4().hex[:8]}")
        yield FakeGateway(settings=settings, outside=Planting(settings, aws))  # type: ignore[arg-type]


@pytest.fixture
def api_on_aws(app: Starlette, client: TestClient, on_aws: FakeGateway) -> Api:
    app.state.gateway = lambda: on_aws
    return Api(client, on_aws)


def planted() -> list[str]:
    draw = Random(15)  # noqa: S311 - the same on every run.
    secrets = [sample(whose, seed=7) for whose in SPECS]
    emails = [f"anna.novak{number}@mail{number % 7}.example.com" for number in range(60)]
    cards = [_card(f"4{draw.randrange(10**14):014}") for _ in range(50)]
    ibans = [_iban(f"{draw.randrange(10**18):018}") for _ in range(40)]
    values = [*secrets, *emails, *cards, *ibans]
    assert len(values) == len(set(values)) >= PLANTED
    return values


def _card(digits: str) -> str:
    doubled = [int(each) * (2 if place % 2 == 0 else 1) for place, each in enumerate(reversed(digits))]
    return digits + str(-sum(each - 9 if each > 9 else each for each in doubled) % 10)


def _iban(account: str) -> str:
    return f"DE{98 - int(f'{account}131400') % 97:02}{account}"


def tool_turn(value: str) -> list[dict[str, Any]]:
    function = {"name": "look", "arguments": json.dumps({"at": value})}
    call = {"id": "call_1", "type": "function", "function": function}
    return [
        {"role": "user", "content": "Look."},
        {"role": "assistant", "content": "", "tool_calls": [call]},
        {"role": "tool", "tool_call_id": "call_1", "content": f"It says {value}."},
    ]


def roads(value: str) -> dict[str, dict[str, Any]]:
    """Bodies of requests that hold the value, by the road that it takes."""
    plain = {"messages": [{"role": "user", "content": "Say hello."}]}
    return {
        "messages": {"messages": [{"role": "user", "content": f"My own is {value}, keep it."}]},
        "system": plain | {"system": {"text": f"The caller's is {value}."}},
        "tools": {"messages": tool_turn(value), "tools": [TOOL]},
        "variables": {"prompt": {"id": "greeting", "variables": {"customer": value}}},
        "context": plain | {"context": {"items": [{"id": "doc-1", "text": f"On file: {value}.", "source": value}]}},
        "metadata": plain | {"metadata": {"note": f"of {value}"}},
    }


@pytest.mark.holds("LLM02", "STRIDE-I")
def test_nothing_that_was_planted_is_left_in_clear_anywhere(
    api_on_aws: Api, on_aws: FakeGateway, lines: Lines, capfd: pytest.CaptureFixture[str]
) -> None:
    api, models = api_on_aws, on_aws.outside.models
    api.register()
    api.write()
    said = {"name": "k", "role": "caller", "pii": ["log"], "log_bodies": 1}
    secret = api.call("POST", "/api/v1/llm/keys", said).json()["secret"]
    ways = cycle([*roads("x"), "headers", "answer", "model", "async"])
    by_way: dict[str, int] = {}
    values = planted()
    for value, way in zip(values, ways, strict=False):
        by_way[way] = by_way.get(way, 0) + 1
        body = roads(value).get(way, roads("hello")["messages"])
        headers = {"Authorization": f"Bearer {secret}"}
        match way:
            case "headers":
                flat = re.sub(r"[^\x20-\x7e]", " ", value)
                headers |= {name: text.format(flat) for name, text in HEADERS.items()}
            case "answer":
                models.script.append(answering(value))  # type: ignore[attr-defined]
            case "model":
                # Of a model that nobody lists the answer tells the caller, and nothing else is told.
                body = body | {"model": re.sub(r"\s", "-", value)[:200]}
            case "async":
                body = roads(value)["messages"] | {"mode": "async"}
        models.script[:] = models.script[-1:]  # type: ignore[attr-defined]
        answer = api.call("POST", QUERY, body, role=None, headers=headers)
        expected = {"model": (200, 422), "async": (202,)}.get(way, (200,))
        assert answer.status_code in expected, (way, answer.text)
        if way == "async":
            work(on_aws)
        models.script.clear()  # type: ignore[attr-defined]
    assert min(by_way.values()) >= len(values) // 12
    written = "\n".join([*lines.written, *capfd.readouterr()])
    assert written.count("query_bodies") > len(values) // 2
    stored = everything(on_aws)
    assert "[redacted]" in stored
    for value in values:
        for spelt in {value, json.dumps(value)[1:-1]}:
            assert spelt not in written, "a log line, a metric or an error holds it"
            assert spelt not in stored, f"a table, an object or a message holds {spelt}"


def answering(value: str) -> ChatAnswer:
    call = ToolCall(id="c", name="look", arguments=json.dumps({"at": value}))
    usage = Usage(input_tokens=1, output_tokens=1)
    stop = FinishReason.STOP
    return ChatAnswer(text=f"It is {value}.", tool_calls=(call,), finish_reason=stop, model="small", usage=usage)


def work(gateway: FakeGateway) -> None:
    """Has a worker answer what waits in the queue."""
    sqs, url = gateway.outside.aws.sqs, gateway.settings.queue_url
    for message in sqs.receive_message(QueueUrl=url).get("Messages", []):
        arn = f"arn:aws:sqs:eu-west-1:1:{url.rpartition('/')[2]}"
        gateway.worker.process(
            Delivery(query_id=message["Body"], receipt=message["ReceiptHandle"], queue_arn=arn, count=1)
        )


def everything(gateway: FakeGateway) -> str:
    """All that AWS holds, unpacked: every item of every table, every object, every message."""
    aws = gateway.outside.aws
    parts: list[Any] = []
    for table in aws.dynamodb.list_tables()["TableNames"]:
        for page in aws.dynamodb.get_paginator("scan").paginate(TableName=table):
            parts += [_readable(item) for item in page["Items"]]
    for bucket in aws.s3.list_buckets()["Buckets"]:
        for each in aws.s3.list_objects_v2(Bucket=bucket["Name"]).get("Contents", []):
            parts.append(_unpacked(aws.s3.get_object(Bucket=bucket["Name"], Key=each["Key"])["Body"].read()))
    for url in aws.sqs.list_queues().get("QueueUrls", []):
        while messages := aws.sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10).get("Messages"):
            parts += [message["Body"] for message in messages]
    return "\n".join(map(str, parts))


def _readable(item: dict[str, Any]) -> str:
    texts = [_unpacked(value["B"]) if "B" in value else json.dumps(value, default=str) for value in item.values()]
    return "\n".join([*texts, *(text.replace('\\"', '"').replace("\\\\", "\\") for text in texts)])


def _unpacked(body: bytes) -> str:
    return (zlib.decompress(body) if body.startswith(b"\x78") else body).decode("utf-8", "replace")


_ADMIN = Role.ADMIN


@pytest.mark.holds("LLM02", "STRIDE-I")
def test_sealed_words_are_read_by_their_owner_and_by_nobody_in_the_store(
    app: Starlette, api_on_aws: Api, on_aws: FakeGateway
) -> None:
    api = api_on_aws
    sealing = FakeGateway(
        settings=replace(on_aws.settings, seal=True),
        outside=Planting(replace(on_aws.settings, seal=True), on_aws.outside.aws),  # type: ignore[arg-type]
    )
    app.state.gateway = lambda: sealing
    api.register()
    asked = {"messages": [{"role": "user", "content": "The merger is off."}], "parameters": {"temperature": 0}}
    headers = {"Idempotency-Key": "once"}
    first = api.call("POST", QUERY, asked, headers=headers).json()
    assert api.call("GET", f"{QUERY}/{first['id']}/result").json()["output"] == first["output"]
    assert api.call("POST", QUERY, asked, headers=headers).headers["Idempotent-Replayed"] == "true"
    assert api.call("POST", QUERY, asked).json()["cache"]["hit"] is True
    later = api.call("POST", QUERY, asked | {"mode": "async", "cache": "bypass"}).json()["id"]
    work(sealing)
    assert api.call("GET", f"{QUERY}/{later}/result").json()["output"]["text"] == "Hello!"
    stored = everything(sealing)
    assert "merger" not in stored
    assert "Hello!" not in stored


PIECES = (
    "\n",
    "\r",
    "\x1b[31m",
    "\x1b]0;x\x07",
    "\u2028",
    "\u202e",
    "\x00",
    "%0a",
    "%1b",
    "\\n",
    "a",
    "é",
    "\N{OWL}",
    '"',
    "{",
    "GET / HTTP/1.1",
)
ROUTES = (
    "/query/{}",
    "/query/{}/status",
    "/providers/{}",
    "/prompts/{}/versions/{}",
    "/keys/{}",
    "/nowhere/{}",
    "/query?prompt={}",
)


@pytest.mark.parametrize("first", range(0, FUZZED, SHARE))
@pytest.mark.holds("STRIDE-R", "STRIDE-I")
def test_whatever_strangers_send_a_line_stays_a_line(
    api: Api, lines: Lines, capfd: pytest.CaptureFixture[str], first: int
) -> None:
    names = list(SPECS)
    api.register()
    sent: list[str] = []
    for number in range(first, first + SHARE):
        # A request is drawn from its own number: it is the same however they are shared out, and none is sent twice.
        draw = Random(number)  # noqa: S311
        secret = sample(names[number % len(names)], seed=number)
        noise = "".join(draw.choices(PIECES, k=4))
        sent.append(secret)
        _send(api, draw, number, f"{noise} {secret} {noise}")
    written = capfd.readouterr()
    text = "\n".join([*lines.written, written.out, written.err])
    for line in lines.written:
        assert "\n" not in line
        assert not re.search(r"[\x00-\x08\x0b-\x1f\x7f\x9b\u2028\u2029\u202e]", line), line
        json.loads(line)
    audit = repr(api.gateway.outside.audit_log.contents().kept)
    for secret in sent:
        assert secret not in text
        assert secret not in audit


def _send(api: Api, draw: Random, number: int, value: str) -> None:
    """One request with the value in its path, a header, its body, or its place of a key; the answer does not say it again."""
    flat = re.sub(r"[^\x20-\x7e]", "?", value)
    match number % 4:
        case 0:
            path = "/api/v1/llm" + draw.choice(ROUTES).replace("{}", quote(value, safe=""))
            answer = api.client.get(
                path, headers={"Authorization": f"Bearer {api.secret(_ADMIN)}"}, follow_redirects=False
            )
        case 1:
            answer = api.client.get(
                "/api/v1/llm/providers", headers={"Authorization": f"Bearer {flat}", "User-Agent": flat}
            )
        case 2:
            body = {
                draw.choice(("messages", "model", "provider", value)): value,
                "messages": [{"role": value, "content": value}],
            }
            answer = api.client.post(QUERY, json=body, headers={"Authorization": f"Bearer {api.secret(_ADMIN)}"})
        case _:
            body = PROMPT | {"id": f"p{number}", "name": value[:150]} | {draw.choice(("description", "kind")): value}
            answer = api.client.post(
                "/api/v1/llm/prompts", json=body, headers={"Authorization": f"Bearer {api.secret(_ADMIN)}"}
            )
    assert answer.status_code < 500
    shown = (
        json.dumps(answer.json())
        if answer.status_code >= 400 and answer.headers["content-type"].endswith("json")
        else ""
    )
    assert not re.search(r"[\x00-\x1f\x7f]", shown)
