"""The body of a request for embeddings, checked field by field."""

from typing import Annotated, Literal

from pydantic import BeforeValidator, Field

from local_model.chat_request import Strict, fields_of, validated

# Of one request: they are made one after the other.
MOST_TEXTS = 256
# Fields of OpenAI's API that leave the answer as it is.
_WITHOUT_EFFECT = ("user",)

Text = Annotated[str, Field(min_length=1)]


def _as_list(texts: object) -> object:
    return [texts] if isinstance(texts, str) else texts


class EmbeddingRequest(Strict):
    model: str
    input: Annotated[list[Text], Field(fail_fast=True, min_length=1, max_length=MOST_TEXTS), BeforeValidator(_as_list)]
    encoding_format: Literal["float", "base64"] = "float"


def parse_embedding_request(body: bytes) -> EmbeddingRequest:
    """Raises InvalidRequest naming the first field that is wrong."""
    fields = fields_of(body)
    return validated(EmbeddingRequest, {name: value for name, value in fields.items() if name not in _WITHOUT_EFFECT})
