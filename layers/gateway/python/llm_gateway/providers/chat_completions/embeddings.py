"""Embeddings of servers that speak OpenAI's API. Imported on first use."""

from collections.abc import Generator, Iterable
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from llm_gateway.domain.embeddings import EmbeddingRequest
from llm_gateway.providers import untrusted
from llm_gateway.providers.embedding import Read, by_index
from llm_gateway.providers.faults import FaultTable
from llm_gateway.providers.posting import Posting

if TYPE_CHECKING:
    import httpx2


@dataclass(frozen=True, kw_only=True)
class CompletionsEmbeddings:
    """An `EmbeddingWire`. OpenAI is asked for base64, a quarter of the bytes; not every other server knows that."""

    posting: Posting
    headers: dict[str, Any]
    faults: FaultTable
    encoding: Literal["base64", "float"]

    @contextmanager
    def opened(self, request: EmbeddingRequest, *, timeout: "httpx2.Timeout") -> Generator[Iterable[bytes], None, None]:
        body: dict[str, Any] = {
            "model": request.model,
            "input": list(request.texts),
            "encoding_format": self.encoding,
        }
        if request.dimensions is not None:
            body["dimensions"] = request.dimensions
        if request.user is not None:
            body["user"] = request.user
        with self.posting.posted("/embeddings", body, headers=self.headers, timeout=timeout) as chunks:
            yield chunks

    def read(self, body: dict[str, Any], _: EmbeddingRequest) -> Read:
        items = untrusted.records(body.get("data"), name="data")
        usage = body.get("usage")
        counts = usage if isinstance(usage, dict) else {}
        return Read(
            vectors=[item.get("embedding") for item in by_index(items)],
            tokens=counts.get("prompt_tokens", counts.get("total_tokens")),
            model=body.get("model"),
        )
