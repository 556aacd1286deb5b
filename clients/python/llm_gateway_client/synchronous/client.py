# Written by `make openapi` from the asynchronous module of the same name; do not edit.
"""The client: one object for one gateway and one key."""

from collections.abc import Iterator
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
from llm_gateway_client.calls import Moment
from llm_gateway_client.requests import QueryRequest, StreamRequest
from llm_gateway_client.retries import Retries
from llm_gateway_client.synchronous.keys import Keys
from llm_gateway_client.synchronous.prompts import Prompts
from llm_gateway_client.synchronous.providers import Providers
from llm_gateway_client.synchronous.queries import Queries
from llm_gateway_client.synchronous.streams import AnswerStream
from llm_gateway_client.synchronous.transport import Transport

_USER_AGENT: Final = "llm-gateway-client/0.1.0"


class GatewayClient:
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
        http: httpx.Client | None = None,
        allow_http: bool = False,
    ) -> None:
        address, auth = address_of(url, allow_http=allow_http), auth_of(key, auth, url=url)
        self._owns_http = http is None
        http = http or httpx.Client(timeout=timeout_s, headers={"User-Agent": _USER_AGENT})
        self._transport = Transport(http, url=address, auth=auth, retries=retries or Retries())
        self.queries = Queries(self._transport)
        self.providers = Providers(self._transport)
        self.prompts = Prompts(self._transport)
        self.keys = Keys(self._transport)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Closes the connections, unless somebody else's `http` client has them."""
        if self._owns_http:
            self._transport.close()

    @property
    def url(self) -> str:
        """The gateway's address."""
        return str(self._transport.url)

    def ask(
        self, question: str | None = None, *, idempotency_key: str | None = None, **query: Unpack[QueryRequest]
    ) -> QueryResponse:
        """The answer to a question, or to `messages`, or to a `prompt`; a question follows the messages."""
        body = asked.query(question, query, mode="sync")
        call = calls.post("query", body=body, idempotency_key=idempotency_key)
        return self._transport.send(replace(call, read_timeout_s=asked.patience_s(body)), QueryResponse)

    def stream(
        self, question: str | None = None, *, idempotency_key: str | None = None, **query: Unpack[StreamRequest]
    ) -> AnswerStream:
        """The answer as it is written, in a `with` block; it is resumed by itself where its connection breaks."""
        body = asked.streamed(question, query)
        return AnswerStream(self._transport, calls.post("query", "stream", body=body, idempotency_key=idempotency_key))

    def submit(
        self, question: str | None = None, *, idempotency_key: str | None = None, **query: Unpack[QueryRequest]
    ) -> QueryAccepted:
        """Hands a query to the queue; `wait` gets its answer."""
        body = asked.query(question, query, mode="async")
        return self._transport.send(calls.post("query", body=body, idempotency_key=idempotency_key), QueryAccepted)

    def wait(self, query_id: str, *, timeout_s: float = 900.0) -> QueryResponse:
        """The answer to a query that was submitted, as soon as it is there. Raises `QueryUnfinished` after `timeout_s`."""
        return self.queries.wait(query_id, timeout_s=timeout_s)

    def plan(self, question: str | None = None, **query: Unpack[QueryRequest]) -> QueryPlan:
        """Which providers would be asked, for how many tokens and dollars; nobody is asked."""
        return self._transport.send(calls.post("query", "plan", body=asked.query(question, query)), QueryPlan)

    def usage(
        self,
        *,
        since: Moment | None = None,
        until: Moment | None = None,
        group_by: str | None = None,
        bucket: str | None = None,
        page_size: int = 100,
    ) -> Iterator[UsageRow]:
        """Sums of queries: of the last 24 hours in one row, or by `key|provider|model|prompt|tag` and `hour|day|month`."""
        call = calls.get("usage", from_=since, to=until, group_by=group_by, bucket=bucket, limit=page_size)
        for page in self._transport.pages(call, UsageList):
            for each in page.items:
                yield each

    def audit(
        self,
        *,
        since: Moment | None = None,
        until: Moment | None = None,
        actor: str | None = None,
        action: str | None = None,
        page_size: int = 100,
    ) -> Iterator[AuditEntry]:
        """Who changed what, newest first; of the last 24 hours."""
        call = calls.get("audit", from_=since, to=until, actor=actor, action=action, limit=page_size)
        for page in self._transport.pages(call, AuditList):
            for each in page.items:
                yield each

    def health(self) -> HealthCheck:
        """Whether the gateway answers at all; needs no key."""
        return self._transport.send(replace(calls.get("health"), at_root=True), HealthCheck)
