"""The command line for the audit log: `python -m llm_gateway.entrypoints.audit verify`."""

import argparse
import json
import sys
from collections.abc import Callable, Sequence

from llm_gateway.bootstrap import Gateway
from llm_gateway.entrypoints.composition import gateway_at_start
from llm_gateway.entrypoints.stack_outputs import add_stack_argument, adopt
from llm_gateway.errors import GatewayError
from llm_gateway.services.audit.trail import Verdict


def gateway_with_audit_log() -> Gateway:
    """The gateway of this process, or its end: with the variable that is not set."""
    gateway = gateway_at_start()
    if not gateway.settings.audit_table:
        raise SystemExit(
            "Not set: AUDIT_TABLE. Name the deployment's data stack with --stack, or set it to its output."
        )
    return gateway


def main(arguments: Sequence[str] | None = None, *, gateway: Callable[[], Gateway] = gateway_with_audit_log) -> int:
    """Reads the whole audit log, its exported days and its anchors (where AUDIT_BUCKET is set), and tells as JSON whether it is
    whole. Ends with 1 where an entry was changed, removed, reordered, added or cut off, and says which is the first; with 2
    where the log cannot be read."""
    parser = argparse.ArgumentParser(prog="python -m llm_gateway.entrypoints.audit", description=main.__doc__)
    add_stack_argument(parser)
    parser.add_subparsers(required=True).add_parser("verify", help="prove that nobody touched the log")
    adopt(parser.parse_args(arguments).stack)
    try:
        verdict = gateway().audit_trail.verify()
    except GatewayError as error:
        sys.stderr.write(f"{error.title}: {error.detail}\n")
        return 2
    sys.stdout.write(json.dumps(_shown(verdict)) + "\n")
    if verdict.finding is None:
        return 0
    sys.stderr.write(f"{verdict.finding.entry_id} was {verdict.finding.said}.\n")
    return 1


def _shown(verdict: Verdict) -> dict[str, object]:
    finding, head = verdict.finding, verdict.head
    return {
        "whole": finding is None,
        "entries": verdict.entries,
        "exported": verdict.exported,
        "anchors": verdict.anchors,
        "head": {"id": head.id, "hash": head.hash} if head else None,
        "first_wrong": {"id": finding.entry_id, "wrong": finding.wrong, "detail": finding.detail} if finding else None,
    }


if __name__ == "__main__":
    sys.exit(main())
