"""Documents and recordings that a query brings along: whether the bytes are what they say, and how much there is of them.

Nothing here reads a whole format: pages and seconds are bounds for a reservation, and the provider counts for itself.
"""

import re
import zlib
from base64 import b64decode
from binascii import Error as NotBase64
from collections.abc import Iterator
from functools import lru_cache
from typing import Final, Literal

# Readers look for the mark within the first kilobyte: ISO 32000-1, implementation note 13.
_PDF_HEAD_BYTES: Final = 1024
_PAGE: Final = re.compile(rb"/Type\s*/Page(?![a-zA-Z])")
_COUNT: Final = re.compile(rb"/Count\s+(\d{1,7})(?!\d)")
_OBJECT_STREAM: Final = re.compile(rb"/ObjStm\b")
_STREAM: Final = re.compile(rb"stream\r?\n")
_STREAM_WITHIN_BYTES: Final = 400
_MOST_INFLATED_BYTES: Final = 4_000_000
# Read again and again, a document of nothing but beginnings would take minutes.
_MOST_PACKED_BYTES: Final = 8_000_000
_CHUNK_BYTES: Final = 1_024
# A page takes no fewer bytes than this, even packed.
_LEAST_PAGE_BYTES: Final = 10
_WAV_HEAD_BYTES: Final = 44
# The slowest that MPEG audio can be: 8 kbit/s.
_SLOWEST_MP3_BYTES_PER_S: Final = 1_000
_FASTEST_WAV_BYTES_PER_S: Final = 8_000

AudioFormat = Literal["wav", "mp3"]


def fault_in_pdf(data: str) -> str | None:
    """Why `data` is no PDF in base64, as a sentence; None where it is one."""
    head = _decoded(data)
    if head is None:
        return "is not base64"
    return None if b"%PDF-" in head[:_PDF_HEAD_BYTES] else "is no PDF: its bytes do not begin with %PDF-"


def fault_in_audio(data: str, kind: AudioFormat) -> str | None:
    """Why `data` is no recording of this `kind` in base64, as a sentence; None where it is one."""
    found = _decoded(data)
    if found is None:
        return "is not base64"
    if kind == "wav":
        is_it = len(found) >= _WAV_HEAD_BYTES and found[:4] == b"RIFF" and found[8:12] == b"WAVE"
    else:
        # A tag, or the eleven bits that begin a frame.
        is_it = found[:3] == b"ID3" or (len(found) > 1 and found[0] == 0xFF and found[1] & 0xE0 == 0xE0)
    return None if is_it else f"is no {kind}: its bytes do not begin as one"


@lru_cache(maxsize=8)
def pdf_pages(data: str) -> int:
    """About how many pages the PDF in base64 has, rather too many than too few; at least 1."""
    document = _decoded(data) or b""
    texts = (document, *_object_streams(document))
    pages = sum(len(_PAGE.findall(text)) for text in texts)
    told = max((int(count) for text in texts for count in _COUNT.findall(text)), default=0)
    return max(1, min(pages or told, len(document) // _LEAST_PAGE_BYTES))


def audio_s(data: str, kind: AudioFormat) -> float:
    """For how long the recording in base64 may last at most, in seconds."""
    size_bytes = len(data) * 3 / 4
    if kind == "mp3":
        return size_bytes / _SLOWEST_MP3_BYTES_PER_S
    # The byte rate, where a plain header has it: http://soundfile.sapp.org/doc/WaveFormat/
    head = _decoded(data[:64]) or b""
    samples_a_s, told, align = (int.from_bytes(head[at:end], "little") for at, end in ((24, 28), (28, 32), (32, 34)))
    is_plain = head[12:16] == b"fmt " and told == samples_a_s * align and told >= _SLOWEST_MP3_BYTES_PER_S
    return size_bytes / (told if is_plain else _FASTEST_WAV_BYTES_PER_S)


def _object_streams(document: bytes) -> Iterator[bytes]:
    """What newer files keep packed: the objects that pages are."""
    packed, left = _MOST_PACKED_BYTES, _MOST_INFLATED_BYTES
    for begin in _stream_begins(document):
        text, read = _inflated(document, begin, most=left)
        packed, left = packed - read, left - len(text)
        yield text
        if packed <= 0 or left <= 0:
            return


def _stream_begins(document: bytes) -> Iterator[int]:
    last = -1
    for named in _OBJECT_STREAM.finditer(document):
        found = _STREAM.search(document, named.end(), named.end() + _STREAM_WITHIN_BYTES)
        if found and found.end() > last:
            last = found.end()
            yield last


def _inflated(document: bytes, begin: int, *, most: int) -> tuple[bytes, int]:
    """What is packed from `begin` on, as far as it can be unpacked, and how many bytes that took."""
    inflater, parts, at, room = zlib.decompressobj(), list[bytes](), begin, most
    while at < len(document) and room > 0 and not inflater.eof:
        try:
            parts.append(inflater.decompress(document[at : at + _CHUNK_BYTES], room))
        except zlib.error:
            break
        at, room = at + _CHUNK_BYTES, room - len(parts[-1])
    return b"".join(parts), at - begin


def _decoded(data: str) -> bytes | None:
    try:
        return b64decode(data, validate=True)
    except (NotBase64, ValueError):
        return None
