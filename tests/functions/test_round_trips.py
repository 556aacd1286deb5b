"""The round-trip budget: how often, one after the other, a query waits for DynamoDB."""

import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from datetime import datetime
from decimal import Decimal
from pathlib import Path
from typing import Any
from uuid import uuid4

import httpx
import pytest
from httpx2 import Response
from llm_gateway.bootstrap import Gateway
from llm_gateway.domain.keys import Budget, KeyLimits, KeySpec, Period, Role
from llm_gateway.entrypoints.http import app_of
from llm_gateway.instruments.system import SystemClock
from llm_gateway.outside import Outside
from llm_gateway.ports.queries import Delivery
from llm_gateway.stores.connection import Aws
from llm_gateway_client.signing import SignatureAuth
from starlette.testclient import TestClient

from functions.__main__ import every_endpoint
from tests.adapters.answering import AnsweringProviders
from tests.adapters.authors import BY
from tests.adapters.aws import connect, deploy
from tests.adapters.ministack import running_ministack

QUERY = "/api/v1/llm/query"
QUESTION: dict[str, Any] = {"messages": [{"role": "user", "content": "Say hello."}]}
LIMITS = KeyLimits(requests_per_minute=6_000, tokens_per_minute=20_000_000, burst=3_000)
BUDGET = Budget(amount=Decimal(1_000_000), period=Period.MONTH, allow_unpriced=True)
DETERMINISTIC = {"parameters": {"temperature": 0}}
# Long against what scheduling does: calls that do not wait for each other then overlap for certain.
ROUND_TRIP_S = 0.15


@dataclass(frozen=True)
class Call:
    """One call to DynamoDB, from when it was begun to when its answer was there."""

    name: str
    table: str
    began_s: float
    ended_s: float


@dataclass
class Line:
    """The line to DynamoDB: every call takes a while, and is noted."""

    calls: list[Call] = field(default_factory=list)
    _begun: dict[int, tuple[str, str, float]] = field(default_factory=dict)

    def attach(self, aws: Aws) -> None:
        for client in (aws.dynamodb, aws.dynamodb_once):
            client.meta.events.register("before-parameter-build", self._begin)
            client.meta.events.register("after-call", self._end)

    def _begin(self, params: dict[str, Any], model: Any, **_: object) -> None:
        table = params.get("TableName") or next(iter(params.get("RequestItems", ["several"])))
        self._begun[threading.get_ident()] = (model.name, table.rpartition("-")[2], time.monotonic())
        time.sleep(ROUND_TRIP_S)

    def _end(self, **_: object) -> None:
        name, table, began_s = self._begun.pop(threading.get_ident())
        self.calls.append(Call(name=name, table=table, began_s=began_s, ended_s=time.monotonic()))


def rounds(calls: list[Call]) -> list[set[str]]:
    """The tables asked, round by round: the fewest rounds in which no call waits for another of its round."""
    found: list[set[str]] = []
    round_ends_s = 0.0
    for call in sorted(calls, key=lambda call: call.ended_s):
        if call.began_s >= round_ends_s:
            round_ends_s = call.ended_s
            found.append(set())
        found[-1].add(call.table)
    return found


class StandingClock(SystemClock):
    """Time that stands still, so that what was read is fresh until a test says otherwise, however busy the machine is."""

    def __init__(self) -> None:
        self._now, self._monotonic_s = super().now(), super().monotonic_s()

    def now(self) -> datetime:
        return self._now

    def monotonic_s(self) -> float:
        return self._monotonic_s


@dataclass(frozen=True)
class OnAws(Outside):
    """All that a deployed gateway stands on, but for its providers."""

    aws: Aws = field(default_factory=Aws)
    models: AnsweringProviders = field(default_factory=AnsweringProviders)
    clock: StandingClock = field(default_factory=StandingClock)


@dataclass
class Measured:
    """What a request did: the rounds before its provider was called, and those after."""

    response: Response
    before: list[set[str]]
    after: list[set[str]]


