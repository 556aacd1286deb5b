"""What the stores do when AWS is away, overloaded, slow or talks nonsense: they say so, soon."""

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import timedelta
from decimal import Decimal
from http.server import BaseHTTPRequestHandler

import pytest
from botocore.exceptions import ClientError, ConnectionClosedError
from llm_gateway.domain.audit.chain import Anchor
from llm_gateway.domain.audit.denials import Denial
from llm_gateway.domain.audit.entries import Actor, Deed
from llm_gateway.domain.caching import CachedAnswer
from llm_gateway.domain.providers import ProviderCredentials
from llm_gateway.domain.queries import Lease, QueryStatus
from llm_gateway.domain.usage import Bucket, Group, Progress, Rollup, Sums
from llm_gateway.errors import DependencyUnavailable
from llm_gateway.ports.audit import Search
from llm_gateway.ports.queries import QuerySearch
from llm_gateway.settings import Settings
from llm_gateway.stores.connection import ATTEMPTS, READ_TIMEOUT_S, Aws
from llm_gateway.stores.queue import SqsQueryQueue

from tests.adapters.aws import connect
from tests.adapters.clock import FakeClock
from tests.adapters.ids import FakeIds
from tests.adapters.loopback_server import LoopbackServer
from tests.adapters.ministack import free_port
from tests.patience import FOREVER_S, LATE_S
from tests.stores.conftest import Stores, stores_on_aws
from tests.stores.values import NOW, answer, api_key, case_result, problem, provider, query, succeeded, suite_run

NAMES = Settings.from_environment(
    {
        "KEYS_TABLE": "keys",
        "PROVIDERS_TABLE": "providers",
        "QUERIES_TABLE": "queries",
        "BODIES_BUCKET": "bodies",
        "LIMITS_TABLE": "limits",
        "USAGE_TABLE": "usage",
        "PROMPTS_TABLE": "prompts",
        "EVALS_TABLE": "evals",
        "AUDIT_TABLE": "audit",
        "AUDIT_BUCKET": "audit",
        "PEPPER_SECRET_ID": "pepper",
        "CREDENTIALS_PREFIX": "providers/",
    }
)

UNTIL = NOW + timedelta(seconds=30)
CACHED = CachedAnswer(answer=answer(), query_id="qry_1", cached_at=NOW, expires_at=UNTIL)
HELD = query(lease=Lease(holder="me", until=UNTIL))

DEED = Deed(actor=Actor(key_id="key_1"), action="provider.updated")
SEARCH = Search(since=NOW, until=UNTIL)
QUERIES = QuerySearch(since=NOW, until=UNTIL)
ROLLUP = Rollup(start=NOW, group=Group(key="key_1", provider=None, model=None), sums=Sums())
PROGRESS = Progress(hours=NOW, settled=NOW, days=NOW)
ANCHOR = Anchor(sequence=1, hash="0" * 64, at=NOW)
DENIAL = Denial(actor=Actor(address="10.0.0.1"), action="request.unauthenticated")

RUN = suite_run()
RESULT = case_result(0)

