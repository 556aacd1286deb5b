"""Anthropic's own SDK lists and reads models, where OpenAI's does: each finds its own shape."""

import asyncio
import json
from collections.abc import Callable, Iterator
from datetime import UTC
from inspect import signature
from typing import Any, get_type_hints

import anthropic
import openai
import pytest
from anthropic.types import ModelInfo, model_list_params
from llm_gateway.entrypoints.declared import QUERY
from llm_gateway.entrypoints.listing_models import LIST
from llm_gateway.entrypoints.taking import Taken

from functions.list_models import list_models
from tests.clients.anthropic_house import CLAUDE, GPT, House, house

PROMPT = {
    "id": "greeting",
    "name": "Greeting",
    "template": {"messages": [{"role": "user", "content": "Say hello."}]},
}
NAMES = [f"claude/{CLAUDE}", f"gpt/{GPT}", CLAUDE, GPT, "prompt:greeting", "prompt:greeting@production"]


@pytest.fixture(scope="module")
def at() -> Iterator[House]:
    with house() as opened:
        assert opened.serving.call("POST", "/api/v1/llm/prompts", PROMPT)[0].status == 201
        label = "/api/v1/llm/prompts/greeting/labels/production"
        assert opened.serving.call("PUT", label, {"version": 1})[0].status == 201
        yield opened


@pytest.fixture
def client(at: House) -> Iterator[anthropic.Anthropic]:
    with at.client() as client:
        yield client


@pytest.mark.parametrize("limit", [1, 2, 3, 6, 20])
def test_models_are_listed_by_the_page(client: anthropic.Anthropic, limit: int) -> None:
    assert [model.id for model in client.models.list(limit=limit)] == NAMES
    backwards = client.models.list(limit=limit, before_id=NAMES[-1])
    pages = list(backwards.iter_pages())
    assert [model.id for page in reversed(pages) for model in page.data] == NAMES[:-1]


def test_the_asynchronous_client(at: House) -> None:
    async def names() -> list[str]:
        async with at.async_client() as client:
            return [model.id async for model in client.models.list(limit=4)]

    assert asyncio.run(names()) == NAMES


def test_a_model_tells_what_it_can_take(client: anthropic.Anthropic) -> None:
    claude = client.models.retrieve(f"claude/{CLAUDE}")
    assert claude.to_dict().keys() == ModelInfo.model_fields.keys()
    assert (claude.id, claude.type, claude.lifecycle) == (f"claude/{CLAUDE}", "model", "active")
    assert claude.created_at.tzinfo is not None
    assert claude.created_at.astimezone(UTC).year >= 2026
    assert claude.max_input_tokens == 200_000
    able: Any = claude.capabilities
    assert able is not None
    assert (able.image_input.supported, able.thinking.supported, able.batch.supported) == (True, True, False)
    gpt: Any = client.models.retrieve(GPT).capabilities
    assert (gpt.pdf_input.supported, gpt.thinking.supported, gpt.effort.supported) == (True, False, False)
    prompt = client.models.retrieve("prompt:greeting")
    assert (prompt.id, prompt.capabilities, prompt.max_tokens) == ("prompt:greeting", None, None)


@pytest.mark.parametrize("name", ["prompt:greeting@production", "prompt:greeting@latest", "prompt:greeting@1"])
def test_a_prompt_by_its_label_or_version(client: anthropic.Anthropic, name: str) -> None:
    assert client.models.retrieve(name).id == name


@pytest.mark.parametrize(
    "name",
    ["claude/nothing", "nothing", "prompt:nothing", *(f"prompt:greeting@{which}" for which in ("staging", "2", "0"))],
)
def test_a_model_that_is_none(client: anthropic.Anthropic, name: str) -> None:
    with pytest.raises(anthropic.NotFoundError):
        client.models.retrieve(name)


