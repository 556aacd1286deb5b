"""What alarms and the dashboard look at is written by real requests: a metric that nobody emits is an alarm that never rings."""

import io
import json
import re
from collections.abc import Iterator
from typing import Any

import pytest
from llm_gateway.access import SERVER_ERRORS, metrics_namespace
from llm_gateway.domain.chat import ChatAnswer, FinishReason, Usage
from llm_gateway.domain.faults import ProviderFailed
from llm_gateway.domain.keys import Role
from llm_gateway.entrypoints.http import app_of
from llm_gateway.entrypoints.observe import logger
from llm_gateway.entrypoints.sqs import QueueHandler
from llm_gateway.errors import DeadlineExceeded, DependencyUnavailable
from llm_gateway.instruments.journal import EmbeddedMetricsJournal
from llm_gateway.stores.budget_events import EventBridgeBudgetEvents
from llm_gateway.stores.connection import Aws
from llm_gateway.stores.event_bus import EventBus
from llm_gateway.stores.gates import StoredProviderGates
from starlette.testclient import TestClient

from functions.__main__ import every_endpoint
from functions.process_query import process_query
from infra.saved_queries import SAVED
from tests.adapters.gateway import FakeGateway
from tests.adapters.items import InMemoryItems
from tests.adapters.outside import FakeOutside
from tests.adapters.prices import FlatPrices
from tests.docs.pages import page
from tests.entrypoints.conftest import PROMPT, PROMPTS, PROVIDER, PROVIDERS, QUERY, QUESTION
from tests.entrypoints.test_sqs import batch, record
from tests.infra.deployments import deployed
from tests.services.evals.test_canaries import end, weighted

PREFIX = "llm-gateway-dev"
Metric = tuple[str, frozenset[tuple[str, str]]]
# AWS's own, by its documentation.
OF_AWS = {
    "AWS/ApiGateway": {"5XXError", "4XXError", "Count", "Latency"},
    "AWS/Lambda": {"Errors", "Throttles"},
    "AWS/SQS": {"ApproximateAgeOfOldestMessage", "NumberOfMessagesReceived"},
}
# Each answer says whether it was slow: the part of them that was is what is watched.
TOLD_IN_ANY_CASE = {"SlowQueries"}


def told_by(documents: list[dict[str, Any]]) -> set[Metric]:
    """The metrics that CloudWatch takes from lines, those with a value above nothing."""
    found = set()
    for document in documents:
        for directive in document.get("_aws", {}).get("CloudWatchMetrics", []):
            assert directive["Namespace"] == metrics_namespace()
            for names in directive["Dimensions"]:
                by = frozenset((name, document[name]) for name in names)
                found |= {
                    (metric["Name"], by)
                    for metric in directive["Metrics"]
                    if document[metric["Name"]]
                    or metric["Unit"] == "Milliseconds"
                    or metric["Name"] in TOLD_IN_ANY_CASE
                }
    return found


def watched() -> set[tuple[str, str, frozenset[tuple[str, str]]]]:
    """Namespace, name and dimensions of every metric in an alarm or on the dashboard."""
    found = set()
    for properties in deployed().monitoring.properties("AWS::CloudWatch::Alarm"):
        parts = [part["MetricStat"]["Metric"] for part in properties.get("Metrics", []) if "MetricStat" in part]
        for metric in parts or [properties]:
            by = frozenset((each["Name"], str(each["Value"])) for each in metric.get("Dimensions", []))
            found.add((metric["Namespace"], metric["MetricName"], by))
    (dashboard,) = deployed().monitoring.properties("AWS::CloudWatch::Dashboard")
    for namespace, name, *rest in _rows_of(dashboard["DashboardBody"]):
        by = frozenset(zip(rest[::2], rest[1::2], strict=True))
        found.add((namespace, name, by))
    return found


def _rows_of(body: Any) -> Iterator[list[str]]:
    """The dashboard's metrics; what CloudFormation fills in stands for itself."""
    parts = body["Fn::Join"][1] if isinstance(body, dict) else [body]
    page = json.loads("".join(part if isinstance(part, str) else "TOKEN" for part in parts))
    for widget in page["widgets"]:
        for row in widget["properties"].get("metrics", []):
            words = [word for word in row if isinstance(word, str)]
            if words:
                yield words


