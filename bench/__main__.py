"""`python -m bench`: prints what the gateway takes beside a direct call and a bare FastAPI app, cold starts, warm calls, a
hundred queries at once, what a key's account costs, hostile bodies, what contexts take, and how well personal data is found.

A whole run writes the tables of docs/deployment.md and the README's line; it fails where a part could not be measured, and
judges nothing else.
"""

import argparse
import datetime as dt
import signal
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

from llm_gateway.endpoints import ROWS

from bench import published
from bench.floor import Times
from bench.report import PARTS, Run, measured
from bench.table import Row

FELT: Final = (
    *("get_health", "list_providers", "get_prompt", "get_query_result", "run_query"),
    *("process_query", "bury_query"),
)
"""Functions of every kind: those that a whole run starts cold."""


# One table has the rows of these.
_BESIDE: Final = ("floor", "paced", "memory", "idle")


def main() -> int:
    """Measure what the arguments say."""
    arguments = _arguments()
    # Ended from outside, it still ends what it started.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    chosen = [name for name in PARTS if getattr(arguments, name)] or (["cold"] if arguments.functions else [])
    functions = arguments.functions or ([row.name for row in ROWS] if chosen else FELT)
    with tempfile.TemporaryDirectory(prefix="llm-gateway-bench-") as folder:
        times = Times(rounds=arguments.rounds)
        run = Run(
            scratch=Path(folder),
            functions=functions,
            starts=arguments.runs,
            calls=arguments.calls,
            times=times,
            is_whole=not chosen,
        )
        rows: dict[str, Sequence[Row]] = {}
        try:
            for name, found in measured(run, chosen or tuple(PARTS)):
                rows[name] = found
                if not chosen:
                    _publish(name, rows)
        except KeyboardInterrupt:
            return 130
    failed = [name for name in chosen or PARTS if name not in rows]
    if failed:
        print(f"\nNot measured: {', '.join(failed)}; see above.", file=sys.stderr)
    return 1 if failed else 0


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="bench", description=__doc__)
    parser.add_argument("--runs", type=int, default=15, help="cold starts of each function")
    parser.add_argument("--calls", type=int, default=200, help="warm calls of each kind")
    parser.add_argument("--rounds", type=int, default=5, help="turns of each server beside the floor")
    for name, part in PARTS.items():
        parser.add_argument(f"--{name}", action="store_true", help=f"this alone: {part.__doc__}")
    parser.add_argument("functions", nargs="*", help="functions to start cold")
    arguments = parser.parse_args()
    every = [row.name for row in ROWS]
    if unknown := set(arguments.functions).difference(every):
        parser.error(f"no such function: {', '.join(sorted(unknown))} (there are {', '.join(every)})")
    return arguments


def _publish(name: str, rows: Mapping[str, Sequence[Row]]) -> None:
    """Write what the part `name` completes into the pages: later parts may take long, or be broken off."""
    today = dt.datetime.now(dt.UTC).date()
    if name in _BESIDE and rows.keys() >= set(_BESIDE):
        published.write_beside([row for part in _BESIDE for row in rows[part]], today)
    elif name == "cold":
        published.write_cold(rows[name], today)


sys.exit(main())
