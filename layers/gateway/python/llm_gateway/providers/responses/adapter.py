"""OpenAI's Responses API, called through OpenAI's SDK. Nothing of a query stays there: `store` is false."""

from collections.abc import Generator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING

from llm_gateway.domain.chat import ChatRequest
from llm_gateway.domain.providers import Capability
from llm_gateway.domain.vendors import Vendor
from llm_gateway.ports.system import Clock
from llm_gateway.providers import openai_sdk
from llm_gateway.providers.faults import FaultTable
from llm_gateway.providers.posting import Posting
from llm_gateway.providers.responses.answer import ItemJoiner
from llm_gateway.providers.responses.faults import fault_table
from llm_gateway.providers.responses.request import places_of_messages, request_body
from llm_gateway.providers.sse import Event, events
from llm_gateway.providers.upstream import Upstream

if TYPE_CHECKING:
    import httpx2


@dataclass(frozen=True, kw_only=True)
class Responses:
    """A `ChatWire`. The SDK sends; what comes back is read as plain JSON, because it checks no field of an answer."""

    upstream: Upstream
    vendor: Vendor
    clock: Clock

    def faults(self, request: ChatRequest) -> FaultTable:
        return replace(self._faults, places=places_of_messages(request))

    def joiner(self, request: ChatRequest, faults: FaultTable) -> ItemJoiner:
        return ItemJoiner(request=request, profile=self.vendor.profile(request.model), faults=faults)

    @contextmanager
    def opened(
        self, request: ChatRequest, *, streamed: bool, timeout: "httpx2.Timeout"
    ) -> Generator[Iterator[Event], None, None]:
        thinks = Capability.REASONING in self.vendor.profile(request.model).capabilities
        body = request_body(request, thinks=thinks)
        if streamed:
            body["stream"] = True
        headers = openai_sdk.headers(self.upstream)
        with self._posting.posted("/responses", body, headers=headers, timeout=timeout) as chunks:
            yield events(chunks)

    @cached_property
    def _faults(self) -> FaultTable:
        return fault_table(self.clock, secret=self.upstream.api_key)

    @cached_property
    def _posting(self) -> Posting:
        return openai_sdk.posting(self.upstream, owner=self)
