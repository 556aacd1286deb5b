"""Embeddings as queries: stored and told of once, with what they cost; an end that cannot be stored is no failure."""

from typing import Any

import pytest
from llm_gateway.domain.embeddings import EmbeddingQuery
from llm_gateway.domain.keys import Caller, Role
from llm_gateway.domain.queries import Query, QueryStatus
from llm_gateway.errors import DependencyUnavailable, ValidationFailed
from llm_gateway.services.queries.closing import NOT_STORED
from llm_gateway.services.queries.embedding import AskedToEmbed, EmbeddingAsker

from tests.adapters.gateway import FakeGateway
from tests.adapters.query_store import InMemoryQueryStore
from tests.entrypoints.conftest import Api


class FullStore(InMemoryQueryStore):
    """Takes nothing."""

    def add(self, query: Query) -> None:
        raise DependencyUnavailable("The store cannot be reached.")


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


def test_an_end_that_cannot_be_stored_is_given_with_a_warning(stocked: FakeGateway) -> None:
    usual = stocked.asking_to_embed
    asker = EmbeddingAsker(
        embedder=usual.embedder,
        store=FullStore(clock=stocked.outside.clock),
        states=usual.states,
        policies=usual.policies,
        journal=usual.journal,
        clock=usual.clock,
    )
    query, _ = asker.ask(_asked(stocked, []))
    assert query.answer is not None
    assert query.answer.warnings == (NOT_STORED,)
