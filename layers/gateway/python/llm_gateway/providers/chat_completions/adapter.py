"""The `Provider` that calls a server of the Chat Completions API through OpenAI's SDK."""

from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any

from llm_gateway.domain.chat import ChatAnswer, ChatRequest, Delta
from llm_gateway.domain.providers import Timeouts
from llm_gateway.ports.system import Cancelled, Clock, never
from llm_gateway.providers.chat_completions.answer import ChunkJoiner, whole_answer
from llm_gateway.providers.chat_completions.faults import fault_table
from llm_gateway.providers.chat_completions.request import Dialect, request_body
from llm_gateway.providers.deadline import Deadline
from llm_gateway.providers.estimates import CountTokens
from llm_gateway.providers.faults import ContentFiltered, FaultTable
from llm_gateway.providers.streaming import read_stream
from llm_gateway.providers.upstream import Upstream

if TYPE_CHECKING:
    import httpx2
    import openai


@dataclass(frozen=True, kw_only=True)
class ChatCompletions:
    """A `Provider`. The SDK sends; what comes back is read as plain JSON, because it checks no field of an answer."""

    upstream: Upstream
    dialect: Dialect
    clock: Clock
    count_tokens: CountTokens

    def complete(self, request: ChatRequest, *, timeouts: Timeouts, cancelled: Cancelled = never) -> ChatAnswer:
        deadline = Deadline.of_whole_answer(timeouts, self.clock, cancelled)
        arguments = self._arguments(request, timeouts, deadline)
        try:
            with self._faults_of(request, arguments).raised(), deadline.enforced():
                response = self._client.chat.completions.with_raw_response.create(**arguments)
                data = response.http_response.json()
        except ContentFiltered:
            return self._filtered(self._joiner(request, self._faults))
        return whole_answer(data, request, count_tokens=self.count_tokens)

    def stream(
        self, request: ChatRequest, *, timeouts: Timeouts, cancelled: Cancelled = never
    ) -> Generator[Delta | ChatAnswer, None, None]:
        deadline = Deadline.of_stream(timeouts, self.clock, cancelled)
        arguments = self._arguments(request, timeouts, deadline)
        faults = self._faults_of(request, arguments)
        joiner = self._joiner(request, faults)
        try:
            yield from read_stream(lambda: self._opened(arguments), joiner, deadline=deadline, faults=faults)
        except ContentFiltered:
            yield self._filtered(joiner)

    @contextmanager
    def _opened(self, arguments: dict[str, Any]) -> Generator["httpx2.Response", None, None]:
        create = self._client.chat.completions.with_streaming_response.create
        with create(**arguments, stream=True, stream_options={"include_usage": True}) as response:
            yield response.http_response

    def _arguments(self, request: ChatRequest, timeouts: Timeouts, deadline: Deadline) -> dict[str, Any]:
        from openai import Omit

        from llm_gateway.providers.transport import http_timeout

        # The SDK would add what the environment says of OpenAI's accounts, to whichever server it calls.
        headers: dict[str, Any] = {"OpenAI-Organization": Omit(), "OpenAI-Project": Omit()}
        if self.upstream.checked_api_key() is None:
            headers["Authorization"] = Omit()
        return {
            **request_body(request, dialect=self.dialect),
            "extra_headers": headers,
            "timeout": http_timeout(timeouts, deadline),
        }

    def _joiner(self, request: ChatRequest, faults: FaultTable) -> ChunkJoiner:
        return ChunkJoiner(request=request, count_tokens=self.count_tokens, faults=faults)

    def _filtered(self, joiner: ChunkJoiner) -> ChatAnswer:
        joiner.filter()
        return joiner.answer()

    def _faults_of(self, request: ChatRequest, arguments: dict[str, Any]) -> FaultTable:
        return replace(self._faults, preceding=len(arguments["messages"]) - len(request.messages))

    @cached_property
    def _faults(self) -> FaultTable:
        return fault_table(self.clock)

    @cached_property
    def _client(self) -> "openai.OpenAI":
        import openai

        from llm_gateway.providers.function_url import signature_for
        from llm_gateway.providers.transport import http_client

        keyless = self.upstream.api_key is None
        # A key that is not None keeps the SDK from sending the environment's.
        return openai.OpenAI(
            api_key=self.upstream.api_key or "none",
            base_url=self.upstream.base_url,
            max_retries=0,
            http_client=http_client(
                owner=self,
                private_allowed=self.upstream.private_addresses_allowed,
                auth=signature_for(self.upstream.base_url) if keyless else None,
            ),
        )
