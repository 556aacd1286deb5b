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
_OBJECT_STREAM: Final = re.compile(
    rb"/ObjStm\b[^>]{0,400}>>\s{0,4}stream\r?\n|/ObjStm\b.{0,400}?stream\r?\n", re.DOTALL
)
_MOST_INFLATED_BYTES: Final = 4_000_000
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
    told = int.from_bytes(head[28:32], "little") if head[12:16] == b"fmt " else 0
    return size_bytes / (told if told >= _SLOWEST_MP3_BYTES_PER_S else _FASTEST_WAV_BYTES_PER_S)


def _object_streams(document: bytes) -> Iterator[bytes]:
    """What newer files keep packed: the objects that pages are."""
    left = _MOST_INFLATED_BYTES
    for found in _OBJECT_STREAM.finditer(document):
        if left <= 0:
            return
        try:
            text = zlib.decompressobj().decompress(document[found.end() : found.end() + _MOST_INFLATED_BYTES], left)
        except zlib.error:
            continue
        left -= len(text)
        yield text


def _decoded(data: str) -> bytes | None:
    try:
        return b64decode(data, validate=True)
    except (NotBase64, ValueError):
        return None
