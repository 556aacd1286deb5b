"""Contexts over HTTP: what is taken, what is refused by name, and what an answer and a plan tell."""

from typing import Any

import pytest
from llm_gateway.domain.keys import KeyLimits, Role

from tests.entrypoints.conftest import QUERY, QUESTION, Api

ITEMS = [
    {
        "id": "returns",
        "text": "What you send back within thirty days is refunded.",
        "source": "https://shop.example/returns",
    },
    {"id": "shipping", "text": "Parcels leave our house on every working day."},
]
ASKED: dict[str, Any] = {"messages": [{"role": "user", "content": "Is it refunded?"}], "context": {"items": ITEMS}}


def answered(api: Api, body: dict[str, Any], path: str = QUERY) -> dict[str, Any]:
    response = api.call("POST", path, body)
    assert response.status_code == 200, response.text
    found: dict[str, Any] = response.json()
    return found


def test_an_answer_tells_what_was_sent(api: Api) -> None:
    api.register()
    told = answered(api, ASKED)["context"]
    assert (told["included"], told["truncated"], told["dropped"]) == (["returns", "shipping"], [], [])
    assert told["tokens"] > 0
    assert [each["id"] for each in told["items"]] == ["returns", "shipping"]
    assert told["items"][0]["score"] == 1
    sent = api.gateway.outside.models.asked[-1].request.system
    assert ITEMS[0]["text"] in sent
    assert 'source="https://shop.example/returns"' in sent


def test_an_answer_is_stored_with_it(api: Api) -> None:
    api.register()
    first = answered(api, ASKED)
    result = api.call("GET", f"{QUERY}/{first['id']}/result").json()
    assert result["context"] == first["context"]
    assert answered(api, QUESTION)["context"] is None


def test_a_cached_answer_tells_of_its_context_and_other_items_are_another_query(api: Api) -> None:
    api.register()
    first = answered(api, {**ASKED, "cache": "force"})
    again = answered(api, {**ASKED, "cache": "force"})
    assert again["cache"]["hit"] is True
    assert again["context"] == first["context"]
    other = answered(api, {**ASKED, "cache": "force", "context": {"items": ITEMS[:1]}})
    assert other["cache"]["hit"] is False


@pytest.mark.parametrize(
    ("field", "context"),
    [
        ("context.strategy", {"strategy": "best"}),
        ("context.embedding_model", {"ranking": "embeddings"}),
        ("context.embedding_model", {"embedding_model": "openai/text-embedding-3-small"}),
        ("context.embedding_model", {"ranking": "embeddings", "embedding_model": "text-embedding-3-small"}),
        ("context.items", {"items": [*ITEMS, {"id": "returns", "text": "Again."}]}),
        ("context.items[0].text", {"items": [{"id": "a", "text": ""}]}),
        ("context.items[0].text", {"items": [{"id": "a"}]}),
        ("context.items[0].id", {"items": [{"id": "", "text": "x"}]}),
        ("context.items[0].title", {"items": [{"id": "a", "text": "x", "title": "y"}]}),
        ("context.items[0].source", {"items": [{"id": "a", "text": "x", "source": "s" * 2_001}]}),
        ("context.items", {"items": [{"id": str(number), "text": "x"} for number in range(5_001)]}),
        ("context.max_tokens", {"max_tokens": 0}),
        ("context.history.keep", {"history": {"keep": "old"}}),
        ("context.documents", {"documents": ITEMS}),
        ("context", "some text"),
    ],
)
def test_what_is_wrong_is_named_and_nobody_is_asked(api: Api, field: str, context: Any) -> None:
    api.register()
    for path in (QUERY, f"{QUERY}/stream", f"{QUERY}/plan"):
        problem = api.refused("POST", path, QUESTION | {"context": context}, status=422, code="validation_failed")
        assert [error["field"] for error in problem["errors"]] == [field]
    assert api.gateway.outside.models.asked == []


def test_a_stream_tells_it_at_its_end(api: Api) -> None:
    api.register()
    response = api.call("POST", f"{QUERY}/stream", ASKED)
    assert '"included":["returns","shipping"]' in response.text.replace(" ", "")


def test_a_plan_asks_nobody_and_takes_nothing(api: Api) -> None:
    api.register()
    _, secret = api.gateway.new_key(Role.CALLER, limits=KeyLimits(requests_per_minute=1))
    for _ in range(3):
        response = api.call("POST", f"{QUERY}/plan", ASKED, role=None, headers={"Authorization": f"Bearer {secret}"})
        assert response.status_code == 200, response.text
    told = response.json()
    (candidate,) = told["candidates"]
    assert (candidate["provider"], candidate["model"], candidate["outcome"]) == ("local", "small", "ready")
    tokens = candidate["tokens"]
    assert tokens["total"] == sum(tokens[part] for part in ("system", "context", "history", "question", "tools"))
    assert ITEMS[0]["text"] in told["system"]
    assert told["context"]["included"] == ["returns", "shipping"]
    assert (told["prompt"], told["roles"], told["warnings"]) == (None, [], [])
    assert api.gateway.outside.models.asked == []


def test_a_query_that_would_be_refused_has_no_plan(api: Api) -> None:
    api.register()
    api.refused("POST", f"{QUERY}/plan", QUESTION | {"provider": "nobody"}, status=404, code="provider_not_found")
