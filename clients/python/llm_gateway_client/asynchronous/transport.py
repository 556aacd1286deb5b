"""Sends calls over HTTP, again where that is worth it."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import suppress
from typing import Any, Final

import httpx

from llm_gateway_client.answered import A, failure, no_answer, read
from llm_gateway_client.calls import Call
from llm_gateway_client.errors import AnswerUnreadable, GatewayError
from llm_gateway_client.retries import Retries

_SENT_AT_ONCE: Final = 65_536


class AsyncTransport:
    """`url` is the gateway's address; what is not an answer is raised as a `GatewayError`."""

    def __init__(self, http: httpx.AsyncClient, *, url: httpx.URL, auth: httpx.Auth, retries: Retries) -> None:
        self.url = url
        self.retries = retries
        self._http = http
        self._auth = auth

    async def send(self, call: Call, answer: type[A]) -> A:
        """The answer to `call`."""
        return read(await self.respond(call), answer)

    async def respond(self, call: Call, *, is_streamed: bool = False) -> httpx.Response:
        """The response to `call`, read to its end unless it `is_streamed`: then it has to be closed."""
        tries = 1
        while True:
            try:
                return await self.try_once(call, is_streamed=is_streamed)
            except GatewayError as error:
                wait_s = self.retries.wait_s(error, call, tries=tries)
                if wait_s is None:
                    raise
            await asyncio.sleep(wait_s)
            tries += 1

    async def try_once(self, call: Call, *, is_streamed: bool = False) -> httpx.Response:
        """As `respond`, without a second try."""
        request = self._request(call)
        try:
            response = await self._http.send(request, auth=self._auth, stream=is_streamed, follow_redirects=False)
            if not response.is_success:
                if is_streamed:
                    await self._read_and_close(response)
                raise failure(response)
        except httpx.HTTPError as error:
            raise no_answer(error, request.url.copy_with(query=None)) from error
        return response

    async def pages(self, call: Call, page: type[A]) -> AsyncIterator[A]:
        """Every page of a list, each fetched when the one before has been used up."""
        while True:
            answer = await self.send(call, page)
            yield answer
            cursor = getattr(answer, "next_cursor", None)
            if not cursor:
                return
            if cursor == call.params.get("cursor"):
                raise AnswerUnreadable(f"The list at {self.url} has no end: it goes on where it was.", status=200)
            call = call.with_params(cursor=cursor)

    async def close(self) -> None:
        await self._http.aclose()

    def _request(self, call: Call) -> httpx.Request:
        async def trace(event: str, info: object) -> None:  # noqa: ARG001 - as httpx calls it
            # A short body is handed over at once: who is interrupted then is not told any more that it has gone out.
            is_short = len(request.content) <= _SENT_AT_ONCE
            if event.endswith("send_request_body.started" if is_short else "send_request_body.complete"):
                call.tell_sent()

        extra: dict[str, Any] = {"extensions": {"trace": trace}}
        if call.body is not None:
            extra["json"] = call.body
        if call.read_timeout_s is not None:
            usual = self._http.timeout
            extra["timeout"] = httpx.Timeout(
                connect=usual.connect, write=usual.write, pool=usual.pool, read=call.read_timeout_s
            )
        request = self._http.build_request(
            call.method, f"{self.url}{call.full_path}", params=dict(call.params), headers=dict(call.headers), **extra
        )
        return request

    async def _read_and_close(self, response: httpx.Response) -> None:
        try:
            await response.aread()
        finally:
            with suppress(httpx.HTTPError):
                await response.aclose()
