# Written by `make openapi` from the asynchronous module of the same name; do not edit.
"""An answer that is read as it is written, and resumed where its connection broke."""

import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import replace
from types import TracebackType
from typing import Final, Self

import httpx
from pydantic import ValidationError

from llm_gateway_client import calls
from llm_gateway_client.answered import no_answer
from llm_gateway_client.answers import DeltaEvent, QueryEvent, QueryResponse
from llm_gateway_client.asked import SILENCE_S
from llm_gateway_client.calls import Call
from llm_gateway_client.errors import (
    AnswerUnreadable,
    GatewayError,
    NoAnswer,
    QueryInProgress,
    Refused,
    StreamBroken,
    refusal,
)
from llm_gateway_client.events import KINDS, EventDecoder, ServerEvent, StreamEvent
from llm_gateway_client.synchronous.transport import Transport

# Nobody waits long for the end of what they have left.
_CANCEL_S: Final = 5.0
_LONGEST_QUERY_S: Final = 900.0


class AnswerStream:
    """The events of one answer, to be used in a `with` block, and iterated once.

    `query_id` is known as soon as the block is entered, `answer` once the stream has come to its end. A connection that breaks
    is made anew, and the stream goes on after its last event. Leaving the block before the end cancels the query.
    """

    def __init__(self, transport: Transport, call: Call, *, query_id: str | None = None) -> None:
        self.query_id = query_id
        self.answer: QueryResponse | None = None
        self._transport = transport
        self._call = replace(call, read_timeout_s=SILENCE_S, tell_sent=self._note_sent)
        self._is_sent = False
        self._response: httpx.Response | None = None
        self._last_id = ""
        self._is_over = False
        # A stream that was asked for by its id is somebody else's to end.
        self._is_own = query_id is None

    def __enter__(self) -> Self:
        try:
            self._open(self._transport.respond(self._call, is_streamed=True))
        except QueryInProgress as still:
            if still.query_id is None:
                raise
            self.query_id = still.query_id
            self._resume(None, breaks=1)
        except Exception:
            raise
        except BaseException:
            # Somebody gave up before the answer began.
            self._cancel_unseen()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._close()
        if not self._is_over and self._is_own:
            self._cancel()

    def __iter__(self) -> Iterator[StreamEvent]:
        """The events. Raises the query's own problem where it fails, and `StreamBroken` where nothing more can be got."""
        breaks = 0
        while not self._is_over:
            try:
                for event in self._events():
                    breaks = 0
                    shown = self._shown(event)
                    if shown is not None:
                        yield shown
            except httpx.HTTPError as error:
                breaks += 1
                self._resume(no_answer(error, self._transport.url), breaks)
            else:
                if not self._is_over:
                    breaks += 1
                    self._resume(None, breaks)

    def text(self) -> Iterator[str]:
        """The answer's words alone, piece by piece."""
        for event in self:
            if isinstance(event, DeltaEvent):
                yield event.text

    def _events(self) -> Iterator[ServerEvent]:
        decoder = EventDecoder()
        if self._response is None:
            return
        for chunk in self._response.iter_bytes():
            for event in decoder.feed(chunk):
                self._last_id = event.id or self._last_id
                yield event

    def _shown(self, event: ServerEvent) -> StreamEvent | None:
        """What an event says; None for one of a kind that is newer than this client."""
        if event.name == "error":
            self._is_over = True
            problem = event.problem()
            status = problem.get("status")
            raise refusal(problem, status=status if isinstance(status, int) else 500)
        if event.name not in KINDS:
            return None
        try:
            shown = KINDS[event.name].model_validate_json(event.data)
        except ValidationError as error:
            raise AnswerUnreadable(f"A stream's {event.name} event cannot be read.", status=200) from error
        if isinstance(shown, QueryEvent):
            self.query_id = shown.id
        if isinstance(shown, QueryResponse):
            self.answer, self._is_over = shown, True
        return shown

    def _resume(self, cause: NoAnswer | None, breaks: int) -> None:
        """Connects anew, behind the last event."""
        self._close()
        if self.query_id is None or breaks > self._transport.retries.most + 1:
            raise StreamBroken("The stream broke before its end.", query_id=self.query_id) from cause
        headers = {"Last-Event-ID": self._last_id} if self._last_id else {}
        call = replace(calls.get("query", self.query_id, "stream"), headers=headers, read_timeout_s=SILENCE_S)
        ends_s = time.monotonic() + _LONGEST_QUERY_S
        while True:
            try:
                self._open(self._transport.respond(call, is_streamed=True))
            except QueryInProgress as still:
                if time.monotonic() > ends_s:
                    raise
                time.sleep(still.retry_after_s or 1)
            except Refused:
                self._is_over = True
                raise
            except NoAnswer as error:
                raise StreamBroken("The stream broke, and cannot be resumed.", query_id=self.query_id) from error
            else:
                return

    def _cancel_unseen(self) -> None:
        """Ends a query whose id has not been told yet: asked again under its idempotency key, the gateway tells it."""
        if not self._is_sent:
            return
        try:
            self._open(self._transport.try_once(replace(self._call, read_timeout_s=_CANCEL_S), is_streamed=True))
        except GatewayError as error:
            self.query_id = getattr(error, "query_id", None)
        self._close()
        self._cancel()

    def _cancel(self) -> None:
        if self.query_id is None:
            return
        with suppress(GatewayError):
            call = calls.post("query", self.query_id, "cancel", once=False)
            self._transport.try_once(replace(call, read_timeout_s=_CANCEL_S))

    def _note_sent(self) -> None:
        self._is_sent = True

    def _open(self, response: httpx.Response) -> None:
        self._response = response
        self.query_id = response.headers.get("X-Gateway-Query-Id") or self.query_id

    def _close(self) -> None:
        response, self._response = self._response, None
        if response is not None:
            with suppress(httpx.HTTPError):
                response.close()
