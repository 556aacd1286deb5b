"""Servers of Anthropic's Messages API, called through Anthropic's SDK."""

from collections.abc import Generator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property, partial
from typing import TYPE_CHECKING, Any, NoReturn

from llm_gateway.domain.chat import ChatRequest
from llm_gateway.domain.vendors import Vendor
from llm_gateway.errors import FieldError, UnsupportedParameter
from llm_gateway.ports.system import Clock
from llm_gateway.providers.anthropic_messages.answer import EventJoiner
from llm_gateway.providers.anthropic_messages.faults import fault_table
from llm_gateway.providers.anthropic_messages.request import countable_body, request_body, request_headers
from llm_gateway.providers.counting import counted
from llm_gateway.providers.faults import FaultTable
from llm_gateway.providers.posting import Posting, without_environment
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
        _ = self._posting, self._faults

    def faults(self, _: ChatRequest) -> FaultTable:
        return self._faults

    def joiner(self, request: ChatRequest, faults: FaultTable) -> EventJoiner:
        return EventJoiner(request=request, profile=self.vendor.profile(request.model), faults=faults)

    @contextmanager
    def opened(
        self, request: ChatRequest, *, streamed: bool, timeout: "httpx2.Timeout"
    ) -> Generator[Iterator[Event], None, None]:
        body = request_body(request, self.vendor.profile(request.model))
        if streamed:
            body["stream"] = True
        headers = self._headers(request)
        with self._posting.posted("/v1/messages", body, headers=headers, timeout=timeout) as chunks:
            yield events(chunks)

    def count_tokens(self, request: ChatRequest, *, timeout: "httpx2.Timeout") -> int | None:
        body = countable_body(request, self.vendor.profile(request.model))
        headers = self._headers(request)
        with self._posting.posted("/v1/messages/count_tokens", body, headers=headers, timeout=timeout) as chunks:
            return counted(events(chunks), name="input_tokens")

    def embeddings(self) -> NoReturn:
        raise UnsupportedParameter(
            "Anthropic has no embeddings: ask another provider.",
            errors=[FieldError("model", "its provider has no embeddings: ask another one")],
        )

    def _headers(self, request: ChatRequest) -> dict[str, Any]:
        from anthropic import omit

        headers: dict[str, Any] = request_headers(request, self.vendor.profile(request.model))
        if self.upstream.checked_api_key() is None:
            headers["Authorization"] = omit
        return headers

    @cached_property
    def _faults(self) -> FaultTable:
        return fault_table(self.clock, secret=self.upstream.api_key)

    @cached_property
    def _posting(self) -> Posting:
        from llm_gateway.providers.transport import http_client

        http = http_client(owner=self, private_allowed=self.upstream.private_addresses_allowed)
        return Posting(partial(client, self.upstream), http=http)


def client(upstream: Upstream, http: "httpx2.Client") -> "anthropic.Anthropic":
    import anthropic

    made = anthropic.Anthropic(
        # A key that is not None keeps the SDK from looking for others in the environment and in files.
        api_key=upstream.api_key or "none",
        base_url=upstream.base_url,
        max_retries=0,
        http_client=http,
        # Its spans would hold prompts wherever the environment says so.
        open_telemetry=False,
    )
    return without_environment(made)
