"""Servers of Anthropic's Messages API, called through Anthropic's SDK."""

from collections.abc import Generator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, NoReturn

from llm_gateway.domain.chat import ChatRequest
from llm_gateway.domain.vendors import Vendor
from llm_gateway.errors import FieldError, UnsupportedParameter
from llm_gateway.ports.system import Clock
from llm_gateway.providers.anthropic_messages.answer import EventJoiner
from llm_gateway.providers.anthropic_messages.faults import fault_table
from llm_gateway.providers.anthropic_messages.request import countable_arguments, request_arguments, request_headers
from llm_gateway.providers.counting import counted
from llm_gateway.providers.faults import FaultTable
from llm_gateway.providers.sse import Event, events
from llm_gateway.providers.upstream import Upstream

if TYPE_CHECKING:
    import anthropic
    import httpx2


@dataclass(frozen=True, kw_only=True)
class AnthropicMessages:
    """A `Wire`. The SDK sends; what comes back is read as plain JSON, because it checks no field of an answer.

    Its own reader of streams also passes over an event without a name, and so over a broken one.
    """

    upstream: Upstream
    vendor: Vendor
    clock: Clock

    def load(self) -> None:
        _ = self._client, self._faults

    def faults(self, _: ChatRequest) -> FaultTable:
        return self._faults

    def joiner(self, request: ChatRequest, faults: FaultTable) -> EventJoiner:
        return EventJoiner(request=request, profile=self.vendor.profile(request.model), faults=faults)

    @contextmanager
    def opened(
        self, request: ChatRequest, *, streamed: bool, timeout: "httpx2.Timeout"
    ) -> Generator[Iterator[Event], None, None]:
        arguments = request_arguments(request, self.vendor.profile(request.model))
        if streamed:
            arguments["stream"] = True
        create = self._client.messages.with_streaming_response.create
        with create(**arguments, extra_headers=self._headers(request), timeout=timeout) as response:
            yield events(response.http_response.iter_bytes())

    def count_tokens(self, request: ChatRequest, *, timeout: "httpx2.Timeout") -> int | None:
        count = self._client.messages.with_streaming_response.count_tokens
        arguments = countable_arguments(request, self.vendor.profile(request.model))
        with count(**arguments, extra_headers=self._headers(request), timeout=timeout) as response:
            return counted(events(response.http_response.iter_bytes()), name="input_tokens")

    def embeddings(self) -> NoReturn:
        raise UnsupportedParameter(
            "Anthropic has no embeddings: ask another provider.",
            errors=[FieldError("model", "its provider has no embeddings: ask another one")],
        )

    def _headers(self, request: ChatRequest) -> dict[str, Any]:
        from anthropic import Omit

        headers: dict[str, Any] = request_headers(request, self.vendor.profile(request.model))
        if self.upstream.checked_api_key() is None:
            headers["Authorization"] = Omit()
        return headers

    @cached_property
    def _faults(self) -> FaultTable:
        return fault_table(self.clock, secret=self.upstream.api_key)

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
