"""Embeddings of Amazon's Titan models: one text a call, by InvokeModel. Imported on first use."""

import json
from collections.abc import Callable, Generator, Iterable
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from llm_gateway.domain.embeddings import EmbeddingRequest
from llm_gateway.providers.embedding import Read
from llm_gateway.providers.faults import FaultTable

if TYPE_CHECKING:
    import httpx2

Send = Callable[[str, str, bytes, "httpx2.Timeout"], AbstractContextManager[Any]]
"""Sends a body to an operation of a model, and gives the response once it is a 200."""


@dataclass(frozen=True, kw_only=True)
class TitanEmbeddings:
    """An `EmbeddingWire`. Source: "Amazon Titan Embeddings G1 - Text" of Bedrock's user guide, with both versions."""

    send: Send
    faults: FaultTable

    @contextmanager
    def opened(self, request: EmbeddingRequest, *, timeout: "httpx2.Timeout") -> Generator[Iterable[bytes], None, None]:
        (text,) = request.texts
        body: dict[str, Any] = {"inputText": text}
        if request.dimensions is not None:
            body["dimensions"] = request.dimensions
        content = json.dumps(body, ensure_ascii=False).encode()
        with self.send(request.model, "invoke", content, timeout) as response:
            yield response.iter_bytes()

    def read(self, body: dict[str, Any], _: EmbeddingRequest) -> Read:
        return Read(vectors=[body.get("embedding")], tokens=body.get("inputTextTokenCount"))
