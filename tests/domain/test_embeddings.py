"""Texts in calls no larger than a model takes."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from llm_gateway.domain.embedding_models import embedding_profile
from llm_gateway.domain.embeddings import EmbeddingProfile, batches
from llm_gateway.domain.providers import ModelConfig, ProviderKind


@given(
    sizes=st.lists(st.integers(min_value=1, max_value=50), max_size=60),
    most_texts=st.integers(min_value=1, max_value=9),
    most_tokens=st.none() | st.integers(min_value=1, max_value=120),
)
def test_batches_hold_all_texts_in_order_and_no_more_than_they_may(sizes, most_texts, most_tokens) -> None:
    texts = [str(number) for number in range(len(sizes))]
    profile = EmbeddingProfile(most_texts=most_texts, most_tokens=most_tokens)

    made = list(batches(texts, sizes, profile))

    assert [text for batch, _ in made for text in batch] == texts
    assert sum(tokens for _, tokens in made) == sum(sizes)
    for batch, tokens in made:
        assert 0 < len(batch) <= most_texts
        assert most_tokens is None or tokens <= most_tokens or len(batch) == 1


@pytest.mark.parametrize(
    ("kind", "model", "texts", "shortens"),
    [
        (ProviderKind.OPENAI, "text-embedding-3-large", 512, True),
        (ProviderKind.OPENAI, "text-embedding-ada-002", 512, False),
        (ProviderKind.OPENAI_COMPATIBLE, "bge-m3", 64, True),
        (ProviderKind.LLAMA_CPP, "SmolLM2", 64, False),
        (ProviderKind.BEDROCK, "amazon.titan-embed-text-v2:0", 1, True),
        (ProviderKind.BEDROCK, "arn:aws:bedrock:us-east-1::foundation-model/amazon.titan-embed-text-v1", 1, False),
    ],
)
def test_what_a_call_holds(kind: ProviderKind, model: str, texts: int, shortens: bool) -> None:
    profile = embedding_profile(kind, ModelConfig(name=model))
    assert profile is not None
    assert (profile.most_texts, profile.can_shorten) == (texts, shortens)


@pytest.mark.parametrize(
    ("kind", "model"), [(ProviderKind.ANTHROPIC, "claude-opus-5"), (ProviderKind.BEDROCK, "amazon.nova-lite-v1:0")]
)
def test_who_embeds_nothing(kind: ProviderKind, model: str) -> None:
    assert embedding_profile(kind, ModelConfig(name=model)) is None
