"""What the door knows of a request while it is under way: one typed value in the request's ASGI scope."""

import threading
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from llm_gateway.access import Dialect
from llm_gateway.correlation import Correlation

if TYPE_CHECKING:
    from collections.abc import Callable

    from starlette.requests import Request

    from llm_gateway.domain.accounts import Room
    from llm_gateway.domain.keys import Caller

PLACE: Final = "llm_gateway.request"
ASKED_MS: Final = "llm_gateway.asked_ms"
"""Where a door leaves in the scope when the request reached the platform, in milliseconds since 1970."""
API_REQUEST_ID: Final = "llm_gateway.api_request_id"
"""Where a door leaves in the scope what the platform calls the request: in its own log, and in answers of its own."""
ALONE: Final = "llm_gateway.alone"
"""Where a door leaves in the scope that no other request is served meanwhile, and that no client can be seen to leave."""


@dataclass(slots=True, kw_only=True)
class RequestState(Correlation):
    """`received_s` is a time of the monotonic clock, `left` is set once the client is gone, `caller` is None until a key was
    checked, `dialect` is whose words the answer has, `query_id` is the query that the request made or reads, `error_code` and
    `error_status` are those of the problem that it met, `room` what the limit of the caller's key leaves, and `called` tells what
    the request's own dialect calls a query's field."""

    request_id: str
    received_s: float
    left: threading.Event = field(default_factory=threading.Event)
    caller: "Caller | None" = None
    dialect: Dialect = Dialect.NATIVE
    error_code: str | None = None
    error_status: int = 0
    room: "Room | None" = None
    called: "Callable[[str], str] | None" = None


def state_of(request: "Request") -> RequestState:
    """The state that `Observed` gave the request."""
    state: RequestState = request.scope[PLACE]
    return state
