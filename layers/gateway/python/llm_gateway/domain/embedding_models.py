"""What each vendor takes in a call for embeddings, as reviewed data. Imported when a text is to be embedded.

Sources, November 2026: OpenAI's API reference of `POST /embeddings` (8,192 tokens a text, 300,000 and 2,048 texts a call; the
third generation alone takes `dimensions`); Amazon Bedrock's user guide, "Amazon Titan Text Embeddings" (one text a call, 8,192
tokens; the second version alone takes `dimensions`).
"""

from collections.abc import Mapping
from dataclasses import replace
from typing import Final

from llm_gateway.domain.bedrock_models import placeless
from llm_gateway.domain.embeddings import EmbeddingProfile
from llm_gateway.domain.providers import ModelConfig, ProviderKind

# Fewer than OpenAI takes: the vectors of more would pass the bounds of an answer.
_OPENAI: Final = EmbeddingProfile(most_texts=512, most_tokens=300_000, most_tokens_a_text=8_192)
_OWN_LENGTH: Final = EmbeddingProfile(most_texts=512, most_tokens=300_000, most_tokens_a_text=8_192, can_shorten=False)
# What others take is not known: few enough for any, and their windows are the operator's to say.
_COMPATIBLE: Final = EmbeddingProfile(most_texts=64)
_LOCAL: Final = EmbeddingProfile(most_texts=64, can_shorten=False)
_TITAN: Final = EmbeddingProfile(most_texts=1, most_tokens_a_text=8_192)
_TITAN_1: Final = EmbeddingProfile(most_texts=1, most_tokens_a_text=8_192, can_shorten=False)

_PROFILES: Final[Mapping[ProviderKind, Mapping[str, EmbeddingProfile]]] = {
    ProviderKind.OPENAI: {"text-embedding-ada-002": _OWN_LENGTH, "": _OPENAI},
    ProviderKind.OPENAI_COMPATIBLE: {"": _COMPATIBLE},
    ProviderKind.LLAMA_CPP: {"": _LOCAL},
    ProviderKind.BEDROCK: {"amazon.titan-embed-text-v2": _TITAN, "amazon.titan-embed-text": _TITAN_1},
}


def embedding_profile(kind: ProviderKind, model: ModelConfig) -> EmbeddingProfile | None:
    """By the longest prefix that has a row, under the window that an operator configured; None where nothing is embedded."""
    rows = _PROFILES.get(kind, {})
    name = placeless(model.name) if kind is ProviderKind.BEDROCK else model.name
    prefix = max((prefix for prefix in rows if name.startswith(prefix)), key=len, default=None)
    if prefix is None:
        return None
    row = rows[prefix]
    return row if model.context_window is None else replace(row, most_tokens_a_text=model.context_window)
