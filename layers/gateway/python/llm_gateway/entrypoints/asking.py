"""A query on its way in: who asks, since when, under which idempotency key, and whether the client still waits."""

from contextlib import closing
from dataclasses import dataclass
from typing import Annotated

from fastapi import Depends, Header
from starlette.requests import Request

from llm_gateway.domain.idempotency import Idempotency
from llm_gateway.domain.queries import QueryRequest
from llm_gateway.domain.streams import Opened, Position
from llm_gateway.entrypoints.http import Caller, Gateway
from llm_gateway.entrypoints.idempotency import IdempotencyKey
from llm_gateway.entrypoints.problems import as_gateway_error, problem_of
from llm_gateway.entrypoints.replies import QueryReply as QueryReply
from llm_gateway.entrypoints.replies import answered
from llm_gateway.entrypoints.sse import EventStream as EventStream
from llm_gateway.errors import MalformedRequest
from llm_gateway.services.queries.asking import Stream
from llm_gateway.services.queries.states import Asked
from llm_gateway.wire.events import LAST_ID, error_event, events


@dataclass(frozen=True, slots=True)
class _Asking:
    request: Request
    caller: Caller
    gateway: Gateway
    idempotency: Idempotency | None

    def run(self, query: QueryRequest) -> QueryReply:
        """The answer, or for an asynchronous query the promise of one."""
        queries = self.gateway.queries
        run = queries.accept if query.mode == "async" else queries.run
        return answered(run(self._asked(query)), request=self.request)

    def stream(self, query: QueryRequest) -> EventStream:
        """The answer as it comes."""
        items = self.gateway.queries.stream(self._asked(query))
        return event_stream(self.request, items, start=Position(), gateway=self.gateway)

    def _asked(self, query: QueryRequest) -> Asked:
        state = self.request.state
        return Asked(
            request=query,
            caller=self.caller,
            received_s=state.received_s,
            idempotency=self.idempotency,
            cancelled=state.left.is_set,
        )


@dataclass(frozen=True, slots=True)
class _Resuming:
    request: Request
    caller: Caller
    gateway: Gateway
    last_event_id: str | None

    def stream(self, query_id: str) -> EventStream:
        """What the client has not read yet. Raises `MalformedRequest` for an event id that no stream has."""
        last = self.last_event_id
        position = Position() if last is None else None if last == LAST_ID else Position.parse(last)
        if position is None and last != LAST_ID:
            raise MalformedRequest("Last-Event-ID is not an id of this stream: send the last one that was read.")
        items = self.gateway.queries.resume(query_id, position, caller=self.caller, left=self.request.state.left.is_set)
        unread = items if last is None else _after_the_opening(items)
        return event_stream(self.request, unread, start=position or Position(), gateway=self.gateway)


def _after_the_opening(items: Stream) -> Stream:
    """Who names any event has read the first."""
    with closing(items):
        for item in items:
            if not isinstance(item, Opened):
                yield item


def event_stream(request: Request, items: Stream, *, start: Position, gateway: Gateway) -> EventStream:
    state = request.state

    def render(raised: Exception) -> bytes:
        error = as_gateway_error(raised)
        state.error_code = error.code
        return error_event(problem_of(error, request_id=state.request_id))

    def shown() -> Stream:
        with closing(items):
            for item in items:
                if isinstance(item, Opened) and item.replayed:
                    # In time: the response's head waits for the first event.
                    stream.headers["Idempotent-Replayed"] = "true"
                yield item

    silence_s = gateway.settings.keep_alive_s
    stream = EventStream(events(shown(), start=start), render=render, left=state.left, silence_s=silence_s)
    return stream


async def _asking(request: Request, caller: Caller, gateway: Gateway, idempotency: IdempotencyKey) -> _Asking:
    return _Asking(request=request, caller=caller, gateway=gateway, idempotency=idempotency)


async def _resuming(
    request: Request, caller: Caller, gateway: Gateway, last_event_id: Annotated[str | None, Header()] = None
) -> _Resuming:
    return _Resuming(request=request, caller=caller, gateway=gateway, last_event_id=last_event_id)


Asking = Annotated[_Asking, Depends(_asking)]
Resuming = Annotated[_Resuming, Depends(_resuming)]
