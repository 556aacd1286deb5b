"""A request whose body is there whole: bounded while it is read, parsed and validated once, strictly."""

from typing import TYPE_CHECKING, Any, Final

from starlette.requests import Request
from starlette.types import Receive, Scope

from llm_gateway.errors import MalformedRequest, PayloadTooLarge, UnsupportedMediaType

if TYPE_CHECKING:
    from llm_gateway.wire.schema import Incoming

MOST_BODY_BYTES: Final = 4 * 1024 * 1024


class ReadRequest(Request):
    """`content` are the bytes of its body, `read_body` is the body as the route's schema has it; None where there is none."""

    def __init__(self, scope: Scope, receive: Receive) -> None:
        super().__init__(scope, receive)
        self.content = b""
        self.read_body: Incoming | None = None
        self._document: Any = None

    def document(self) -> Any:
        """The body's JSON value, once it was read; None where the route takes no body."""
        return self._document

    async def receive_body(self) -> None:
        """Waits for the body. Raises `PayloadTooLarge` as soon as it is longer than `MOST_BODY_BYTES`."""
        # FastAPI's own limit answers in plain text, ahead of every handler of ours.
        content = bytearray()
        if not self._declares_too_much():
            async for chunk in self.stream():
                content += chunk
                if len(content) > MOST_BODY_BYTES:
                    break
            else:
                self.content = bytes(content)
                return
        raise PayloadTooLarge(f"The body is longer than {MOST_BODY_BYTES} bytes.")

    def read_as(self, schema: "type[Incoming]", *, required: bool) -> None:
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
        from llm_gateway.entrypoints.json_body import parsed_json
        from llm_gateway.entrypoints.validation import validated

        self._document = parsed_json(self.content)
        self.read_body = validated(schema, self._document)

    def _declares_too_much(self) -> bool:
        declared = self.headers.get("Content-Length", "")
        return declared.isdecimal() and (len(declared) > 9 or int(declared) > MOST_BODY_BYTES)
