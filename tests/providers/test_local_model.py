"""The adapter for a model of one's own, with the real model."""

import json
from collections.abc import Iterator
from dataclasses import replace
from operator import mul

import pytest
from llm_gateway.domain.chat import (
    FinishReason,
    Message,
    MessageRole,
    OutputFormat,
    Parameters,
    TextDelta,
    TextPart,
    Tool,
)
from llm_gateway.domain.embeddings import EmbeddingRequest
from llm_gateway.domain.faults import ProviderRefused
from llm_gateway.domain.providers import ProviderKind, Timeouts
from llm_gateway.errors import ContextWindowExceeded, UnsupportedParameter
from llm_gateway.ports.providers import Provider
from llm_gateway.providers.registry import ProviderRegistry

from tests.adapters.local_model import MODEL_NAME, local_model_server, missing_for_local_model
from tests.providers.conftest import asking, config

pytestmark = pytest.mark.skipif(missing_for_local_model() is not None, reason=missing_for_local_model() or "")

TIMEOUTS = Timeouts(connect_s=2, first_token_s=20, total_s=60)
SHORT = Parameters(max_output_tokens=12, temperature=0)


@pytest.fixture(scope="module")
def address() -> Iterator[str]:
    with local_model_server({"EMBEDDINGS": "on"}) as url:
        yield url


@pytest.fixture
def provider(address: str, registry: ProviderRegistry) -> Provider:
    return registry.open(config(ProviderKind.LLAMA_CPP, f"{address}/v1"), None)


def test_embeds(provider: Provider) -> None:
    texts = ("The cat sits on the mat.", "A kitten lies on a rug.", "Interest rates rose.")

    found = provider.embed(EmbeddingRequest(model=MODEL_NAME, texts=texts), timeouts=TIMEOUTS)

    one, near, far = found.vectors
    assert (found.model, len(one), found.usage.estimated) == (MODEL_NAME, 576, False)
    assert sum(map(mul, one, near)) > sum(map(mul, one, far))


def test_a_text_that_is_too_long_for_the_model(provider: Provider) -> None:
    with pytest.raises(ContextWindowExceeded):
        provider.embed(EmbeddingRequest(model=MODEL_NAME, texts=("word " * 600,)), timeouts=TIMEOUTS)


def test_answers_and_streams_the_same(provider: Provider) -> None:
    request = asking("What is the capital of France?", model=MODEL_NAME, parameters=SHORT)

    whole = provider.complete(request, timeouts=TIMEOUTS)
    *deltas, last = provider.stream(request, timeouts=TIMEOUTS)

    assert last == whole
    assert whole.text.strip()
    assert whole.text != provider.complete(replace(request, system="Answer in one word: no."), timeouts=TIMEOUTS).text
    assert all(isinstance(delta, TextDelta) for delta in deltas)
    assert whole.model == MODEL_NAME
    assert 0 < whole.usage.output_tokens <= 12
    assert not whole.usage.estimated


def test_stops_at_its_limit(provider: Provider) -> None:
    request = asking("Tell a long story.", model=MODEL_NAME, parameters=Parameters(max_output_tokens=5, temperature=0))

    assert provider.complete(request, timeouts=TIMEOUTS).finish_reason is FinishReason.LENGTH


def test_keeps_to_a_schema(provider: Provider) -> None:
    schema = {
        "type": "object",
        "properties": {"age": {"type": "integer"}},
        "required": ["age"],
        "additionalProperties": False,
    }
    request = asking(
        "Ann is 30 years old. Give her age.",
        model=MODEL_NAME,
        output=OutputFormat(type="json_schema", schema=schema),
        parameters=Parameters(max_output_tokens=30, temperature=0),
    )

    assert type(json.loads(provider.complete(request, timeouts=TIMEOUTS).text)["age"]) is int


def test_gives_json(provider: Provider) -> None:
    request = asking(
        "Name a colour.",
        model=MODEL_NAME,
        output=OutputFormat(type="json"),
        parameters=Parameters(max_output_tokens=60, seed=1),
    )

    answer = provider.complete(request, timeouts=TIMEOUTS)

    assert answer.finish_reason is FinishReason.LENGTH or json.loads(answer.text) is not None


def test_says_what_it_cannot(provider: Provider) -> None:
    with pytest.raises(UnsupportedParameter) as caught:
        provider.complete(asking(model=MODEL_NAME, tools=(Tool(name="weather"),)), timeouts=TIMEOUTS)
    assert [error.field for error in caught.value.errors] == ["tools"]


def test_says_when_a_request_is_too_long(provider: Provider) -> None:
    for call in (provider.complete, lambda *a, **k: list(provider.stream(*a, **k))):
        with pytest.raises(ContextWindowExceeded):
            call(asking("word " * 20_000, model=MODEL_NAME), timeouts=TIMEOUTS)


def test_does_not_know_other_models(provider: Provider) -> None:
    with pytest.raises(ProviderRefused):
        provider.complete(asking(model="another"), timeouts=TIMEOUTS)


@pytest.mark.parametrize("system", [None, "Be brief."])
@pytest.mark.parametrize("way", ["complete", "stream"])
def test_a_name_is_refused_where_the_client_wrote_it(provider: Provider, way: str, system: str | None) -> None:
    said = [Message(role=MessageRole.USER, content=(TextPart(text="Hi."),), name=name) for name in (None, "bob")]
    request = replace(asking(model=MODEL_NAME, parameters=SHORT), messages=tuple(said), system=system)

    with pytest.raises(UnsupportedParameter) as caught:
        list(getattr(provider, way)(request, timeouts=TIMEOUTS))

    assert [error.field for error in caught.value.errors] == ["messages[1].name"]
