"""Anthropic, by its Messages API and its SDK."""

from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

from llm_gateway.domain.chat import ChatAnswer, ChatRequest, Delta
from llm_gateway.domain.providers import Timeouts
from llm_gateway.ports.providers import Provider
from llm_gateway.ports.system import Cancelled, Clock, never
from llm_gateway.providers.anthropic_messages.answer import EventJoiner, whole_answer
from llm_gateway.providers.anthropic_messages.faults import fault_table
from llm_gateway.providers.anthropic_messages.request import request_arguments, request_headers
from llm_gateway.providers.deadline import Deadline
from llm_gateway.providers.estimates import CountTokens
from llm_gateway.providers.faults import FaultTable
from llm_gateway.providers.streaming import read_stream
from llm_gateway.providers.upstream import Upstream

if TYPE_CHECKING:
    import anthropic
    import httpx2


@dataclass(frozen=True, kw_only=True)
class Anthropic:
    """A `Provider`. The SDK sends; what comes back is read as plain JSON, because it checks no field of an answer.

    Its own reader of streams also passes over an event without a name, and so over a broken one.
    """

    upstream: Upstream
    clock: Clock
    count_tokens: CountTokens

    def complete(self, request: ChatRequest, *, timeouts: Timeouts, cancelled: Cancelled = never) -> ChatAnswer:
        deadline = Deadline.of_whole_answer(timeouts, self.clock, cancelled)
        arguments = self._arguments(request, timeouts, deadline)
        with self._faults.raised(), deadline.enforced():
            response = self._client.messages.with_raw_response.create(**arguments)
            data = response.http_response.json()
        return whole_answer(data, request, count_tokens=self.count_tokens)

    def stream(
        self, request: ChatRequest, *, timeouts: Timeouts, cancelled: Cancelled = never
    ) -> Generator[Delta | ChatAnswer, None, None]:
        deadline = Deadline.of_stream(timeouts, self.clock, cancelled)
        arguments = self._arguments(request, timeouts, deadline)
        joiner = EventJoiner(request=request, count_tokens=self.count_tokens, faults=self._faults)
        yield from read_stream(lambda: self._opened(arguments), joiner, deadline=deadline, faults=self._faults)

    @contextmanager
    def _opened(self, arguments: dict[str, Any]) -> Generator["httpx2.Response", None, None]:
        with self._client.messages.with_streaming_response.create(**arguments, stream=True) as response:
            yield response.http_response

    def _arguments(self, request: ChatRequest, timeouts: Timeouts, deadline: Deadline) -> dict[str, Any]:
        from anthropic import Omit

        from llm_gateway.providers.transport import http_timeout

        headers: dict[str, Any] = request_headers(request)
        if self.upstream.checked_api_key() is None:
            headers["Authorization"] = Omit()
        return {
            **request_arguments(request),
            "extra_headers": headers,
            "timeout": http_timeout(timeouts, deadline),
        }

    @cached_property
    def _faults(self) -> FaultTable:
        return fault_table(self.clock)

    @cached_property
    def _client(self) -> "anthropic.Anthropic":
        import anthropic

        from llm_gateway.providers.transport import http_client

        return anthropic.Anthropic(
            # A key that is not None keeps the SDK from looking for others in the environment and in files.
            api_key=self.upstream.api_key or "none",
            base_url=self.upstream.base_url,
            max_retries=0,
            http_client=http_client(owner=self, private_allowed=self.upstream.private_addresses_allowed),
            # Its spans would hold prompts wherever the environment says so.
            open_telemetry=False,
        )


def anthropic_adapter(upstream: Upstream, clock: Clock, count_tokens: CountTokens) -> Provider:
    return Anthropic(upstream=upstream, clock=clock, count_tokens=count_tokens)
