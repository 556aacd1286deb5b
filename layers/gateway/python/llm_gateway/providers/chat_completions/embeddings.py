"""Embeddings of servers that speak OpenAI's API. Imported on first use."""

from collections.abc import Generator, Iterable
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from llm_gateway.domain.embeddings import EmbeddingRequest
from llm_gateway.providers import untrusted
from llm_gateway.providers.embedding import Read, by_index
from llm_gateway.providers.faults import FaultTable

if TYPE_CHECKING:
    import httpx2
    import openai


@dataclass(frozen=True, kw_only=True)
class CompletionsEmbeddings:
    """An `EmbeddingWire`. OpenAI is asked for base64, a quarter of the bytes; not every other server knows that."""

    client: "openai.OpenAI"
    headers: dict[str, Any]
    faults: FaultTable
    encoding: Literal["base64", "float"]

    @contextmanager
    def opened(self, request: EmbeddingRequest, *, timeout: "httpx2.Timeout") -> Generator[Iterable[bytes], None, None]:
        arguments: dict[str, Any] = {
            "model": request.model,
            "input": list(request.texts),
            "encoding_format": self.encoding,
        }
        if request.dimensions is not None:
            arguments["dimensions"] = request.dimensions
        create = self.client.embeddings.with_streaming_response.create
        with create(**arguments, extra_headers=self.headers, timeout=timeout) as response:
            yield response.http_response.iter_bytes()

    def read(self, body: dict[str, Any], _: EmbeddingRequest) -> Read:
        items = untrusted.records(body.get("data"), name="data")
        usage = body.get("usage")
        counts = usage if isinstance(usage, dict) else {}
        return Read(
            vectors=[item.get("embedding") for item in by_index(items)],
            tokens=counts.get("prompt_tokens", counts.get("total_tokens")),
            model=body.get("model"),
        )
