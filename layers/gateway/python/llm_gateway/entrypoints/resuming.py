"""A stream that is read again, from the event after the last that its reader has."""

from contextlib import closing
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated

from starlette.requests import Request

from llm_gateway.domain.queries import LONGEST_QUEUED_S
from llm_gateway.domain.streams import Opened, Position
from llm_gateway.entrypoints.declared import Depends, FromHeader
from llm_gateway.entrypoints.http import Caller, Gateway
from llm_gateway.entrypoints.request_state import state_of
from llm_gateway.entrypoints.streaming import EventStream as EventStream
from llm_gateway.entrypoints.streaming import event_stream
from llm_gateway.errors import MalformedRequest
from llm_gateway.wire.events import LAST_ID

if TYPE_CHECKING:
    from llm_gateway.services.queries.reading import Stream


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
        left = state_of(self.request).left
        items = self.gateway.reading.resume(query_id, position, caller=self.caller, left=left.is_set)
        unread = items if last is None else _after_the_opening(items)
        silence_s = self.gateway.settings.keep_alive_s
        return event_stream(
            self.request,
            self._named(unread, query_id),
            start=position or Position(),
            silence_s=silence_s,
            # The head waits until somebody works on the query: that nobody does is a problem with a status of its own.
            patience_s=LONGEST_QUEUED_S + silence_s,
        )

    def _named(self, items: "Stream", query_id: str) -> "Stream":
        """`items`, with the query's id in the head once it turns out to be one."""
        with closing(items):
            for item in items:
                state_of(self.request).query_id = query_id
                yield item


def _after_the_opening(items: "Stream") -> "Stream":
    """A reader that names any event has read the first."""
    with closing(items):
        for item in items:
            if not isinstance(item, Opened):
                yield item


def _resuming(
    request: Request, caller: Caller, gateway: Gateway, last_event_id: Annotated[str | None, FromHeader()] = None
) -> _Resuming:
    return _Resuming(request=request, caller=caller, gateway=gateway, last_event_id=last_event_id)


Resuming = Annotated[_Resuming, Depends(_resuming)]
