"""A query's items as a streamed response, whether they are asked for now or read again."""

from collections.abc import Callable, Generator
from contextlib import closing
from functools import partial
from typing import TYPE_CHECKING, Final, NoReturn

from starlette.requests import Request

from llm_gateway.domain.streams import Opened, Position
from llm_gateway.entrypoints.problems import rendered_in_stream
from llm_gateway.entrypoints.request_state import state_of
from llm_gateway.entrypoints.sse import EventStream as EventStream
from llm_gateway.wire.events import events
from llm_gateway.wire.media_types import JSON

if TYPE_CHECKING:
    from llm_gateway.errors import GatewayError
    from llm_gateway.services.queries.reading import Stream
    from llm_gateway.wire.problems import Problem


Writer = Callable[["Stream"], Generator[bytes, None, None]]
"""Makes the events of a query's items."""

Breaker = Callable[["GatewayError", "Problem"], bytes]
"""Makes the last event of a stream that failed."""

LONGEST_HEAD_S: Final = 240
"""For how long an answer in another dialect waits for what may still go wrong, before its status and headers are sent."""


def event_stream(
    request: Request,
    items: "Stream",
    *,
    start: Position,
    silence_s: float,
    patience_s: float | None = None,
    goes_on: bool = False,
    write: Writer | None = None,
    break_off: Breaker | None = None,
) -> EventStream:
    """`items` as events that go on from `start`; a comment is sent in each silence of `silence_s`. See `EventStream`.

    `write` is there for a stream in another dialect, which always begins at the start; `break_off` where its last event, if it
    fails, depends on those before.
    """
    state = state_of(request)
    written = write or partial(events, start=start)

    def shown() -> "Stream":
        with closing(items):
            for item in items:
                if isinstance(item, Opened) and item.replayed:
                    # In time: the response's head waits for the first event.
                    stream.headers["Idempotent-Replayed"] = "true"
                yield item

    stream = EventStream(
        written(shown()),
        render=partial(rendered_in_stream, request, break_off=break_off),
        left=state.left,
        silence_s=silence_s,
        patience_s=patience_s,
        goes_on=goes_on,
    )
    return stream


def whole_answer(
    request: Request, answer: Callable[[], tuple[bytes, dict[str, str]]], *, silence_s: float
) -> EventStream:
    """The body and the headers that `answer` gives, which may take as long as a stream does.

    After `LONGEST_HEAD_S` status and headers are sent without those of the answer, and white space ahead of the body keeps the
    line alive. What fails then breaks the connection: nothing else would tell the client that there is no answer.
    """
    state = state_of(request)

    def body() -> Generator[bytes, None, None]:
        content, headers = answer()
        # In time, unless the head was sent already.
        response.headers.update(headers)
        yield content

    response = EventStream(
        body(),
        render=_break_off,
        left=state.left,
        silence_s=silence_s,
        patience_s=LONGEST_HEAD_S,
        keep_alive=b" ",
        media_type=JSON,
    )
    return response


def _break_off(error: Exception) -> NoReturn:
    raise error