class Scene:
    """A gateway whose metrics are written down, and a client that makes it have some of each."""

    def __init__(self, client: TestClient, written: io.StringIO) -> None:
        self.outside = outside = FakeOutside()
        self.outside.journal = journal = EmbeddedMetricsJournal(written)  # type: ignore[assignment]
        outside.gates = StoredProviderGates(
            items=InMemoryItems(), clock=outside.clock, ids=outside.ids, turned=journal.circuit_turned
        )
        # Without a bus, it is the log that is told.
        bus = EventBus(aws=Aws(), bus="")
        outside.budget_events = EventBridgeBudgetEvents(bus, journal)  # type: ignore[assignment]
        outside.prices = FlatPrices("unpriced")
        self.gateway = FakeGateway(outside=outside)
        client.app.state.gateway = lambda: self.gateway  # type: ignore[attr-defined]
        self.client = client
        self.admin = self.gateway.new_key(Role.ADMIN)[1]
        for id_ in ("local", "failing"):
            policy = {"circuit": {"failure_threshold": 1, "cooldown_s": 1}} if id_ == "failing" else {}
            made = self.send("POST", PROVIDERS, PROVIDER | {"id": id_, "name": id_} | policy)
            assert made.status_code == 201, made.text

    def send(self, method: str, path: str, body: Any = None, *, key: str | None = None) -> Any:
        headers = {"Authorization": f"Bearer {key or self.admin}"}
        return self.client.request(method, path, json=body, headers=headers)

    def ask(self, expected: int, *, meets: Any = None, key: str | None = None, **said: Any) -> Any:
        if meets is not None:
            self.outside.models.script.append(meets)  # type: ignore[attr-defined]
        answer = self.send("POST", QUERY, QUESTION | {"provider": "local"} | said, key=key)
        assert answer.status_code == expected, answer.text
        return answer.json()

    def key(self, **said: Any) -> str:
        made = self.send("POST", "/api/v1/llm/keys", {"name": "k", "role": "caller", **said})
        assert made.status_code == 201, made.text
        return str(made.json()["secret"])


def answers(scene: Scene) -> None:
    usage = Usage(input_tokens=9, output_tokens=5, cached_input_tokens=3, cache_write_tokens=2, reasoning_tokens=4)
    scene.ask(200, meets=ChatAnswer(text="Yes", finish_reason=FinishReason.STOP, model="small", usage=usage))
    for _ in range(2):
        scene.ask(200, parameters={"temperature": 0})
    scene.ask(200, model="local/unpriced")
    watched_over = scene.key(pii=["mask"])
    scene.ask(200, messages=[{"role": "user", "content": "I am ada@example.com."}], key=watched_over)


def failures(scene: Scene) -> None:
    scene.ask(502, meets=ProviderFailed("It failed."))
    scene.ask(500, meets=RuntimeError())
    scene.ask(504, meets=DeadlineExceeded("Too late."))
    scene.ask(503, meets=DependencyUnavailable("The secrets cannot be reached."))
    scene.ask(422, messages=[])
    assert scene.send("GET", PROVIDERS, key="nobodys").status_code == 401


def limits_and_budgets(scene: Scene) -> None:
    limited = scene.key(limits={"requests_per_minute": 5, "burst": 1})
    scene.ask(200, key=limited)
    scene.ask(429, key=limited)
    spender = scene.key(budget_usd={"amount": "0.001", "period": "month"})
    said = {"parameters": {"max_output_tokens": 1}}
    dear = Usage(input_tokens=1000, output_tokens=0)
    scene.ask(
        200, meets=ChatAnswer(text="", finish_reason=FinishReason.STOP, model="small", usage=dear), key=spender, **said
    )
    assert scene.ask(429, key=spender, **said)["code"] == "budget_exceeded"


def circuits(scene: Scene) -> None:
    scene.ask(502, provider="failing", meets=ProviderFailed("It failed."))
    scene.ask(503, provider="failing")
    scene.outside.clock.move(seconds=2)  # type: ignore[attr-defined]
    scene.ask(200, provider="failing")


def queue(scene: Scene) -> None:
    scene.ask(202, mode="async")
    (sent,) = scene.outside.queue.sent
    handler = QueueHandler(process_query.work, gateway=lambda: scene.gateway)
    assert handler(batch(record(sent.query_id)), None) == {"batchItemFailures": []}


def prompts(scene: Scene) -> None:
    tested = PROMPT | {
        "tests": [{"name": "t", "variables": {"customer": "A"}, "assert": [{"type": "contains", "value": "H"}]}]
    }
    assert scene.send("POST", PROMPTS, tested).status_code == 201
    gated = {"version": 1, "gate": {"tests": True}}
    label = f"{PROMPTS}/greeting/labels/production"
    assert scene.send("PUT", label, gated).json()["code"] == "quality_gate_failed"
    run = scene.send("POST", f"{PROMPTS}/greeting/tests", {"version": 1})
    assert run.status_code in (200, 201, 202), run.text
    moved = scene.send("PUT", label, gated)
    assert moved.status_code == 201, moved.text
    weighted(scene.gateway, {3: 90, 4: 10})
    scene.outside.clock.move(seconds=1800)  # type: ignore[attr-defined]
    end(scene.gateway, 3, 180)
    end(scene.gateway, 4, 20, bad=20)
    scene.gateway.canaries.judge()


