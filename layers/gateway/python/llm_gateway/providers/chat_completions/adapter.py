"""Servers of the Chat Completions API, called through OpenAI's SDK."""

from collections.abc import Generator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING

from llm_gateway.domain.chat import ChatRequest
from llm_gateway.domain.vendors import Vendor
from llm_gateway.ports.system import Clock
from llm_gateway.providers import openai_sdk
from llm_gateway.providers.chat_completions.answer import ChunkJoiner
from llm_gateway.providers.chat_completions.faults import fault_table
from llm_gateway.providers.chat_completions.request import Dialect, messages_before, request_body
from llm_gateway.providers.counting import counted
from llm_gateway.providers.faults import FaultTable
from llm_gateway.providers.posting import Posting
from llm_gateway.providers.sse import Event, events
from llm_gateway.providers.upstream import Upstream

if TYPE_CHECKING:
    import httpx2

    from llm_gateway.providers.chat_completions.embeddings import CompletionsEmbeddings


@dataclass(frozen=True, kw_only=True)
class ChatCompletions:
    """A `Wire`. The SDK sends; what comes back is read as plain JSON, because it checks no field of an answer."""

    upstream: Upstream
    vendor: Vendor
    dialect: Dialect
    clock: Clock

    def load(self) -> None:
        _ = self._posting, self._faults

    def faults(self, request: ChatRequest) -> FaultTable:
        preceding = messages_before(request)
        return replace(self._faults, preceding=preceding) if preceding else self._faults

    def joiner(self, request: ChatRequest, faults: FaultTable) -> ChunkJoiner:
        return ChunkJoiner(request=request, profile=self.vendor.profile(request.model), faults=faults)

    @contextmanager
    def opened(
        self, request: ChatRequest, *, streamed: bool, timeout: "httpx2.Timeout"
    ) -> Generator[Iterator[Event], None, None]:
        body = request_body(request, dialect=self.dialect)
        if streamed:
            body |= {"stream": True, "stream_options": {"include_usage": True}}
        headers = openai_sdk.headers(self.upstream)
        with self._posting.posted("/chat/completions", body, headers=headers, timeout=timeout) as chunks:
            yield events(chunks)

    def count_tokens(self, request: ChatRequest, *, timeout: "httpx2.Timeout") -> int | None:
        if not self.dialect.tokenizes:
            return None
        whole = request_body(request, dialect=self.dialect)
        body = {name: whole[name] for name in ("model", "messages")}
        headers = openai_sdk.headers(self.upstream)
        with self._posting.posted("/tokenize", body, headers=headers, timeout=timeout) as chunks:
            return counted(events(chunks), name="count")

    def embeddings(self) -> "CompletionsEmbeddings":
        from llm_gateway.providers.chat_completions.embeddings import CompletionsEmbeddings

        return CompletionsEmbeddings(
            posting=self._posting,
            headers=openai_sdk.headers(self.upstream),
            faults=self._faults,
            encoding=self.dialect.embeddings_encoding,
        )

    @cached_property
    def _faults(self) -> FaultTable:
        return fault_table(self.clock, secret=self.upstream.api_key)

    @cached_property
    def _posting(self) -> Posting:
        return openai_sdk.posting(self.upstream, owner=self)
