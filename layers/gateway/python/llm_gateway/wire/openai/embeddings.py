"""Embeddings: what OpenAI's clients send and read."""

from base64 import b64encode
from struct import pack
from typing import TYPE_CHECKING, Annotated, Any, Final, Literal

from pydantic import BeforeValidator, Field, field_validator

from llm_gateway.wire.field_names import GATEWAYS, named
from llm_gateway.wire.openai.completions import gateway_member
from llm_gateway.wire.queries import Metadata, Timeout, with_a_model
from llm_gateway.wire.schema import Incoming, PositiveInt

if TYPE_CHECKING:
    from llm_gateway.domain.embeddings import Embedded, Vector
    from llm_gateway.domain.queries import Query

MOST_TEXTS: Final = 2048
"""More than OpenAI takes of one request no client sends."""
_OWN: Final = {r"vendor\.openai\.user": "user", r"metadata": "gateway.metadata", **GATEWAYS}


def _texts(given: Any) -> Any:
    if isinstance(given, str):
        return [given]
    if isinstance(given, list) and all(isinstance(text, str) for text in given):
        return given
    raise ValueError(
        "must be a text or a list of texts: the gateway takes no tokens, which mean something else to each model"
    )


class EmbeddingOptions(Incoming):
    """Where to ask, how long to wait, and what is kept with the query."""

    provider: Annotated[str, Field(min_length=1, max_length=63)] | None = None
    timeout_s: Timeout | None = None
    metadata: Metadata = Field(default_factory=dict)


class EmbeddingsBody(Incoming):
    """A request of the Embeddings API, and what it says to the gateway."""

    input: Annotated[list[str], Field(min_length=1, max_length=MOST_TEXTS), BeforeValidator(_texts)]
    model: Annotated[str, Field(min_length=1, max_length=300)]
    dimensions: PositiveInt | None = None
    encoding_format: Literal["float", "base64"] = "float"
    user: Annotated[str, Field(min_length=1, max_length=512)] | None = None
    gateway: EmbeddingOptions | None = None

    @field_validator("model")
    @classmethod
    def _names_a_model(cls, name: str) -> str:
        return with_a_model(name)

    def called(self, field: str) -> str:
        """What a query's field is called here."""
        return named(field, _OWN, lambda number, _: f"input[{number}]")

    @property
    def texts(self) -> tuple[str, ...]:
        return tuple(self.input)


def embeddings_shown(query: "Query", embedded: "Embedded", *, encoding: str) -> dict[str, Any]:
    """The vectors in the order of the texts, with a member `gateway`."""
    if query.answer is None:
        raise ValueError("a query whose texts were embedded has an answer")
    tokens = embedded.usage.input_tokens
    return {
        "object": "list",
        "data": [
            {"object": "embedding", "index": index, "embedding": _in_base64(vector) if encoding == "base64" else vector}
            for index, vector in enumerate(embedded.vectors)
        ],
        "model": embedded.model,
        "usage": {"prompt_tokens": tokens, "total_tokens": tokens},
        "gateway": gateway_member(query, query.answer, list(query.answer.warnings)),
    }


def _in_base64(vector: "Vector") -> str:
    """As OpenAI sends them: 32-bit floats, the least significant byte first."""
    return b64encode(pack(f"<{len(vector)}f", *vector)).decode()