@pytest.fixture(scope="module")
def lines() -> list[dict[str, Any]]:
    """What a gateway writes down while everything happens to it that it has a metric for."""
    written = io.StringIO()
    (handler,) = logger().handlers
    before, handler.stream = handler.stream, written  # type: ignore[attr-defined]
    try:
        with TestClient(app_of(*every_endpoint())) as client:
            scene = Scene(client, written)
            for part in (answers, failures, limits_and_budgets, circuits, queue, prompts):
                part(scene)
    finally:
        handler.stream = before  # type: ignore[attr-defined]
    return [json.loads(line) for line in written.getvalue().splitlines()]


@pytest.fixture(scope="module")
def emitted(lines: list[dict[str, Any]]) -> set[Metric]:
    return told_by(lines)


WORDS = re.compile(r"'[^']*'|/[^/]*/|(?<![\w.@])[A-Za-z_][\w.]*")
OF_INSIGHTS = {
    *("fields", "filter", "stats", "sort", "as", "by", "and", "or", "in", "like", "desc"),
    *("count", "sum", "max", "pct"),
}


def asked_of(steps: tuple[str, ...]) -> set[str]:
    """The fields of lines that a saved query names; what it makes itself is none of them."""
    text = " | ".join(steps)
    made = set(re.findall(r" as (\w+)", text))
    words = {word for word in WORDS.findall(text) if word[0] not in "'/"}
    return {word.partition(".")[0] for word in words} - OF_INSIGHTS - made


@pytest.mark.parametrize("name", SAVED)
def test_a_saved_query_asks_for_what_lines_have(name: str, lines: list[dict[str, Any]]) -> None:
    asked = asked_of(SAVED[name])
    assert asked
    assert asked - {field for line in lines for field in line} == set()


def test_who_was_not_let_in_is_no_find_of_personal_data(lines: list[dict[str, Any]]) -> None:
    assert SAVED["who was not let in"][0] == "filter message = 'request' and kind = 'security'"
    security = [line for line in lines if line["kind"] == "security"]
    assert {line["message"] for line in security} == {"request", "personal_data"}
    assert {line["status"] for line in security if line["message"] == "request"} <= {401, 403}


def test_every_metric_that_is_watched_is_emitted(emitted: set[Metric]) -> None:
    own = {(name, by) for namespace, name, by in watched() if namespace == metrics_namespace(PREFIX)}
    # A Lambda alone writes it: tests/infra/test_monitoring.py has each of its alarms ring.
    own = {(name, by) for name, by in own if name != SERVER_ERRORS}
    assert own - emitted == set()
    # Nor is anything emitted, and paid for, that nobody looks at: each provider's are for those who look closer.
    emitted_in_all = {(name, by) for name, by in emitted if not by or {key for key, _ in by} == {"error_class"}}
    assert emitted_in_all - own == set()


def test_the_dashboard_is_one_that_costs_nothing() -> None:
    """AWS gives three of up to 50 metrics for nothing."""
    (dashboard,) = deployed().monitoring.properties("AWS::CloudWatch::Dashboard")
    assert len(list(_rows_of(dashboard["DashboardBody"]))) <= 50


def test_all_others_are_awss_own() -> None:
    for namespace, name, _ in watched():
        assert namespace == metrics_namespace(PREFIX) or name in OF_AWS[namespace]


def test_dimensions_are_few(emitted: set[Metric]) -> None:
    assert {frozenset(key for key, _ in by) for _, by in emitted} == {
        frozenset(),
        frozenset({"provider"}),
        frozenset({"error_class"}),
        frozenset({"prompt"}),
        frozenset({"data_kind"}),
    }


def test_the_bill_for_metrics_is_told(emitted: set[Metric]) -> None:
    """CloudWatch takes 0.30 a month for each name with each value of what it is told by."""
    by = {keys: {name for name, by in emitted if {key for key, _ in by} == keys} for keys in map(frozenset, _BY)}
    in_all = len(by[frozenset()]) + len(by[frozenset({"error_class"})]) * ERROR_CLASSES
    told = page("deployment").replace("\n", " ")
    assert f"up to {in_all} in all, up to {len(by[frozenset({'provider'})])} more for each provider" in told
    assert (len(by[frozenset({"prompt"})]), len(by[frozenset({"data_kind"})])) == (1, 1)


_BY: list[set[str]] = [set(), {"error_class"}, {"provider"}, {"prompt"}, {"data_kind"}]
# docs/operations.md names them.
ERROR_CLASSES = 8


def test_a_deployments_metrics_are_its_own() -> None:
    """Those of `dev` must not ring for `prod`: a function finds its namespace by its own name."""
    from llm_gateway.settings import own_metrics_namespace

    for name, properties in deployed().functions().items():
        assert re.fullmatch(rf"{PREFIX}-{name}", properties["FunctionName"])
        told = own_metrics_namespace({"AWS_LAMBDA_FUNCTION_NAME": properties["FunctionName"]})
        assert told == metrics_namespace(PREFIX)
