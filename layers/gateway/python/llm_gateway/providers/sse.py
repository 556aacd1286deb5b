"""The body of an answer as it comes: server-sent events, or one JSON document, whichever the provider chose to send.

Servers differ in what they put around the data of their events, so nothing but the data is looked at. The form is that of
https://html.spec.whatwg.org/multipage/server-sent-events.html, and the text is UTF-8 whatever the headers say.
"""

import codecs
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import chain
from typing import Final

_END_OF_LINE: Final = re.compile(r"\r\n|\n|\r")
# White space and the bytes of a byte order mark: neither starts anything.
_NOTHING_YET: Final = b" \t\r\n\xef\xbb\xbf"


@dataclass(frozen=True, slots=True)
class Document:
    """A body that is one JSON text."""

    data: bytes


Event = str | Document
"""The data of a server-sent event, or the whole body."""


def events(chunks: Iterable[bytes]) -> Iterator[Event]:
    """What a body holds: one `Document` where it begins as a JSON object or list, otherwise the data of its events."""
    chunks = iter(chunks)
    head = next((begun for chunk in chunks if (begun := chunk.lstrip(_NOTHING_YET))), b"")
    body = chain((head,), chunks)
    return iter((Document(b"".join(body)),)) if head.startswith((b"{", b"[")) else _data(body)


def _data(chunks: Iterable[bytes]) -> Iterator[str]:
    """The data of each event that has any: comments, names, ids and `retry` say nothing here."""
    lines: list[str] = []
    # The last event may come without the blank line that ends it.
    for line in chain(_lines(chunks), ("",)):
        if line:
            field, _, value = line.partition(":")
            if field == "data":
                lines.append(value.removeprefix(" "))
            continue
        data, lines = "\n".join(lines), []
        if data.strip():
            yield data


def _lines(chunks: Iterable[bytes]) -> Iterator[str]:
    decoder = codecs.getincrementaldecoder("utf-8")("replace")
    held: list[str] = []
    half_an_end = False
    for chunk in chunks:
        text = ("\r" if half_an_end else "") + decoder.decode(chunk)
        half_an_end = text.endswith("\r")
        first, *others = _END_OF_LINE.split(text[:-1] if half_an_end else text)
        held.append(first)
        if others:
            yield "".join(held)
            yield from others[:-1]
            held = [others[-1]]
    yield "".join((*held, decoder.decode(b"", final=True)))