@pytest.mark.parametrize(("stages", "found"), [(["retired"], 0), (["active"], 6), (["active", "retired"], 6)])
def test_all_models_are_active(client: anthropic.Anthropic, stages: list[Any], found: int) -> None:
    assert len(list(client.models.list(lifecycle=stages))) == found


def test_every_parameter_of_the_list_has_its_fate() -> None:
    assert LIST.keys() == get_type_hints(model_list_params.ModelListParams).keys()
    honoured = {name for name, (fate, _) in LIST.items() if fate == "honoured"}
    assert {name.removesuffix("[]") for name in Taken(list_models.handler).names(QUERY)} == honoured | {"beta"}


@pytest.mark.parametrize(
    "ask", [lambda models: models.list(workspace_id="w"), lambda models: models.retrieve(GPT, workspace_id="w")]
)
def test_a_workspace_is_refused_by_name(client: anthropic.Anthropic, ask: Callable[[Any], object]) -> None:
    assert LIST["workspace_id"][0] == "refused"
    with pytest.raises(anthropic.BadRequestError, match="workspace_id"):
        ask(client.models)


def test_a_stage_that_is_none_is_refused(client: anthropic.Anthropic) -> None:
    """An empty list would say that there are no models."""
    stages: Any = ["active", "retried"]
    with pytest.raises(anthropic.BadRequestError, match="'retried' is no stage"):
        client.models.list(lifecycle=stages)


@pytest.mark.parametrize(
    "asked",
    [
        {"after_id": "nothing"},
        {"after_id": ""},
        {"before_id": "nothing"},
        {"limit": 0},
        {"limit": 1001},
        {"after_id": GPT, "before_id": GPT},
    ],
)
def test_a_page_that_is_none(client: anthropic.Anthropic, asked: dict[str, Any]) -> None:
    with pytest.raises(anthropic.BadRequestError) as refused:
        client.models.list(**asked)
    assert any(name in str(refused.value) for name in asked)


def test_a_version_that_is_none(client: anthropic.Anthropic) -> None:
    with pytest.raises(anthropic.BadRequestError, match="anthropic-version"):
        client.models.list(extra_headers={"anthropic-version": "1999-01-01"})


def test_openais_list_has_no_pages(at: House) -> None:
    of_every_call = {"self", "extra_headers", "extra_query", "extra_body", "timeout"}
    assert signature(openai.resources.Models.list).parameters.keys() == of_every_call
    response, body = at.serving.call("GET", "/v1/models")
    assert (response.status, [model["id"] for model in json.loads(body)["data"]]) == (200, NAMES)
    for sent in ("limit=2", "after_id=", "before_id=", "lifecycle=", "after_id=&lifecycle=active"):
        response, body = at.serving.call("GET", f"/v1/models?{sent}")
        assert (response.status, json.loads(body)["error"]["param"]) == (400, sent.partition("=")[0])


def test_an_alias_is_a_name_to_ask_by(at: House, client: anthropic.Anthropic) -> None:
    own = {"id": "aliased", "name": "Aliased", "kind": "openai", "base_url": at.gpt.openai_base_url}
    models = [{"name": GPT, "aliases": ["gpt-of-old"]}]
    described = {**own, "default_model": GPT, "models": models, "credentials": {"api_key": "sk-secret-1f3a"}}
    assert at.serving.call("POST", "/api/v1/llm/providers", described)[0].status == 201
    try:
        names = [model.id for model in client.models.list()]
        assert {"gpt-of-old", "aliased/gpt-of-old"} < set(names)
        assert GPT not in names, "two providers list it: the name alone says nothing"
        asked: Any = {"max_tokens": 10, "messages": [{"role": "user", "content": "Hello."}]}
        told = client.messages.create(model="gpt-of-old", **asked).to_dict()["gateway"]
        assert told["provider"] == "aliased"  # type: ignore[index,call-overload]
        assert at.gpt.requests[-1].body["model"] == GPT
    finally:
        assert at.serving.call("DELETE", "/api/v1/llm/providers/aliased")[0].status == 204
