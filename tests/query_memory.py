"""The memory that one plain query takes while it is answered, and the memory that it leaves in use.

`python -m tests.query_memory` prints a line of JSON.
"""

import gc
import json
import sys
import tracemalloc
from pathlib import Path
from typing import Any

from tests.query_trace import ROOT, asking

_WARM_UP = 20
_QUERIES = 50
_PLACES = 5


def measured() -> dict[str, Any]:
    """`peak_bytes` is the median of the queries; `blocks` are of the last one, `kept_bytes` of each on the whole."""
    with asking() as ask:
        for _ in range(_WARM_UP):
            ask()
        tracemalloc.start(3)
        try:
            return _measured(ask)
        finally:
            tracemalloc.stop()


def _measured(ask: Any) -> dict[str, Any]:
    peaks, blocks = [], 0
    gc.collect()
    before = tracemalloc.take_snapshot()
    for _ in range(_QUERIES):
        since = tracemalloc.get_traced_memory()[0]
        tracemalloc.reset_peak()
        blocks = sys.getallocatedblocks()
        ask()
        blocks = sys.getallocatedblocks() - blocks
        peaks.append(tracemalloc.get_traced_memory()[1] - since)
    gc.collect()
    grown = [each for each in tracemalloc.take_snapshot().compare_to(before, "lineno") if _is_ours(each)]
    return {
        "peak_bytes": sorted(peaks)[len(peaks) // 2],
        "blocks": blocks,
        "kept_bytes": sum(each.size_diff for each in grown) / _QUERIES,
        "kept_at": [
            {"place": _place(each), "bytes": each.size_diff / _QUERIES}
            for each in sorted(grown, key=lambda each: -each.size_diff)[:_PLACES]
        ],
    }


def _is_ours(grown: tracemalloc.StatisticDiff) -> bool:
    return "tracemalloc" not in grown.traceback[0].filename


def _place(grown: tracemalloc.StatisticDiff) -> str:
    frame = grown.traceback[0]
    path = Path(frame.filename)
    return f"{path.relative_to(ROOT) if path.is_relative_to(ROOT) else path}:{frame.lineno}"


if __name__ == "__main__":
    sys.stdout.write(json.dumps(measured()) + "\n")
