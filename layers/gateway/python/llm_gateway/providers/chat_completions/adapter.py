"""Servers of the Chat Completions API, called through OpenAI's SDK."""

from collections.abc import Generator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any

from llm_gateway.domain.chat import ChatRequest
from llm_gateway.domain.vendors import Vendor
from llm_gateway.ports.system import Clock
from llm_gateway.providers.chat_completions.answer import ChunkJoiner
from llm_gateway.providers.chat_completions.faults import fault_table
from llm_gateway.providers.chat_completions.request import Dialect, messages_before, request_body
from llm_gateway.providers.counting import counted
from llm_gateway.providers.faults import FaultTable
from llm_gateway.providers.sse import Event, events
from llm_gateway.providers.upstream import Upstream

if TYPE_CHECKING:
    import httpx2
    import openai

    from llm_gateway.providers.chat_completions.embeddings import CompletionsEmbeddings


@dataclass(frozen=True, kw_only=True)
class ChatCompletions:
    """A `Wire`. The SDK sends; what comes back is read as plain JSON, because it checks no field of an answer."""

    upstream: Upstream
    vendor: Vendor
    dialect: Dialect
    clock: Clock

    def faults(self, request: ChatRequest) -> FaultTable:
        return replace(self._faults, preceding=messages_before(request))

    def joiner(self, request: ChatRequest, faults: FaultTable) -> ChunkJoiner:
        return ChunkJoiner(request=request, profile=self.vendor.profile(request.model), faults=faults)

    @contextmanager
    def opened(
        self, request: ChatRequest, *, streamed: bool, timeout: "httpx2.Timeout"
    ) -> Generator[Iterator[Event], None, None]:
        arguments = request_body(request, dialect=self.dialect)
        if streamed:
            arguments |= {"stream": True, "stream_options": {"include_usage": True}}
        create = self._client.chat.completions.with_streaming_response.create
        with create(**arguments, extra_headers=self._headers(), timeout=timeout) as response:
            yield events(response.http_response.iter_bytes())

    def count_tokens(self, request: ChatRequest, *, timeout: "httpx2.Timeout") -> int | None:
        if not self.dialect.tokenizes:
            return None
        import httpx2

        arguments = request_body(request, dialect=self.dialect)
        body = {name: arguments[name] for name in ("model", "messages")}
        options: Any = {"headers": self._headers(), "timeout": timeout}
        answer = self._client.post("/tokenize", cast_to=httpx2.Response, body=body, options=options)
        return counted(events([answer.content]), name="count")

    def embeddings(self) -> "CompletionsEmbeddings":
        from llm_gateway.providers.chat_completions.embeddings import CompletionsEmbeddings

        return CompletionsEmbeddings(
            client=self._client,
            headers=self._headers(),
            faults=self._faults,
            encoding=self.dialect.embeddings_encoding,
        )

    def _headers(self) -> dict[str, Any]:
        from openai import Omit

        # The SDK would add what the environment says of OpenAI's accounts, to whichever server it calls.
        headers: dict[str, Any] = {"OpenAI-Organization": Omit(), "OpenAI-Project": Omit()}
        if self.upstream.checked_api_key() is None:
            headers["Authorization"] = Omit()
        return headers

    @cached_property
    def _faults(self) -> FaultTable:
        return fault_table(self.clock, secret=self.upstream.api_key)

    @cached_property
    def _client(self) -> "openai.OpenAI":
        import openai

        from llm_gateway.providers.function_url import signature_for
        from llm_gateway.providers.transport import http_client

        signed = self.upstream.is_own and self.upstream.api_key is None
        # A key that is not None keeps the SDK from sending the environment's.
        return openai.OpenAI(
            api_key=self.upstream.api_key or "none",
            base_url=self.upstream.base_url,
            max_retries=0,
            http_client=http_client(
                owner=self,
                private_allowed=self.upstream.private_addresses_allowed,
                auth=signature_for(self.upstream.base_url) if signed else None,
            ),
        )
