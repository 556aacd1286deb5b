"""`python3 -m workshop ROOM…` readies what a verb of the Makefile needs; does nothing where that is done already."""

import argparse
import sys

from workshop import auditors, clients, environment, localstack, locks, model_server, node, profiler, site
from workshop.steps import Failure, Steps

ROOMS = {
    "python": environment.prepare,
    "model": model_server.prepare,
    "cdk": node.prepare_cdk,
    "docs": site.prepare,
    "localstack": localstack.prepare,
    "clients": clients.prepare,
    "audit": auditors.prepare,
    "profiler": profiler.prepare,
}


def main() -> int:
    """Ready the rooms that the arguments name, or write the locks."""
    parser = argparse.ArgumentParser(prog="workshop", description=__doc__)
    parser.add_argument("rooms", nargs="+", choices=ROOMS, metavar="ROOM", help=f"one of {', '.join(ROOMS)}")
    parser.add_argument("--lock", action="store_true", help="write the hashed locks")
    parser.add_argument(
        "--upgrade", action="store_true", help="with --lock: take the newest versions that pyproject.toml allows"
    )
    arguments = parser.parse_args()
    steps = Steps()
    try:
        for room in arguments.rooms:
            ROOMS[room](steps)
        if arguments.lock:
            locks.write(steps, upgrade=arguments.upgrade)
    except Failure as failure:
        print(f"\n{failure}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130
    return 0


sys.exit(main())
