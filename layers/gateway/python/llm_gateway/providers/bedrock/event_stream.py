"""The framing of Bedrock's streams, `application/vnd.amazon.eventstream`, read by botocore's own decoder, which checks every CRC.

Each message becomes the JSON text of the union that Converse's stream is documented as: `{"contentBlockDelta": {…}}`. What fails
in mid-stream becomes `{"error": {"type": …, "told": {…}}}`.
"""

import json
from collections.abc import Iterable, Iterator
from struct import error as StructError  # noqa: N812
from typing import Any, Final

from botocore.eventstream import EventStreamBuffer, ParserError

from llm_gateway.domain.faults import ProviderResponseInvalid

CONTENT_TYPE: Final = "application/vnd.amazon.eventstream"

# What the decoder raises for bytes that are no message, or for headers of no known kind.
_UNREADABLE: Final = (ParserError, StructError, LookupError, ValueError)
# A prelude of twelve bytes and a CRC of four.
_SHORTEST: Final = 16


def records(chunks: Iterable[bytes]) -> Iterator[str]:
    """The messages in `chunks`. Raises `ProviderResponseInvalid` for one that is broken; half of one at the end says nothing."""
    buffer = EventStreamBuffer()
    for chunk in chunks:
        buffer.add_data(chunk)
        while (message := _next(buffer)) is not None:
            yield _record(message.headers, message.payload)


def _next(buffer: EventStreamBuffer) -> Any:
    try:
        message: Any = next(buffer, None)
    except _UNREADABLE as error:
        raise ProviderResponseInvalid("The provider's stream has a broken message.") from error
    if message is not None and message.prelude.total_length < _SHORTEST:
        raise ProviderResponseInvalid("The provider's stream has a message that is shorter than any.")
    return message


def _record(headers: dict[str, Any], payload: bytes) -> str:
    kind, body = headers.get(":message-type"), payload.decode("utf-8", "replace") or "{}"
    if kind == "error":
        # Its name and what it says are headers.
        kind, body = "exception", json.dumps({"message": str(headers.get(":error-message", ""))})
        headers = {":exception-type": headers.get(":error-code")}
    name = json.dumps(str(headers.get(f":{kind}-type", "")))
    return f'{{"error": {{"type": {name}, "told": {body}}}}}' if kind == "exception" else f"{{{name}: {body}}}"
