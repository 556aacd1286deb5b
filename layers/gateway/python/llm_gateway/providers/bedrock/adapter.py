"""Amazon Bedrock, called by Converse with the function's own role.

botocore finds the credentials, signs, and decodes streams. The connection is the gateway's own, as for every other provider: a
call keeps to its deadline and ends once nobody wants the answer, which has bounds. botocore's client keeps none of these.
"""

import json
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Final
from urllib.parse import quote

from llm_gateway.domain.chat import ChatRequest
from llm_gateway.domain.faults import ProviderRefused
from llm_gateway.domain.vendors import Vendor
from llm_gateway.ports.system import Clock
from llm_gateway.providers.bedrock.answer import ConverseJoiner
from llm_gateway.providers.bedrock.event_stream import CONTENT_TYPE, records
from llm_gateway.providers.bedrock.faults import BedrockError, fault_table
from llm_gateway.providers.bedrock.request import request_body
from llm_gateway.providers.faults import FaultTable
from llm_gateway.providers.sse import Event, events
from llm_gateway.providers.upstream import Upstream

if TYPE_CHECKING:
    import httpx2

    from llm_gateway.providers.bedrock.embeddings import TitanEmbeddings

_HOST: Final = "https://bedrock-runtime.{region}.amazonaws.com"
_OK: Final = 200


@dataclass(frozen=True, kw_only=True)
class Converse:
    """A `Wire`."""

    upstream: Upstream
    vendor: Vendor
    clock: Clock

    def load(self) -> None:
        _ = self._faults

    def faults(self, _: ChatRequest) -> FaultTable:
        return self._faults

    def joiner(self, request: ChatRequest, faults: FaultTable) -> ConverseJoiner:
        return ConverseJoiner(request=request, profile=self.vendor.profile(request.model), faults=faults)

    @contextmanager
    def opened(
        self, request: ChatRequest, *, streamed: bool, timeout: "httpx2.Timeout"
    ) -> Generator[Iterator[Event], None, None]:
        body = json.dumps(request_body(request), ensure_ascii=False, allow_nan=False, default=dict).encode()
        operation = "converse-stream" if streamed else "converse"
        with self._sent(request.model, operation, body, timeout) as response:
            framed = response.headers.get("content-type", "").startswith(CONTENT_TYPE)
            yield (records if framed else events)(response.iter_bytes())

    def embeddings(self) -> "TitanEmbeddings":
        from llm_gateway.providers.bedrock.embeddings import TitanEmbeddings

        return TitanEmbeddings(send=self._sent, faults=self._faults)

    @contextmanager
    def _sent(
        self, model: str, operation: str, body: bytes, timeout: "httpx2.Timeout"
    ) -> Generator["httpx2.Response", None, None]:
        """The response once it is a 200. Raises `BedrockError`."""
        # An ARN has colons and slashes, which are the id's and not the path's.
        address = f"{self._address}/model/{quote(model, safe='')}/{operation}"
        headers = {"Content-Type": "application/json"}
        with self._client.stream("POST", address, content=body, headers=headers, timeout=timeout) as response:
            if response.status_code != _OK:
                response.read()
                raise BedrockError(response)
            yield response

    def count_tokens(self, request: ChatRequest, *, timeout: "httpx2.Timeout") -> int | None:  # noqa: ARG002
        # The port's names. Bedrock counts by an action of its own, which the function's role does not have.
        return None

    @cached_property
    def _faults(self) -> FaultTable:
        return fault_table(self.clock)

    @cached_property
    def _region(self) -> str:
        from llm_gateway.providers.signature import own_region

        region = self.upstream.region or own_region()
        if region is None:
            raise ProviderRefused("Nothing says in which region Bedrock is to be asked: set the provider's region.")
        return region

    @cached_property
    def _address(self) -> str:
        return self.upstream.base_url or _HOST.format(region=self._region)

    @cached_property
    def _client(self) -> "httpx2.Client":
        from llm_gateway.providers.signature import AwsSignature
        from llm_gateway.providers.transport import http_client

        return http_client(
            owner=self,
            # Within a VPC, AWS's own name may stand for an endpoint there.
            private_allowed=self.upstream.private_addresses_allowed or not self.upstream.base_url,
            auth=AwsSignature(service="bedrock", region=self._region),
        )
