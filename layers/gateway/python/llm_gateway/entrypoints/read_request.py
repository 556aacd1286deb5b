"""A request whose body is there whole: bounded while it is read, parsed and validated once, strictly."""

from typing import TYPE_CHECKING, Any, Final

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request

from llm_gateway.errors import MalformedRequest, PayloadTooLarge, UnsupportedMediaType

if TYPE_CHECKING:
    from llm_gateway.wire.schema import Incoming

MOST_BODY_BYTES: Final = 4 * 1024 * 1024
# A thread costs a smaller body more time than it takes, and a larger one would keep all other requests waiting.
_LARGE_BYTES: Final = 64 * 1024


class ReadRequest(Request):
    """FastAPI asks it for the body, and gets what was read and checked here."""

    def __init__(self, request: Request, *, content: bytes) -> None:
        super().__init__(request.scope, request.receive)
        self.content = content
        self._document: Any = None
        self._read: Incoming | None = None

    async def body(self) -> bytes:
        return self.content

    async def json(self) -> Any:
        """What FastAPI takes for the body. An instance of the route's schema it leaves as it is."""
        return self._read

    def document(self) -> Any:
        """The body's JSON value, once it was read; None where the route takes no body."""
        return self._document

    async def read_as(self, schema: "type[Incoming]", *, required: bool) -> None:
        """Reads the body as the schema has it. Raises `MalformedRequest`, `UnsupportedMediaType` or `ValidationFailed`.

        There may be no body where it is not `required`.
        """
        if not self.content.strip():
            if not required:
                return
            raise MalformedRequest("The body is empty: send a JSON object.")
        media_type = self.headers.get("Content-Type", "").partition(";")[0].strip().lower()
        if media_type != "application/json":
            raise UnsupportedMediaType("Send the body as application/json.")
        if self.headers.get("Content-Encoding", "identity").strip().lower() != "identity":
            raise UnsupportedMediaType("Send the body as it is: no Content-Encoding is taken.")
        if len(self.content) > _LARGE_BYTES:
            self._read = await run_in_threadpool(self._read_as, schema)
        else:
            self._read = self._read_as(schema)

    def _read_as(self, schema: "type[Incoming]") -> "Incoming":
        from llm_gateway.entrypoints.json_body import parsed_json
        from llm_gateway.entrypoints.validation import validated

        self._document = parsed_json(self.content)
        return validated(schema, self._document)


async def read(request: Request) -> ReadRequest:
    """Reads the body, once. Raises `PayloadTooLarge` as soon as it is longer than `MOST_BODY_BYTES`."""
    # FastAPI's own limit answers in plain text, ahead of every handler of ours.
    content = bytearray()
    if not _declares_too_much(request):
        async for chunk in request.stream():
            content += chunk
            if len(content) > MOST_BODY_BYTES:
                break
        else:
            return ReadRequest(request, content=bytes(content))
    raise PayloadTooLarge(f"The body is longer than {MOST_BODY_BYTES} bytes.")


def _declares_too_much(request: Request) -> bool:
    declared = request.headers.get("Content-Length", "")
    return declared.isdecimal() and (len(declared) > 9 or int(declared) > MOST_BODY_BYTES)