CALLS: dict[str, Callable[[Stores], object]] = {
    "read a key": lambda stores: stores.keys.find("key_1"),
    "add a key": lambda stores: stores.keys.add(api_key()),
    "list keys": lambda stores: stores.keys.page(limit=10, cursor=None),
    "replace a key": lambda stores: stores.keys.replace(api_key(), expected_revision=1),
    "delete a key": lambda stores: stores.keys.delete("key_1", expected_revision=None),
    "read a provider": lambda stores: stores.providers.get("openai"),
    "read all providers": lambda stores: stores.providers.all(),
    "list providers": lambda stores: stores.providers.page(limit=10, cursor=None),
    "add a provider": lambda stores: stores.providers.add(provider()),
    "replace a provider": lambda stores: stores.providers.replace(provider(), expected_revision=1),
    "delete a provider": lambda stores: stores.providers.delete("openai", expected_revision=None),
    "read a query": lambda stores: stores.queries.get("qry_1"),
    "read a query's summary": lambda stores: stores.queries.summary("qry_1"),
    "add a query": lambda stores: stores.queries.add(query()),
    "finish a query": lambda stores: stores.queries.finish(succeeded(query())),
    "claim a query": lambda stores: stores.queries.claim("qry_1", until=UNTIL),
    "renew a query": lambda stores: stores.queries.renew(HELD, until=UNTIL),
    "requeue a query": lambda stores: stores.queries.requeue(HELD, problem=problem(), counted=True),
    "cancel a query": lambda stores: stores.queries.cancel("qry_1"),
    "bury a query": lambda stores: stores.queries.bury("qry_1", problem=problem()),
    "erase a query": lambda stores: stores.queries.erase("qry_1"),
    "drop a query": lambda stores: stores.queries.drop("qry_1"),
    "list queries": lambda stores: stores.index.page(QUERIES, limit=1, cursor=None),
    "read what queries count as": lambda stores: list(stores.index.ended(NOW)),
    "read sums of usage": lambda stores: list(stores.rollups.within(Bucket.HOUR, NOW, UNTIL)),
    "put sums of usage": lambda stores: stores.rollups.put(Bucket.HOUR, [ROLLUP]),
    "read how far usage is summed up": lambda stores: stores.rollups.progress(),
    "note how far usage is summed up": lambda stores: stores.rollups.note(PROGRESS),
    "add a run": lambda stores: stores.runs.add(RUN),
    "read a run": lambda stores: stores.runs.find(RUN.prompt_id, RUN.id),
    "list runs": lambda stores: stores.runs.page(RUN.prompt_id, limit=1, cursor=None),
    "read the newest run": lambda stores: stores.runs.newest(RUN.prompt_id, 3),
    "note a result": lambda stores: stores.runs.note(RUN, RESULT),
    "read results": lambda stores: stores.runs.results(RUN),
    "end a run": lambda stores: stores.runs.end(RUN),
    "hold a run": lambda stores: stores.runs.hold(RUN, holder="me", now=NOW, until=UNTIL),
    "release a run": lambda stores: stores.runs.release(RUN, holder="me"),
    "give feedback": lambda stores: stores.feedback.give("qry_1", name="x", score=Decimal(1), comment=None, at=NOW),
    "read feedback": lambda stores: list(stores.feedback.sums("answer", since=NOW, until=UNTIL)),
    "look an answer up": lambda stores: stores.cache.look_up("k", holder="qry_1", until=UNTIL),
    "peek at an answer": lambda stores: stores.cache.peek("k"),
    "cache an answer": lambda stores: stores.cache.put("k", CACHED, owner="key_alice"),
    "release an answer's place": lambda stores: stores.cache.release("k", holder="qry_1"),
    "delete a cached answer": lambda stores: stores.cache.delete("k", query_id="qry_1"),
    "claim an idempotency key": lambda stores: stores.idempotency.claim(
        "s", fingerprint="f", reference="r", until=UNTIL
    ),
    "complete an idempotency key": lambda stores: stores.idempotency.complete("s", reference="r", expires_at=UNTIL),
    "release an idempotency key": lambda stores: stores.idempotency.release("s", reference="r"),
    "delete an idempotency key": lambda stores: stores.idempotency.delete("s", reference="r"),
    "read credentials": lambda stores: stores.credentials.get("openai"),
    "put credentials": lambda stores: stores.credentials.put("openai", ProviderCredentials(api_key="k")),
    "delete credentials": lambda stores: stores.credentials.delete("openai"),
    "read the pepper": lambda stores: stores.pepper.value(),
    "append to the audit log": lambda stores: stores.audit.append(DEED),
    "change and append": lambda stores: stores.audit.append(DEED, stores.providers.adding(provider())),
    "read the audit log": lambda stores: stores.audit.page(SEARCH, limit=1, cursor=None),
    "read all of the audit log": lambda stores: stores.audit.contents(),
    "anchor the audit log": lambda stores: stores.archive.anchor(ANCHOR),
    "read anchors": lambda stores: stores.archive.anchors(),
    "export a day": lambda stores: stores.archive.export(NOW.date(), ()),
    "read exported days": lambda stores: list(stores.archive.exported()),
    "read the last exported day": lambda stores: stores.archive.last_exported(),
    "count a denial": lambda stores: stores.denials.count(DENIAL, minute=NOW),
    "read counted denials": lambda stores: stores.denials.counted(NOW),
    "read until when denials were entered": lambda stores: stores.denials.entered_until(),
    "read a body": lambda stores: stores.bodies.get("a"),
    "put a body": lambda stores: stores.bodies.put("a", b"body"),
    "delete a body": lambda stores: stores.bodies.delete("a"),
}


@dataclass
class FaultyAws:
    """Answers every request alike, after `delay_s`; counts them, and keeps the last one's headers."""

    stores: Stores
    status: int = 400
    body: bytes = b""
    delay_s: float = 0
    requests: int = 0
    headers: Mapping[str, str] = field(default_factory=dict)


class _Server(LoopbackServer):
    script: FaultyAws


