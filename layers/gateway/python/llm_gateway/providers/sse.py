"""The body of an answer as it comes: server-sent events, or one JSON document, whichever the provider chose to send.

Servers differ in what they put around the data of their events, so nothing but the data is looked at. The form is that of
https://html.spec.whatwg.org/multipage/server-sent-events.html, and the text is UTF-8 whatever the headers say.
"""

import codecs
import re
from collections.abc import Iterable, Iterator, Sequence
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
    lines, pending = _Lines(), list[str]()
    holds_nothing = True
    for chunk in chunks:
        if holds_nothing and chunk.endswith(b"\n\n") and b"\r" not in chunk:
            # Whole events, as nearly all chunks are: nothing is kept for the next one.
            yield from filter(str.strip, map(_data_of, chunk[:-2].decode("utf-8", "replace").split("\n\n")))
            continue
        for line in lines.take(chunk):
            if line:
                pending.append(line)
            elif pending:
                data, pending = _joined(pending), []
                if data.strip():
                    yield data
        holds_nothing = not pending and lines.hold_nothing
    # The last event may come without the blank line that ends it.
    data = _joined([*pending, *lines.end()])
    if data.strip():
        yield data


def _data_of(event: str) -> str:
    """The data of an event without the blank line at its end; a blank one before it is none of its lines."""
    if event.startswith("data: ") and "\n" not in event:
        return event[6:]
    return _joined(event.split("\n"))


def _joined(lines: Iterable[str]) -> str:
    return "\n".join([line[5:].removeprefix(" ") for line in lines if line.startswith("data:") or line == "data"])


class _Lines:
    """Cuts what comes into lines, whatever they end with and wherever it is cut."""

    def __init__(self) -> None:
        self._decoder = codecs.getincrementaldecoder("utf-8")("replace")
        self._held: list[str] = []
        self._half_an_end = False

    @property
    def hold_nothing(self) -> bool:
        return not (self._half_an_end or any(self._held) or self._decoder.getstate()[0])

    def take(self, chunk: bytes) -> Sequence[str]:
        """The lines that end in `chunk`."""
        text = ("\r" if self._half_an_end else "") + self._decoder.decode(chunk)
        self._half_an_end = text.endswith("\r")
        first, *others = _END_OF_LINE.split(text[:-1] if self._half_an_end else text)
        self._held.append(first)
        if not others:
            return ()
        ended = ["".join(self._held), *others[:-1]]
        self._held = [others[-1]]
        return ended

    def end(self) -> Sequence[str]:
        """What is left of a line that nothing ended."""
        return ("".join((*self._held, self._decoder.decode(b"", final=True))),)
