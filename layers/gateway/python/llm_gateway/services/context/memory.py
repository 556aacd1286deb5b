"""What was worked out for a context, kept for the next query with the same one. It holds places in texts, and no text."""

from collections import OrderedDict
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from hashlib import sha256
from threading import Lock
from typing import Any, Final, TypeVar, cast

T = TypeVar("T")

MOST_WEIGHT: Final = 50_000
"""Of all that is kept: places in texts, each of about 200 bytes."""


@dataclass(slots=True)
class Memory:
    """What was used longest ago is forgotten first."""

    most: int = MOST_WEIGHT
    weight: int = 0
    _kept: OrderedDict[bytes, tuple[Any, int]] = field(default_factory=OrderedDict)
    _lock: Lock = field(default_factory=Lock)

    def recall(self, key: bytes, make: Callable[[], T], *, weight: Callable[[T], int]) -> T:
        """What is kept under `key`, or what `make` makes, which is kept from now on. What `make` raises is not."""
        with self._lock:
            if key in self._kept:
                self._kept.move_to_end(key)
                return cast(T, self._kept[key][0])
        made = make()
        with self._lock:
            if key not in self._kept:
                self._kept[key] = made, weight(made)
                self.weight += weight(made)
            while self.weight > self.most:
                self.weight -= self._kept.popitem(last=False)[1][1]
        return made


def digest_of(parts: Iterable[object]) -> bytes:
    """A hash over the parts, each told apart from its neighbours."""
    digest = sha256()
    for part in parts:
        # A text is told apart from what is written like it: "None" from None.
        text = b'"' + part.encode("utf-8", "surrogatepass") if isinstance(part, str) else repr(part).encode()
        digest.update(len(text).to_bytes(8))
        digest.update(text)
    return digest.digest()
