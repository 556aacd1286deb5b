"""The same three hundred, sent by a provider: in its errors, its headers, its model's name and every member of its answer."""

import json
import re
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import replace
from itertools import cycle

import pytest
from llm_gateway.errors import NotDone
from llm_gateway.instruments.system import SystemClock
from llm_gateway.providers.registry import ProviderRegistry
from moto import mock_aws
from starlette.applications import Starlette
from starlette.testclient import TestClient

from tests.adapters.aws import connect, deploy
from tests.adapters.gateway import FakeGateway
from tests.adapters.upstream import Answer, Behavior, Raw, Refusal, ScriptedUpstream, StreamFault
from tests.adapters.upstream_wires import CHAT_COMPLETIONS, Counts, Said, SaidCall
from tests.domain.secret_samples import SPECS, sample
from tests.entrypoints.conftest import QUERY, Api, Lines
from tests.entrypoints.test_planted import Planting, everything, planted, work

SECRETS = {sample(whose, seed=7) for whose in SPECS}
NAMES = ("x-request-id", "retry-after", "x-ratelimit-reset-tokens", "openai-organization", "set-cookie", "location")


@pytest.fixture
def upstream() -> Iterator[ScriptedUpstream]:
    with ScriptedUpstream() as upstream:
        yield upstream


def answering(value: str) -> dict[str, Behavior]:
    """What a provider may send, by the road that the value takes."""
    quoted = json.dumps(value)
    flat = re.sub(r"[^\x20-\x7e]", " ", value)
    error = {"message": f"Not {value}.", "type": "invalid_request_error", "param": value, "code": value}
    return {
        "error": Refusal(status=500, body=json.dumps({"error": error}).encode()),
        "refusal": Refusal(status=400, body=json.dumps({"error": error}).encode()),
        "error that is no JSON": Refusal(status=502, body=f"<html>Sorry, {value}</html>".encode()),
        "headers of an error": Refusal(status=429, headers=dict.fromkeys(NAMES, flat)),
        "headers of an answer": Raw(body=whole(Said()), headers=dict.fromkeys(NAMES, flat)),
        "model": Answer(said=Said(model=f"small {value}"[:150])),
        "another model": Answer(said=Said(model=value[:150])),
        "end": Answer(said=Said(finish=value)),
        "text": Answer(said=Said(pieces=("It is ", value, "."))),
        "refused": Answer(said=Said(pieces=(), refusal=f"I do not tell {value}.")),
        "calls": Answer(said=Said(calls=(SaidCall(name="look", arguments=('{"at": ', quoted, "}")),))),
        "a call's name": Answer(said=Said(calls=(SaidCall(name=value, id=value),))),
        "tier": Answer(said=Said(tier=value)),
        "annotations": Answer(said=Said(annotations=({"type": "url_citation", "url": value, "title": value},))),
        "no answer": Raw(body=quoted.encode()),
        "half an answer": Raw(body=whole(Said(pieces=(value,)))[:-20]),
        "an error in a stream": Answer(fault=StreamFault(kind="error", error={"type": value, "message": value})),
    }


def whole(said: Said) -> bytes:
    return json.dumps(CHAT_COMPLETIONS.whole(said, Counts())).encode()


class Reached(Planting):
    """The providers' real SDKs."""

    def __init__(self, *given: object) -> None:
        super().__init__(*given)  # type: ignore[arg-type]
        self.__dict__["models"] = ProviderRegistry(clock=SystemClock(), private_addresses_allowed=True)


@pytest.mark.parametrize("rule", ["log", "mask"])
@pytest.mark.holds("LLM02", "STRIDE-I")
def test_nothing_that_a_provider_says_is_left_in_clear_anywhere(
    rule: str,
    app: Starlette,
    client: TestClient,
    lines: Lines,
    upstream: ScriptedUpstream,
    capfd: pytest.CaptureFixture[str],
) -> None:
    with mock_aws():
        aws = connect()
        settings = replace(deploy(aws, name=f"upstream-{rule}"), allow_private_addresses=True)
        gateway = FakeGateway(settings=settings, outside=Reached(settings, aws))  # type: ignore[arg-type]
        app.state.gateway = lambda: gateway
        api = Api(client, gateway)
        api.register(
            base_url=upstream.openai_base_url,
            kind="openai_compatible",
            retry={"max_attempts": 1},
            circuit={"failure_threshold": 100, "cooldown_s": 1},
        )
        said = {"name": "k", "role": "caller", "pii": [rule], "log_bodies": 1}
        secret = api.call("POST", "/api/v1/llm/keys", said).json()["secret"]
        values = planted()
        statuses = dict[str, set[int]]()
        sent_by = dict(zip(values, cycle(answering("x")), strict=False))
        for number, (value, way) in enumerate(sent_by.items()):
            upstream.script(answering(value)[way])
            body = {"messages": [{"role": "user", "content": "Say hello."}], "fallback": []}
            later = number % 3 == 1
            path = f"{QUERY}/stream" if way == "an error in a stream" else QUERY
            sent = body | ({"mode": "async"} if later and path == QUERY else {})
            answer = api.client.post(path, json=sent, headers={"Authorization": f"Bearer {secret}"})
            statuses.setdefault(way, set()).add(answer.status_code)
            if answer.status_code == 202:
                with suppress(NotDone):
                    work(gateway)
            upstream.reset()
        assert len(statuses) == len(answering("x"))
        written = "\n".join([*lines.written, *capfd.readouterr()])
        stored = everything(gateway)
    assert len(stored) > 100_000
    # What is no credential and no personal data stays: a mask takes personal data alone.
    left = [
        (sent_by[value], value)
        for value in values
        if rule == "log" or value not in SECRETS
        for spelt in {value, json.dumps(value)[1:-1]}
        if spelt in written + stored
    ]
    assert left == []
