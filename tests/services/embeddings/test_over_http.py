"""Embeddings through the service, by the real adapters, over HTTP on loopback."""

from collections.abc import Iterator

import pytest
from llm_gateway.bootstrap import Gateway
from llm_gateway.domain.chat import Usage
from llm_gateway.domain.embeddings import EmbeddingQuery
from llm_gateway.domain.providers import ModelConfig, ProviderKind
from llm_gateway.instruments.system import SystemClock
from llm_gateway.providers.registry import ProviderRegistry
from llm_gateway.settings import Settings

from tests.adapters.engine import provider
from tests.adapters.outside import FakeOutside
from tests.adapters.upstream import Refusal, ScriptedUpstream
from tests.adapters.upstream_embeddings import vector_of


@pytest.fixture
def upstream() -> Iterator[ScriptedUpstream]:
    with ScriptedUpstream() as upstream:
        yield upstream


@pytest.mark.parametrize("kind", [ProviderKind.OPENAI, ProviderKind.OPENAI_COMPATIBLE, ProviderKind.LLAMA_CPP])
def test_a_failing_provider_a_working_one_and_many_texts(upstream: ScriptedUpstream, kind: ProviderKind) -> None:
    clock = SystemClock()
    outside = FakeOutside(clock=clock, models=ProviderRegistry(clock=clock, private_addresses_allowed=True))
    models = (ModelConfig(name="embedder"),)
    for name in ("a", "b"):
        outside.provider_store.add(provider(name, kind=kind, base_url=upstream.openai_base_url, models=models))
    texts = tuple(f"text {'x' * number}" for number in range(1, 71))
    upstream.script(Refusal(status=503), *([Refusal(status=503)] if kind is not ProviderKind.OPENAI else []))

    found = Gateway(Settings.from_environment({}), outside).embeddings.embed(
        EmbeddingQuery(
            id="qry_01J00000000000000000000001",
            owner="key_01",
            texts=texts,
            model="embedder",
            ends_s=clock.monotonic_s() + 60,
            timeout_s=60,
        )
    )

    assert found.vectors == tuple(tuple(vector_of(text)) for text in texts)
    assert (found.provider, found.model) == ("b", "embedder-2026")
    assert found.usage == Usage(input_tokens=140)
    assert found.attempts[0].upstream_status == 503
