"""Values to bytes and back: JSON by their types, amounts as exact decimals, times in UTC; what is long is compressed."""

import zlib
from typing import TYPE_CHECKING, Any, Final, TypeVar

if TYPE_CHECKING:
    from pydantic import TypeAdapter

T = TypeVar("T")

_ZLIB_HEADER: Final = b"\x78"
_COMPRESSED_BYTES: Final = range(4096, 500_000)

_ADAPTERS: Final[dict[type[Any], "TypeAdapter[Any]"]] = {}


def to_json(kind: type[T], value: T, *, with_nulls: bool = True) -> bytes:
    """Without its nulls a document is read as the same value only if each field of `kind` that may be none is so by default.

    Nulls in a mapping are kept all the same: they may be what somebody said.
    """
    return _adapter(kind).dump_json(value, exclude_none=not with_nulls)


def from_json(kind: type[T], document: bytes | str) -> T:
    """Raises ValueError for a document that is no `kind`, without quoting it: it may be a secret."""
    adapter = _adapter(kind)
    try:
        return adapter.validate_json(document)
    except ValueError as fault:
        raise ValueError(f"stored {kind.__name__} cannot be read: {_places_in(fault)}") from None


def _places_in(fault: ValueError) -> list[tuple[Any, str]]:
    from pydantic import ValidationError

    if not isinstance(fault, ValidationError):
        raise fault
    return [(error["loc"], error["type"]) for error in fault.errors(include_input=False, include_url=False)]


def pack(document: bytes) -> bytes:
    """`document`, compressed where that makes an item cheaper; a longer one goes to S3, where it would only cost time."""
    # What begins like zlib's header must not be taken for compressed. No JSON does.
    compressed = len(document) in _COMPRESSED_BYTES or document.startswith(_ZLIB_HEADER)
    return zlib.compress(document, level=1) if compressed else document


def unpack(packed: bytes) -> bytes:
    """What was packed."""
    return zlib.decompress(packed) if packed.startswith(_ZLIB_HEADER) else packed


def _adapter(kind: type[T]) -> "TypeAdapter[T]":
    """Made on first use: a cold start that reads no query need not build a query's."""
    made = _ADAPTERS.get(kind)
    if made is None:
        from pydantic import TypeAdapter

        made = _ADAPTERS[kind] = TypeAdapter(kind)
    return made
