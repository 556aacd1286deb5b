"""The client: one object for one gateway and one key."""

from collections.abc import AsyncIterator
from dataclasses import replace
from types import TracebackType
from typing import Final, Self, Unpack

import httpx

from llm_gateway_client import asked, calls
from llm_gateway_client.address import address_of, auth_of
from llm_gateway_client.answers import (
    AuditEntry,
    AuditList,
    HealthCheck,
    QueryAccepted,
    QueryPlan,
    QueryResponse,
    UsageList,
    UsageRow,
)
from llm_gateway_client.asynchronous.keys import AsyncKeys
from llm_gateway_client.asynchronous.prompts import AsyncPrompts
from llm_gateway_client.asynchronous.providers import AsyncProviders
from llm_gateway_client.asynchronous.queries import AsyncQueries
from llm_gateway_client.asynchronous.streams import AsyncAnswerStream
from llm_gateway_client.asynchronous.transport import AsyncTransport
from llm_gateway_client.calls import Moment
from llm_gateway_client.requests import QueryRequest, StreamRequest
from llm_gateway_client.retries import Retries

_USER_AGENT: Final = "llm-gateway-client/0.1.0"


class AsyncGatewayClient:
    """Asks a gateway. `url` is its address with the stage's path, else GATEWAY_URL; `key` a key's secret, else GATEWAY_KEY.

    GATEWAY_KEY is sent to no other address than GATEWAY_URL, where that is set. Over plain http only this machine is talked to,
    unless `allow_http` says that the network between is your own.

    With `auth`, such as `SignatureAuth(key_id, signing_secret)`, requests are signed and no secret is sent. `timeout_s` bounds
    requests that ask no model; an answer is waited for as long as its query may take. An `http` client of one's own brings
    proxies, certificates and limits, and is closed by its owner.

    Every call raises a `GatewayError`.
    """

    def __init__(
        self,
        url: str | None = None,
        key: str | None = None,
        *,
        auth: httpx.Auth | None = None,
        timeout_s: float = 30.0,
        retries: Retries | None = None,
        http: httpx.AsyncClient | None = None,
        allow_http: bool = False,
    ) -> None:
        address, auth = address_of(url, allow_http=allow_http), auth_of(key, auth, url=url)
        self._owns_http = http is None
        http = http or httpx.AsyncClient(timeout=timeout_s, headers={"User-Agent": _USER_AGENT})
        self._transport = AsyncTransport(http, url=address, auth=auth, retries=retries or Retries())
        self.queries = AsyncQueries(self._transport)
        self.providers = AsyncProviders(self._transport)
        self.prompts = AsyncPrompts(self._transport)
        self.keys = AsyncKeys(self._transport)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self.close()

    async def close(self) -> None:
        """Closes the connections, unless somebody else's `http` client has them."""
        if self._owns_http:
            await self._transport.close()

    @property
    def url(self) -> str:
        """The gateway's address."""
        return str(self._transport.url)

    async def ask(
        self, question: str | None = None, *, idempotency_key: str | None = None, **query: Unpack[QueryRequest]
    ) -> QueryResponse:
        """The answer to a question, or to `messages`, or to a `prompt`; a question follows the messages."""
        body = asked.query(question, query, mode="sync")
        call = calls.post("query", body=body, idempotency_key=idempotency_key)
        return await self._transport.send(replace(call, read_timeout_s=asked.patience_s(body)), QueryResponse)

    def stream(
        self, question: str | None = None, *, idempotency_key: str | None = None, **query: Unpack[StreamRequest]
    ) -> AsyncAnswerStream:
        """The answer as it is written, in a `with` block; it is resumed by itself where its connection breaks."""
        body = asked.streamed(question, query)
        return AsyncAnswerStream(
            self._transport, calls.post("query", "stream", body=body, idempotency_key=idempotency_key)
        )

    async def submit(
        self, question: str | None = None, *, idempotency_key: str | None = None, **query: Unpack[QueryRequest]
    ) -> QueryAccepted:
        """Hands a query to the queue; `wait` gets its answer."""
        body = asked.query(question, query, mode="async")
        return await self._transport.send(
            calls.post("query", body=body, idempotency_key=idempotency_key), QueryAccepted
        )

    async def wait(self, query_id: str, *, timeout_s: float = 900.0) -> QueryResponse:
        """The answer to a query that was submitted, as soon as it is there. Raises `QueryUnfinished` after `timeout_s`."""
        return await self.queries.wait(query_id, timeout_s=timeout_s)

    async def plan(self, question: str | None = None, **query: Unpack[QueryRequest]) -> QueryPlan:
        """Which providers would be asked, for how many tokens and dollars; nobody is asked."""
        return await self._transport.send(calls.post("query", "plan", body=asked.query(question, query)), QueryPlan)

    async def usage(
        self,
        *,
        since: Moment | None = None,
        until: Moment | None = None,
        group_by: str | None = None,
        bucket: str | None = None,
        page_size: int = 100,
    ) -> AsyncIterator[UsageRow]:
        """Sums of queries: of the last 24 hours in one row, or by `key|provider|model|prompt|tag` and `hour|day|month`."""
        call = calls.get("usage", from_=since, to=until, group_by=group_by, bucket=bucket, limit=page_size)
        async for page in self._transport.pages(call, UsageList):
            for each in page.items:
                yield each

    async def audit(
        self,
        *,
        since: Moment | None = None,
        until: Moment | None = None,
        actor: str | None = None,
        action: str | None = None,
        page_size: int = 100,
    ) -> AsyncIterator[AuditEntry]:
        """Who changed what, newest first; of the last 24 hours."""
        call = calls.get("audit", from_=since, to=until, actor=actor, action=action, limit=page_size)
        async for page in self._transport.pages(call, AuditList):
            for each in page.items:
                yield each

    async def health(self) -> HealthCheck:
        """Whether the gateway answers at all; needs no key."""
        return await self._transport.send(replace(calls.get("health"), at_root=True), HealthCheck)