class _Handler(BaseHTTPRequestHandler):
    server: _Server

    def _answer(self) -> None:
        script = self.server.script
        script.requests += 1
        script.headers = dict(self.headers)
        self.rfile.read(int(self.headers.get("Content-Length", 0)))
        self.server.stopping.wait(script.delay_s)
        with suppress(BrokenPipeError):
            self.send_response(script.status)
            self.send_header("Content-Length", str(len(script.body)))
            self.end_headers()
            self.wfile.write(script.body)

    do_GET = do_PUT = do_POST = do_DELETE = _answer  # noqa: N815

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture(scope="module")
def server() -> Iterator[tuple[_Server, Aws]]:
    server = _Server(_Handler)
    server.start()
    yield server, connect(f"http://{server.address}")
    server.stop()


@pytest.fixture
def faulty(server: tuple[_Server, Aws]) -> FaultyAws:
    listener, aws = server
    listener.script = FaultyAws(stores=_stores(aws))
    return listener.script


@pytest.fixture(scope="module")
def out_of_reach() -> Aws:
    """An address at which nobody listens."""
    return connect(f"http://127.0.0.1:{free_port()}")


def _stores(aws: Aws) -> Stores:
    clock = FakeClock()
    return stores_on_aws(aws, NAMES, clock, FakeIds(clock))


def _fails(call: Callable[[Stores], object], stores: Stores) -> tuple[DependencyUnavailable, float]:
    started = time.monotonic()
    with pytest.raises(DependencyUnavailable) as caught:
        call(stores)
    return caught.value, time.monotonic() - started


@pytest.mark.parametrize("call", CALLS.values(), ids=CALLS)
def test_aws_out_of_reach_is_said_soon(call: Callable[[Stores], object], out_of_reach: Aws) -> None:
    fault, took_s = _fails(call, _stores(out_of_reach))
    assert took_s < LATE_S
    assert fault.retry_after_s is not None
    assert fault.retry_after_s >= 1
    assert "127.0.0.1" not in fault.detail


def test_a_queue_out_of_reach_is_said_soon(out_of_reach: Aws) -> None:
    url = "http://127.0.0.1:1/000000000000/queue"
    queue = SqsQueryQueue(aws=out_of_reach, normal_url=url, high_url=url)
    started = time.monotonic()
    with pytest.raises(DependencyUnavailable):
        queue.send("qry_1")
    assert time.monotonic() - started < LATE_S


@pytest.mark.parametrize(
    ("call", "status", "body"),
    [
        ("read a key", 400, b'{"__type": "com.amazonaws.dynamodb.v20120810#ProvisionedThroughputExceededException"}'),
        ("add a query", 400, b'{"__type": "com.amazonaws.dynamodb.v20120810#ThrottlingException"}'),
        ("claim a query", 400, b'{"__type": "com.amazonaws.dynamodb.v20120810#ThrottlingException"}'),
        ("look an answer up", 400, b'{"__type": "com.amazonaws.dynamodb.v20120810#ThrottlingException"}'),
        ("read all providers", 500, b'{"__type": "com.amazonaws.dynamodb.v20120810#InternalServerError"}'),
        ("read the pepper", 400, b'{"__type": "ThrottlingException"}'),
        ("read the pepper", 500, b'{"__type": "InternalServiceError"}'),
        ("read a body", 503, b"<Error><Code>SlowDown</Code></Error>"),
        ("put a body", 500, b"<Error><Code>InternalError</Code></Error>"),
    ],
)
def test_an_overloaded_aws_is_asked_twice_and_no_more(faulty: FaultyAws, call: str, status: int, body: bytes) -> None:
    faulty.status, faulty.body = status, body
    _fails(CALLS[call], faulty.stores)
    assert faulty.requests == ATTEMPTS


@pytest.mark.parametrize("call", ["read a key", "read the pepper", "read a body"])
@pytest.mark.parametrize(
    ("status", "body"), [(403, b'{"__type": "AccessDeniedException"}'), (502, b"<html>Bad gateway</html>")]
)
def test_a_refusal_and_nonsense_are_no_answers(faulty: FaultyAws, call: str, status: int, body: bytes) -> None:
    faulty.status, faulty.body = status, body
    _fails(CALLS[call], faulty.stores)


