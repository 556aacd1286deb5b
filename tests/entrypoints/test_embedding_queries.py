"""Embeddings as queries: stored and told of once, with what they cost; an end that cannot be stored is no failure."""

from collections.abc import Callable
from typing import Any

import pytest
from llm_gateway.domain.embeddings import EmbeddingQuery
from llm_gateway.domain.faults import ProviderFailed
from llm_gateway.domain.keys import Caller, Role
from llm_gateway.domain.providers import ProviderConfig, ProviderCredentials
from llm_gateway.domain.queries import Query, QueryStatus
from llm_gateway.errors import DependencyUnavailable, ValidationFailed
from llm_gateway.ports.providers import Provider
from llm_gateway.services.queries.closing import NOT_STORED
from llm_gateway.services.queries.embedding import AskedToEmbed, EmbeddingAsker

from tests.adapters.answering import AnsweringProviders
from tests.adapters.gateway import FakeGateway
from tests.adapters.query_store import InMemoryQueryStore
from tests.entrypoints.conftest import Api


class FullStore(InMemoryQueryStore):
    """Takes nothing."""

    fault: Exception = DependencyUnavailable("The store cannot be reached.")

    def add(self, query: Query) -> None:
        raise self.fault


@pytest.fixture
def stocked(api: Api) -> FakeGateway:
    api.register()
    return api.gateway


def _asked(gateway: FakeGateway, told: list[str | None], **changes: Any) -> AskedToEmbed:
    now_s = gateway.outside.clock.monotonic_s()
    query = EmbeddingQuery(
        **{
            "id": "qry_1",
            "owner": "key_1",
            "texts": ("One.", "Two."),
            "model": "small",
            "ends_s": now_s + 60,
            "timeout_s": 60,
            **changes,
        }
    )
    caller = Caller(key_id="key_1", role=Role.CALLER)
    return AskedToEmbed(query=query, caller=caller, received_s=now_s, tell_id=told.append)


def test_it_is_stored_and_told_of(stocked: FakeGateway) -> None:
    told: list[str | None] = []
    query, embedded = stocked.asking_to_embed.ask(_asked(stocked, told))
    assert told == ["qry_1"]
    assert [vector[0] for vector in embedded.vectors] == [4.0, 4.0]
    stored = stocked.outside.query_store.get("qry_1")
    assert stored is not None
    assert (stored.answer, stored.status) == (query.answer, query.status)
    assert (query.status, query.lease, query.request.messages[1].text) == (QueryStatus.SUCCEEDED, None, "Two.")
    assert query.figures is not None
    assert query.figures.usage.input_tokens == 2


def test_what_nobody_was_asked_leaves_no_trace(stocked: FakeGateway) -> None:
    told: list[str | None] = []
    with pytest.raises(ValidationFailed, match="no enabled provider lists"):
        stocked.asking_to_embed.ask(_asked(stocked, told, model="nothing"))
    assert told == ["qry_1", None]
    assert stocked.outside.query_store.get("qry_1") is None


@pytest.mark.parametrize("fault", [FullStore.fault, RuntimeError("Nobody foresaw this.")], ids=["away", "unforeseen"])
def test_an_end_that_cannot_be_stored_is_given_with_a_warning(stocked: FakeGateway, fault: Exception) -> None:
    usual, store = stocked.asking_to_embed, FullStore(clock=stocked.outside.clock)
    store.fault = fault
    asker = EmbeddingAsker(
        embedder=usual.embedder,
        store=store,
        states=usual.states,
        policies=usual.policies,
        journal=usual.journal,
        clock=usual.clock,
    )
    query, _ = asker.ask(_asked(stocked, []))
    assert query.answer is not None
    assert query.answer.warnings == (NOT_STORED,)
    assert stocked.outside.journal.story == [("qry_1", "succeeded")], "it is paid for, and counted"


class Slow(AnsweringProviders):
    """A minute and a half passes before it answers."""

    def __init__(self, meanwhile: Callable[[], object]) -> None:
        super().__init__()
        self.meanwhile = meanwhile

    def open(self, config: ProviderConfig, credentials: ProviderCredentials | None) -> Provider:
        self.meanwhile()
        return super().open(config, credentials)


def test_a_key_is_held_for_as_long_as_its_first_request_may_take(api: Api) -> None:
    """Or a retry that comes meanwhile would pay for the same vectors again."""
    api.register(id="vectors", models=[{"name": "small"}], default_model="small")
    keys, found = api.gateway.outside.idempotency, list[object]()

    def meanwhile() -> None:
        clock = api.gateway.outside.clock
        clock.move(seconds=90)
        [(scope, kept)] = keys._kept.items()
        found.append(keys.claim(scope, fingerprint=kept.record.fingerprint, reference="again", until=clock.now()))

    api.gateway.outside.models = Slow(meanwhile)
    body, headers = {"model": "vectors/small", "input": "One."}, {"Idempotency-Key": "once"}
    assert api.call("POST", "/v1/embeddings", body, headers=headers).status_code == 200
    assert found != [None], "the first request still has it"


def test_a_replay_is_told_as_the_first_answer_was(api: Api) -> None:
    api.register(id="vectors", models=[{"name": "small", "input_usd_per_mtok": "1"}], default_model="small")
    api.gateway.outside.models = Slow(lambda: None)
    body, once = {"model": "vectors/small", "input": "One."}, {"Idempotency-Key": "once"}
    first, again = (api.call("POST", "/v1/embeddings", body, headers=once) for _ in range(2))
    assert again.headers["idempotent-replayed"] == "true"
    assert "idempotent-replayed" not in first.headers
    assert (first.status_code, first.content) == (again.status_code, again.content)
    told = ("x-gateway-query-id", "x-gateway-provider", "x-gateway-cost-usd", "x-gateway-overhead-ms")
    assert [first.headers[name] for name in told] == [again.headers[name] for name in told]


def test_a_failure_tells_of_the_gateways_own_time(api: Api) -> None:
    api.register(id="vectors", models=[{"name": "small"}], default_model="small", retry={"max_attempts": 1})

    def fail() -> None:
        raise ProviderFailed("It cannot answer.", upstream_status=500)

    api.gateway.outside.models = Slow(fail)
    response = api.call("POST", "/v1/embeddings", {"model": "vectors/small", "input": "One."})
    assert (response.status_code, response.headers["x-gateway-query-id"][:4]) == (502, "qry_")
    assert int(response.headers["x-gateway-overhead-ms"]) >= 0


def test_what_nobody_foresaw_of_vectors_that_may_be_paid_for_is_not_to_be_tried_again(api: Api) -> None:
    api.register(id="vectors", models=[{"name": "small"}], default_model="small")
    calls = list[int]()

    def fail() -> None:
        calls.append(1)
        raise RuntimeError("Nobody foresaw this.")

    api.gateway.outside.models = Slow(fail)
    response = api.call("POST", "/v1/embeddings", {"model": "vectors/small", "input": "One."})
    assert (response.status_code, response.json()["error"]["code"]) == (500, "internal_error")
    assert response.headers["x-should-retry"] == "false"
    assert len(calls) == 1
    [kept] = api.gateway.outside.query_store._stored.values()
    assert (kept.query.status, kept.query.problem.code) == (QueryStatus.FAILED, "internal_error")
