"""How much a provider's answer may be, counted after it was unpacked: what a stranger sends is bounded before it is looked at."""

import zlib
from collections.abc import Iterable, Iterator
from typing import Final

MOST_BYTES: Final = 32 * 1024 * 1024
MOST_VALUES: Final = 4_000_000
MOST_CALLS: Final = 128
MOST_THOUGHTS: Final = 256
MOST_ANNOTATIONS: Final = 1000
LONGEST_CALL_NAME: Final = 64
LONGEST_CALL_ID: Final = 512
LONGEST_MODEL_NAME: Final = 256

_PIECE_BYTES: Final = 65_536
# By zlib's own reading of the header: gzip or zlib.
_EITHER_HEADER: Final = 47
_INFLATED: Final = ("gzip", "x-gzip", "deflate")


class AnswerOutOfBounds(Exception):
    """The answer is larger than any answer may be, or packed as nobody asked for."""


def unpacked(chunks: Iterable[bytes], encoding: str) -> Iterator[bytes]:
    """The body in `chunks` without its Content-Encoding, in small pieces. Raises `AnswerOutOfBounds`, and `zlib.error`."""
    read = 0
    for piece in _decoded(chunks, encoding.strip().lower()):
        read += len(piece)
        if read > MOST_BYTES:
            raise AnswerOutOfBounds(f"more than {MOST_BYTES} bytes")
        yield piece


def _decoded(chunks: Iterable[bytes], encoding: str) -> Iterator[bytes]:
    if encoding in ("", "identity"):
        return iter(chunks)
    if encoding in _INFLATED:
        return _inflated(chunks)
    raise AnswerOutOfBounds("an encoding that was not asked for")


def _inflated(chunks: Iterable[bytes]) -> Iterator[bytes]:
    """A body may be several streams in a row. A few bytes can hold gigabytes, so no call unpacks more than a piece."""
    inflate = zlib.decompressobj(_EITHER_HEADER)
    for chunk in chunks:
        packed = chunk
        while packed:
            yield inflate.decompress(packed, _PIECE_BYTES)
            packed = inflate.unconsumed_tail
            if inflate.eof:
                packed, inflate = inflate.unused_data, zlib.decompressobj(_EITHER_HEADER)
