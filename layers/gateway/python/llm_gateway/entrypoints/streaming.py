"""A query's items as a streamed response, whether they are asked for now or read again."""

from contextlib import closing
from typing import TYPE_CHECKING

from starlette.requests import Request

from llm_gateway.domain.streams import Opened, Position
from llm_gateway.entrypoints.problems import as_gateway_error, problem_shown
from llm_gateway.entrypoints.request_state import state_of
from llm_gateway.entrypoints.sse import EventStream as EventStream
from llm_gateway.wire.events import error_event, events

if TYPE_CHECKING:
    from llm_gateway.services.queries.reading import Stream


def event_stream(
    request: Request,
    items: "Stream",
    *,
    start: Position,
    silence_s: float,
    patience_s: float | None = None,
    goes_on: bool = False,
) -> EventStream:
    """`items` as events that go on from `start`; a comment is sent in each silence of `silence_s`. See `EventStream`."""
    state = state_of(request)

    def render(raised: Exception) -> bytes:
        error = as_gateway_error(raised)
        state.error_code = error.code
        return error_event(problem_shown(error, request), root_path=request.scope["root_path"])

    def shown() -> "Stream":
        with closing(items):
            for item in items:
                if isinstance(item, Opened) and item.replayed:
                    # In time: the response's head waits for the first event.
                    stream.headers["Idempotent-Replayed"] = "true"
                yield item

    stream = EventStream(
        events(shown(), start=start),
        render=render,
        left=state.left,
        silence_s=silence_s,
        patience_s=patience_s,
        goes_on=goes_on,
    )
    return stream
