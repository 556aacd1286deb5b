"""Leave out of compiled modules what only debuggers read: the names of their functions, and where each is in its source."""

import struct
from pathlib import Path
from typing import Final

# elf(5): the header of a 64-bit file, and one segment's.
_HEADER: Final = struct.Struct("<16sHHIQQQIHHHHHH")
_SEGMENT: Final = struct.Struct("<IIQQQQQQ")
_MAGIC: Final = b"\x7fELF\x02\x01"


def strip(file: Path) -> None:
    """Cut `file` off behind what is loaded into memory.

    The loader goes by segments. Sections, which describe the same for a linker or a debugger, and what they alone point at, stand
    behind them. The same for every processor, where `strip` knows its own. What is no such file stays as it is.
    """
    content = file.read_bytes()
    loaded = _end_of_segments(content)
    if loaded is not None and loaded < len(content):
        file.write_bytes(_without_sections(content[:loaded]))


def _end_of_segments(content: bytes) -> int | None:
    """Where the last segment ends, or None where this is no 64-bit little-endian ELF file."""
    if len(content) < _HEADER.size or not content.startswith(_MAGIC):
        return None
    _, _, _, _, _, segments_at, _, _, _, size, count, _, _, _ = _HEADER.unpack_from(content)
    if size != _SEGMENT.size or not count or segments_at + size * count > len(content):
        return None
    ends: list[int] = [segments_at + size * count]
    for number in range(count):
        _, _, offset, _, _, in_file, _, _ = _SEGMENT.unpack_from(content, segments_at + number * size)
        ends.append(offset + in_file)
    return max(ends)


def _without_sections(content: bytes) -> bytes:
    header = list(_HEADER.unpack_from(content))
    # Where the sections' table is, and behind the size of its entries: how many there are, and which of them has their names.
    header[6], header[12], header[13] = 0, 0, 0
    return _HEADER.pack(*header) + content[_HEADER.size :]