@dataclass
class Deployment:
    client: TestClient
    gateway: Gateway
    line: Line
    secret: str
    limited_secret: str
    is_limited: bool = False

    @property
    def headers(self) -> dict[str, str]:
        return {"Authorization": f"Bearer {self.limited_secret if self.is_limited else self.secret}"}

    def ask(
        self, path: str = QUERY, *, key: str | None = None, auth: SignatureAuth | None = None, **changes: Any
    ) -> Measured:
        headers = ({} if auth else self.headers) | ({"Idempotency-Key": key} if key else {})
        request = httpx.Request("POST", f"http://testserver{path}", json=QUESTION | changes, headers=headers)
        if auth is not None:
            next(auth.auth_flow(request))
        return self._measured(
            lambda: self.client.post(path, content=request.content, headers=request.headers.multi_items())
        )

    def work(self, **changes: Any) -> Measured:
        """What a worker does for a query that is accepted now; `response` is its result."""
        promise = self.client.post(QUERY, json=QUESTION | changes | {"mode": "async"}, headers=self.headers).json()
        sqs, url = self.gateway.outside.aws.sqs, self.gateway.settings.queue_url
        (message,) = sqs.receive_message(QueueUrl=url, WaitTimeSeconds=5)["Messages"]
        delivery = Delivery(
            query_id=message["Body"],
            receipt=message["ReceiptHandle"],
            queue_arn=f":{url.rpartition('/')[2]}",
            count=1,
        )

        def work() -> Response:
            self.gateway.worker.process(delivery)
            return Response(200)

        assert delivery.query_id == promise["id"]
        self.gateway.outside.provider_store.all()
        measured = self._measured(work)
        sqs.delete_message(QueueUrl=url, ReceiptHandle=delivery.receipt)
        return replace(measured, response=self.client.get(promise["result_url"], headers=self.headers))

    def _measured(self, do: Callable[[], Response]) -> Measured:
        asked_s: list[float] = []

        def said() -> str:
            asked_s.append(time.monotonic())
            return "Hello!"

        self.gateway.outside.models.script[:] = [said]
        self.line.calls.clear()
        response = do()
        assert response.status_code == 200, response.text
        (at_s,) = asked_s or [float("inf")]
        calls = list(self.line.calls)
        return Measured(
            response=response,
            before=rounds([call for call in calls if call.ended_s <= at_s]),
            after=rounds([call for call in calls if call.began_s >= at_s]),
        )


@pytest.fixture(scope="module")
def deployment(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Deployment]:
    with running_ministack(Path(tmp_path_factory.mktemp("ministack"))) as endpoint:
        aws = connect(endpoint)
        settings = deploy(aws, name=f"test-{uuid4().hex[:12]}")
        gateway = Gateway(settings, OnAws(settings, aws=aws))
        secret = gateway.key_changes.create(KeySpec(name="admin", role=Role.ADMIN), by=BY).secret
        limited = gateway.key_changes.create(
            KeySpec(name="limited", role=Role.CALLER, limits=LIMITS, budget_usd=BUDGET), by=BY
        ).secret
        with TestClient(app_of(*every_endpoint(), gateway=lambda: gateway)) as client:
            line = Line()
            deployment = Deployment(client=client, gateway=gateway, line=line, secret=secret, limited_secret=limited)
            _register(deployment)
            line.attach(aws)
            # The gate's item is made by its first call, and counted in by its second.
            for _ in range(3):
                deployment.ask()
            deployment.is_limited = True
            for _ in range(3):
                deployment.ask()
            deployment.is_limited = False
            yield deployment


@pytest.fixture(params=[False, True], ids=["plain", "limited"])
def whose(request: pytest.FixtureRequest, deployment: Deployment) -> Iterator[None]:
    """With a key that has neither limits nor a budget, and with one that has both."""
    deployment.is_limited = request.param
    yield
    deployment.is_limited = False


def _register(deployment: Deployment) -> None:
    provider = {
        "id": "limited",
        "name": "Limited",
        "kind": "openai_compatible",
        "base_url": "https://model.example.com/v1",
        "default_model": "small",
        "models": [{"name": "small", "input_usd_per_mtok": "1", "output_usd_per_mtok": "2"}],
        "limits": {"requests_per_minute": 600, "tokens_per_minute": 900_000, "burst": 300, "max_concurrent": 20},
    }
    response = deployment.client.post("/api/v1/llm/providers", json=provider, headers=deployment.headers)
    assert response.status_code == 201, response.text


