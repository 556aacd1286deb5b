"""A sketch of how many figures are distributed: small, and sketches of several processes add up to the sketch of them all.

This is DDSketch (Masson, Rim, Lee: "DDSketch: A Fast and Fully-Mergeable Quantile Sketch with Relative-Error Guarantees", VLDB
2019, section 2). With the accuracy a and g = (1 + a) / (1 - a), bucket i counts the figures above g^(i-1) and up to g^i; each of
them is told as 2 g^i / (g + 1), which is at most a times its own size away from it.
"""

from dataclasses import field
from math import ceil, log
from typing import Final

from llm_gateway.values import dataclass

ACCURACY: Final = 0.01
"""The greatest relative error of a quantile."""

_GAMMA: Final = (1 + ACCURACY) / (1 - ACCURACY)
_LOG_GAMMA: Final = log(_GAMMA)


@dataclass(slots=True, kw_only=True)
class Sketch:
    """`counts` has the figures by bucket, `zeros` those that are not above zero."""

    counts: dict[int, int] = field(default_factory=dict)
    zeros: int = 0

    @property
    def total(self) -> int:
        return self.zeros + sum(self.counts.values())

    def add(self, figure: float) -> None:
        if figure <= 0:
            self.zeros += 1
            return
        bucket = _bucket(figure)
        self.counts[bucket] = self.counts.get(bucket, 0) + 1

    def merge(self, other: "Sketch") -> None:
        self.zeros += other.zeros
        for bucket, count in other.counts.items():
            self.counts[bucket] = self.counts.get(bucket, 0) + count

    def above(self, figure: float) -> int:
        """How many figures are above `figure`, which is itself above zero; those too near to be told apart do not count."""
        nearest = _bucket(figure)
        return sum(count for bucket, count in self.counts.items() if bucket > nearest)

    def quantile(self, share: float) -> float | None:
        """The figure that `share` (0 to 1) of all figures do not exceed; None where there are none."""
        if self.total == 0:
            return None
        rank, passed = share * (self.total - 1), self.zeros
        if rank < passed:
            return 0.0
        for bucket in sorted(self.counts):
            passed += self.counts[bucket]
            if rank < passed:
                break
        return 2 * _GAMMA**bucket / (_GAMMA + 1)


def _bucket(figure: float) -> int:
    return ceil(log(figure) / _LOG_GAMMA)
