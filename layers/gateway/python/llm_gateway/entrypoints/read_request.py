"""A request whose body is there whole: bounded while it is read, and parsed once, strictly."""

from typing import Any, Final

from starlette.requests import Request

from llm_gateway.errors import MalformedRequest, PayloadTooLarge, UnsupportedMediaType

MOST_BODY_BYTES: Final = 4 * 1024 * 1024


class ReadRequest(Request):
    """FastAPI asks it for the body, and gets what was read and checked here."""

    def __init__(self, request: Request, *, content: bytes) -> None:
        super().__init__(request.scope, request.receive)
        self._content = content
        self._document: Any = None

    async def body(self) -> bytes:
        return self._content

    async def json(self) -> Any:
        """The body's value, once it was parsed."""
        return self._document

    def parse(self) -> None:
        """Raises `MalformedRequest` or `UnsupportedMediaType` for a body that is not JSON."""
        if not self._content.strip():
            raise MalformedRequest("The body is empty: send a JSON object.")
        media_type = self.headers.get("Content-Type", "").partition(";")[0].strip().lower()
        if media_type != "application/json":
            raise UnsupportedMediaType("Send the body as application/json.")
        if self.headers.get("Content-Encoding", "identity").strip().lower() != "identity":
            raise UnsupportedMediaType("Send the body as it is: no Content-Encoding is taken.")
        from llm_gateway.entrypoints.json_body import parsed_json

        self._document = parsed_json(self._content)


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