@pytest.fixture
def warm(deployment: Deployment) -> Callable[..., Measured]:
    """Asks with the providers' book just read: once in five seconds it is read again."""

    def ask(*given: Any, **named: Any) -> Measured:
        deployment.gateway.outside.provider_store.all()
        return deployment.ask(*given, **named)

    return ask


def new_key() -> str:
    return uuid4().hex


def test_the_line_tells_what_waits_from_what_does_not() -> None:
    def call(table: str, began_s: float, ended_s: float) -> Call:
        return Call(name="GetItem", table=table, began_s=began_s, ended_s=ended_s)

    beside = [call("a", 0, 2), call("b", 1, 3), call("c", 1.5, 2.5)]
    assert rounds(beside) == [{"a", "b", "c"}]
    assert rounds([*beside, call("d", 3, 4)]) == [{"a", "b", "c"}, {"d"}]
    assert rounds([call("a", 0, 1), call("b", 1, 2), call("c", 2, 3)]) == [{"a"}, {"b"}, {"c"}]


@pytest.mark.usefixtures("whose")
@pytest.mark.parametrize("path", [QUERY, f"{QUERY}/stream"], ids=["sync", "stream"])
@pytest.mark.parametrize("cache", [{}, DETERMINISTIC, {"cache": "refresh"}], ids=["no cache", "cache", "refresh"])
@pytest.mark.parametrize("idempotent", [False, True], ids=["no key", "key"])
def test_two_rounds_before_the_provider_and_one_after(
    warm: Callable[..., Measured], path: str, cache: dict[str, Any], idempotent: bool
) -> None:
    unheard = {"system": {"text": new_key()}}  # A question that nobody has asked before.
    measured = warm(path, key=new_key() if idempotent else None, **cache, **unheard)
    identity, booking = measured.before
    assert identity == {"keys"}
    assert booking == (
        {"limits"}
        | ({"cache"} if idempotent or cache == DETERMINISTIC else set())
        | ({"queries"} if path != QUERY else set())
    )
    (booked_out,) = measured.after
    assert booked_out == {"queries", "limits"} | ({"cache"} if idempotent or cache else set())


def test_the_providers_book_costs_one_round_where_it_is_not_fresh(deployment: Deployment) -> None:
    deployment.gateway.outside.provider_store._snapshot = None  # type: ignore[attr-defined]
    measured = deployment.ask()
    assert measured.before == [{"keys"}, {"providers"}, {"limits"}]
    assert measured.after == [{"queries", "limits"}]
    assert deployment.ask().before == [{"keys"}, {"limits"}]


PROMPT: dict[str, Any] = {
    "id": "greeting",
    "name": "Greeting",
    "template": {
        "system": {"roles": ["pirate"], "text": "You greet people."},
        "messages": [{"role": "user", "content": "Greet {{ name }}."}],
        "variables": {"name": {"type": "string"}},
    },
}
PIRATE: dict[str, Any] = {
    "id": "pirate",
    "kind": "role",
    "name": "Pirate",
    "template": {"system": {"text": "Talk like a pirate."}},
}
MADE = {"prompt": {"id": "greeting", "variables": {"name": "Ada"}}}


@pytest.fixture(scope="module")
def greeting(deployment: Deployment) -> None:
    for prompt in (PIRATE, PROMPT):
        response = deployment.client.post("/api/v1/llm/prompts", json=prompt, headers=deployment.headers)
        assert response.status_code == 201, response.text


def _forget_prompts(deployment: Deployment) -> None:
    """As a process that was just started."""
    vars(deployment.gateway.outside).pop("prompt_reader", None)
    for name in ("resolver", "assembly", "asking"):
        vars(deployment.gateway).pop(name, None)


@pytest.mark.usefixtures("whose", "greeting")
@pytest.mark.parametrize("path", [QUERY, f"{QUERY}/stream"], ids=["sync", "stream"])
@pytest.mark.parametrize("made", [MADE, MADE | {"system": {"roles": ["coder"]}}], ids=["prompt", "roles"])
def test_a_prompt_that_is_at_hand_costs_no_call(
    warm: Callable[..., Measured], deployment: Deployment, path: str, made: dict[str, Any]
) -> None:
    for prompt_id in ("greeting", None):
        deployment.gateway.outside.prompt_reader.open(prompt_id, roles=True)
    measured = warm(path, **made)
    assert measured.before == [{"keys"}, {"limits"} | ({"queries"} if path != QUERY else set())]
    assert measured.after == [{"queries", "limits"}]
    assert "prompts" not in {call.table for call in deployment.line.calls}


