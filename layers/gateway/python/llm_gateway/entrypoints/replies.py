"""What a handler returns, and the response that it becomes."""

from dataclasses import field
from http import HTTPStatus
from typing import Any, Final, Generic, TypeVar

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from llm_gateway.endpoints import BASE_PATH
from llm_gateway.entrypoints.prefix import address
from llm_gateway.errors import PayloadTooLarge
from llm_gateway.values import dataclass
from llm_gateway.wire.schema import Outgoing, Tagged, served_under

# Of the 6 MB that a Lambda may return, with room for status and headers.
MOST_ANSWER_BYTES: Final = 6 * 1024 * 1024 - 16 * 1024

B = TypeVar("B", covariant=True)


@dataclass(frozen=True, slots=True)
class Reply(Generic[B]):
    """An answer with more to it than a body: its status (None: the table's) and headers."""

    body: B
    status: int | None = None
    headers: dict[str, str] = field(default_factory=dict)


def response_of(returned: Any, *, status: int, asked: Request) -> Response:
    """What a handler returned as the response to the request `asked`, with `status` where it names none itself."""
    reply = returned if isinstance(returned, Reply) else Reply(returned)
    status = reply.status or status
    match reply.body:
        case Response():
            return reply.body
        case Outgoing():
            content = reply.body.model_dump_json(by_alias=True, context=served_under(asked.scope["root_path"]))
            _check_length(content, reply.body, asked)
            return Response(content, status, _headers(reply.body, status, asked) | reply.headers, "application/json")
        case None:
            return Response(status_code=status, headers=reply.headers)
        case _:
            return JSONResponse(reply.body, status, reply.headers)


def _check_length(content: str, body: Outgoing, asked: Request) -> None:
    """Raises `PayloadTooLarge` for what Lambda cannot return at once: everywhere, so that a move to Lambda breaks nothing."""
    # Lambda's answer is JSON once more, around this one.
    length = len(content.encode()) + content.count('"') + content.count("\\")
    if length <= MOST_ANSWER_BYTES:
        return
    query_id = getattr(body, "id", "{query_id}")
    too_large = PayloadTooLarge(
        f"The answer is stored, but longer than the {MOST_ANSWER_BYTES} bytes that can be sent at once: "
        f"read it as a stream at {address(asked, f'{BASE_PATH}/query/{query_id}/stream')}."
    )
    too_large.query_id = query_id
    raise too_large


def _headers(body: Outgoing, status: int, asked: Request) -> dict[str, str]:
    """What a resource says of itself: its revision, and where it is once it was made."""
    if not isinstance(body, Tagged):
        return {}
    made = {"Location": address(asked, body.own_path())} if status == HTTPStatus.CREATED else {}
    return {"ETag": body.etag()} | made
