"""Distributions, and one line of text for each."""

import statistics
from collections.abc import Sequence
from typing import Final

HEADER: Final = f"{'':<44}{'min':>9}{'median':>9}{'p95':>9}   ms"


def line(name: str, figures_ms: Sequence[float], *, digits: int = 1) -> str:
    """`name` with the least, the middle and the 95th percentile of `figures_ms`, if there are any."""
    if not figures_ms:
        return f"{name:<44}{'-':>9}{'-':>9}{'-':>9}"
    ordered = sorted(figures_ms)
    shown = (ordered[0], statistics.median(ordered), percentile(ordered, 95))
    return f"{name:<44}" + "".join(f"{figure:9.{digits}f}" for figure in shown)


def percentile(ordered: Sequence[float], share: int) -> float:
    """The smallest of the ordered figures that at least `share` per cent of them do not exceed (nearest rank)."""
    return ordered[-(-len(ordered) * share // 100) - 1]
