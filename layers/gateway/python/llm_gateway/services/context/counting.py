"""Counts of texts that are kept: the same document comes with many queries, and is counted once."""

from collections import OrderedDict
from dataclasses import dataclass, field
from hashlib import blake2b
from threading import Lock
from typing import Final

from llm_gateway.domain.tokens import TokenRange
from llm_gateway.ports.providers import TokenCounter

# Each takes about 200 bytes.
MOST_KEPT: Final = 16_384
# Shorter texts are counted as quickly as they are looked up.
_WORTH_KEEPING: Final = 256


@dataclass(frozen=True, slots=True)
class KeptCounts:
    """A `TokenCounter` before another one; keeps the counts of the texts that were used last, by a hash of their content."""

    counter: TokenCounter
    _kept: OrderedDict[bytes, TokenRange] = field(default_factory=OrderedDict)
    _lock: Lock = field(default_factory=Lock)

    def count(self, text: str, encoding: str) -> TokenRange:
        if len(text) < _WORTH_KEEPING:
            return self.counter.count(text, encoding)
        key = blake2b(text.encode("utf-8", "surrogatepass"), digest_size=16, person=encoding.encode()[:16]).digest()
        with self._lock:
            if (kept := self._kept.get(key)) is not None:
                self._kept.move_to_end(key)
                return kept
        counted = self.counter.count(text, encoding)
        with self._lock:
            self._kept[key] = counted
            if len(self._kept) > MOST_KEPT:
                self._kept.popitem(last=False)
        return counted