@pytest.mark.usefixtures("greeting")
@pytest.mark.parametrize("choice", [{}, {"version": 1}, {"label": "latest"}], ids=["neither", "version", "label"])
def test_a_cold_prompt_is_read_beside_the_providers_book(deployment: Deployment, choice: dict[str, Any]) -> None:
    _forget_prompts(deployment)
    deployment.gateway.outside.provider_store._snapshot = None  # type: ignore[attr-defined]
    measured = deployment.ask(prompt=MADE["prompt"] | choice)
    assert measured.before == [{"keys"}, {"providers", "prompts"}, {"limits"}]
    assert measured.after == [{"queries", "limits"}]


@pytest.mark.usefixtures("greeting")
def test_a_worker_reads_no_prompt(deployment: Deployment) -> None:
    measured = deployment.work(**MADE)
    _forget_prompts(deployment)
    assert measured.before == [{"queries"}, {"keys"}, {"limits"}]
    assert measured.response.json()["prompt"] == {"id": "greeting", "version": 1}


@pytest.mark.usefixtures("whose")
def test_an_answer_from_the_cache_takes_three_rounds(warm: Callable[..., Measured]) -> None:
    text = {"system": {"text": new_key()}}
    assert not warm(**DETERMINISTIC, **text).response.json()["cache"]["hit"]
    hit = warm(**DETERMINISTIC, **text)
    assert hit.response.json()["cache"]["hit"]
    assert hit.before == [{"keys"}, {"cache", "limits"}, {"queries", "limits"}]


def test_limits_and_a_budget_are_one_call_more_on_each_side(
    deployment: Deployment, warm: Callable[..., Measured]
) -> None:
    calls = []
    for deployment.is_limited in (False, True):
        warm()
        calls.append(len(deployment.line.calls))
    deployment.is_limited = False
    assert calls[1] == calls[0] + 2


def test_a_replay_takes_three_rounds(warm: Callable[..., Measured]) -> None:
    key = new_key()
    first = warm(key=key)
    again = warm(key=key)
    assert again.response.json() == first.response.json()
    assert [len(found) > 0 for found in again.before] == [True] * 3
    assert "queries" in again.before[2]


@pytest.mark.usefixtures("whose")
def test_a_worker_asks_the_cache_before_it_asks_anybody(deployment: Deployment) -> None:
    text = {"system": {"text": new_key()}}
    first = deployment.work(**DETERMINISTIC, **text)
    assert not first.response.json()["cache"]["hit"]
    # The owner's key is read while the queue is told to keep the message back: that takes no time of its own.
    assert first.before == [{"queries"}, {"keys"}, {"cache"}, {"limits"}]
    # What it reserved is given up only once its end is stored: another worker might go on with it.
    settled = [{"limits"}] if deployment.is_limited else []
    assert first.after == [{"queries", "limits", "cache"}, *settled]
    hit = deployment.work(**DETERMINISTIC, **text)
    assert hit.response.json()["cache"]["hit"]
    assert hit.before == [{"queries"}, {"keys"}, {"cache"}, {"queries"}, *settled]


def test_a_worker_leaves_the_cache_alone_where_it_is_not_wanted(deployment: Deployment) -> None:
    measured = deployment.work(cache="bypass", **DETERMINISTIC)
    assert measured.before == [{"queries"}, {"keys"}, {"limits"}]
    assert measured.after == [{"queries", "limits"}]


def test_a_signed_query_takes_one_round_more(warm: Callable[..., Measured], deployment: Deployment) -> None:
    spec = KeySpec(name="signs", role=Role.CALLER, require_signature=True)
    issued = deployment.gateway.key_changes.create(spec, by=BY)
    auth = SignatureAuth(issued.key.id, issued.signing_secret)
    # Its first use is noted, after the answer.
    assert [len(warm(auth=auth).after) for _ in range(2)] == [2, 1]
    signed = warm(auth=auth)
    assert signed.before == [{"keys"}, {"limits"}, {"limits"}]
    assert signed.after == [{"queries", "limits"}]