@pytest.mark.parametrize(
    ("call", "body"),
    [
        ("read a key", b'{"__type": "com.amazon.coral.service#AccessDeniedException"}'),
        ("add a query", b'{"__type": "com.amazonaws.dynamodb.v20120810#ResourceNotFoundException"}'),
        ("read a body", b"<Error><Code>AccessDenied</Code></Error>"),
        ("read the pepper", b'{"__type": "AccessDeniedException"}'),
    ],
)
def test_what_a_release_was_not_given_is_told_from_an_aws_that_is_away(
    faulty: FaultyAws, call: str, body: bytes
) -> None:
    faulty.status, faulty.body = 400, body
    assert _fails(CALLS[call], faulty.stores)[0].by_release
    faulty.status, faulty.body = 500, b'{"__type": "InternalServerError"}'
    assert not _fails(CALLS[call], faulty.stores)[0].by_release


def test_a_body_is_sent_without_asking_first(faulty: FaultyAws) -> None:
    """A server may never say `100 Continue`, and botocore would wait for that a second."""
    faulty.status = 200
    faulty.stores.bodies.put("a", b"body")
    assert faulty.requests == 1
    assert "Expect" not in faulty.headers


def test_a_hanging_aws_is_given_up(faulty: FaultyAws) -> None:
    faulty.delay_s = FOREVER_S
    _, took_s = _fails(CALLS["read a key"], faulty.stores)
    assert faulty.requests == ATTEMPTS
    assert took_s < ATTEMPTS * READ_TIMEOUT_S + LATE_S


def test_a_request_that_is_our_own_fault_is_not_blamed_on_aws(faulty: FaultyAws) -> None:
    faulty.body = b'{"__type": "com.amazon.coral.validate#ValidationException", "message": "bad"}'
    with pytest.raises(ClientError):
        CALLS["add a key"](faulty.stores)
    with pytest.raises(ClientError):
        CALLS["read the pepper"](faulty.stores)


def test_what_failed_is_not_remembered(faulty: FaultyAws) -> None:
    stores = faulty.stores
    faulty.status = 500
    with pytest.raises(DependencyUnavailable):
        stores.pepper.value()
    faulty.status, faulty.body = 200, b'{"SecretString": "found"}'
    assert stores.pepper.value() == b"found"


@pytest.fixture
def answers_get_lost(aws: Aws) -> Iterator[list[str]]:
    """Every write goes through, its answer is lost on the way, and it is sent again."""
    lost: list[str] = []
    sent_again = False

    def lose(model, **_: object) -> None:
        nonlocal sent_again
        if model.name not in ("PutItem", "UpdateItem"):
            return
        sent_again = not sent_again
        if sent_again:
            lost.append(model.name)
            raise ConnectionClosedError(endpoint_url="")

    aws.dynamodb.meta.events.register("after-call", lose)
    yield lost
    aws.dynamodb.meta.events.unregister("after-call", lose)


def test_a_write_whose_answer_was_lost_has_succeeded(aws, settings, clock, ids, answers_get_lost) -> None:
    stores = stores_on_aws(aws, settings, clock, ids)
    stores.keys.add(api_key())
    stores.providers.add(provider())
    stores.providers.replace(provider(revision=2), expected_revision=1)
    stores.keys.replace(api_key(revision=2), expected_revision=1)
    stores.queries.add(query())
    assert stores.queries.finish(succeeded(query()))
    assert answers_get_lost == ["PutItem"] * 5 + ["UpdateItem"]
    assert stores.queries.get(query().id) == succeeded(query())


def test_what_was_claimed_given_back_or_cancelled_although_the_answer_was_lost_is_so_once(
    aws, settings, clock, ids, answers_get_lost
) -> None:
    queries = stores_on_aws(aws, settings, clock, ids).queries
    queries.add(query(status=QueryStatus.QUEUED, attempts=0))
    held = queries.claim(query().id, until=UNTIL)
    assert held is not None
    assert held.attempts == 1
    assert queries.renew(held, until=UNTIL)
    assert queries.requeue(held, problem=problem(), counted=False)
    ending = queries.cancel(query().id)
    assert ending is not None
    assert ending.ended_now
    assert (ending.query.status, ending.query.attempts) == (QueryStatus.CANCELLED, 0)
    assert queries.bury(query().id, problem=problem())
    assert len(answers_get_lost) == 6


def test_a_place_taken_although_the_answer_was_lost_is_ones_own(aws, settings, clock, ids, answers_get_lost) -> None:
    stores = stores_on_aws(aws, settings, clock, ids)
    assert stores.cache.look_up("k", holder="qry_1", until=UNTIL) is None
    assert stores.idempotency.claim("s", fingerprint="f", reference="qry_1", until=UNTIL) is None
    assert stores.idempotency.complete("s", reference="qry_1", expires_at=UNTIL)
    assert len(answers_get_lost) == 3
