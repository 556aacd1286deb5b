"""Queries that are there already: their state, their answers, their end."""

import asyncio
import time
from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Final

from llm_gateway_client import calls
from llm_gateway_client.answers import Erasure, ListedQuery, QueryList, QueryResponse, QueryStatus
from llm_gateway_client.asked import GRACE_S
from llm_gateway_client.asynchronous.streams import AsyncAnswerStream
from llm_gateway_client.asynchronous.transport import AsyncTransport
from llm_gateway_client.calls import Moment
from llm_gateway_client.ends import answer_in
from llm_gateway_client.errors import QueryUnfinished
from llm_gateway_client.requests import ErasureCreate, Feedback

_LONGEST_POLL_S: Final = 20


class AsyncQueries:
    """`client.queries`."""

    def __init__(self, transport: AsyncTransport) -> None:
        self._transport = transport

    async def list(
        self,
        *,
        status: str | None = None,
        since: Moment | None = None,
        until: Moment | None = None,
        prompt: str | None = None,
        page_size: int = 100,
    ) -> AsyncIterator[ListedQuery]:
        """Queries without their words, newest first: one's own, for admins and auditors everybody's; of the last 24 hours."""
        call = calls.get("query", status=status, from_=since, to=until, prompt=prompt, limit=page_size)
        async for page in self._transport.pages(call, QueryList):
            for each in page.items:
                yield each

    async def status(self, query_id: str, *, wait_s: int | None = None) -> QueryStatus:
        """How it stands; with `wait_s` (20 at most) as soon as it has ended, or else after that time."""
        call = calls.get("query", query_id, "status", wait_s=wait_s)
        return await self._transport.send(_patient(call, wait_s), QueryStatus)

    async def result(self, query_id: str) -> QueryResponse:
        """The answer. Raises `QueryUnfinished` before it is there, and the query's own problem where it failed."""
        answer = await self._result(query_id, wait_s=None)
        if answer is None:
            raise QueryUnfinished(f"{query_id} has not ended yet.", query_id=query_id)
        return answer

    async def wait(self, query_id: str, *, timeout_s: float = 900.0) -> QueryResponse:
        """The answer, as soon as it is there. Raises `QueryUnfinished` after `timeout_s`; the query goes on then."""
        until_s = time.monotonic() + timeout_s
        while (left_s := until_s - time.monotonic()) > 0:
            answer = await self._result(query_id, wait_s=int(min(max(left_s, 1), _LONGEST_POLL_S)))
            if answer is not None:
                return answer
            # It came back at once where nobody could count who waits.
            await asyncio.sleep(min(1.0, max(left_s, 0)))
        raise QueryUnfinished(f"{query_id} has not ended within {timeout_s:g} s.", query_id=query_id)

    def resume(self, query_id: str) -> AsyncAnswerStream:
        """The stream of a query that was streamed, from its beginning."""
        return AsyncAnswerStream(self._transport, calls.get("query", query_id, "stream"), query_id=query_id)

    async def cancel(self, query_id: str) -> QueryStatus:
        """Ends it, if it has not ended by itself."""
        return await self._transport.send(calls.post("query", query_id, "cancel", once=False), QueryStatus)

    async def erase(self, query_id: str) -> None:
        """Removes it with its words and every copy of its answer."""
        await self._transport.respond(calls.delete("query", query_id))

    async def erase_all(self, *, key_id: str | None = None, subject: str | None = None) -> Erasure:
        """Begins to erase all queries of a key, or all whose `metadata.subject` is this text; `erasure` tells how far it is.

        Raises ValueError unless one of the two is said.
        """
        if (key_id is None) == (subject is None):
            raise ValueError("Whose queries? Say a key's id, or a subject.")
        body: ErasureCreate = {"subject": subject} if key_id is None else {"key_id": key_id}
        return await self._transport.send(calls.post("erasures", body=body), Erasure)

    async def erasure(self, erasure_id: str) -> Erasure:
        """How far an erasure has come."""
        return await self._transport.send(calls.get("erasures", erasure_id), Erasure)

    async def give_feedback(
        self, query_id: str, score: float, *, name: str | None = None, comment: str | None = None
    ) -> None:
        """Says what the answer was worth, from 0 to 1. The last one under a `name` counts."""
        body: Feedback = {"score": score}
        if name is not None:
            body["name"] = name
        if comment is not None:
            body["comment"] = comment
        await self._transport.respond(calls.post("query", query_id, "feedback", body=body, once=False))

    async def _result(self, query_id: str, *, wait_s: int | None) -> QueryResponse | None:
        call = calls.get("query", query_id, "result", wait_s=wait_s)
        return answer_in(await self._transport.respond(_patient(call, wait_s)))


def _patient(call: calls.Call, wait_s: int | None) -> calls.Call:
    return call if wait_s is None else replace(call, read_timeout_s=wait_s + GRACE_S)
