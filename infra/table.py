"""Tables that AWS would refuse, some of them only when half of a deployment is done, are refused here, at synthesis."""

from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence

from llm_gateway.access import Endpoint, Row

from infra.deployment import LONGEST_NAME, Stage

# Seconds that API Gateway waits for a whole answer, and for the end of a stream; a Lambda runs no longer than that either.
BUFFERED_LIMIT_S, STREAM_LIMIT_S = 29, 900
_LAMBDA_LIMIT_S = 900
_FUNCTION_NAME_LIMIT = 64
_LONGEST_ROW_NAME = _FUNCTION_NAME_LIMIT - LONGEST_NAME - max(len(f"-{stage}-") for stage in Stage)


class UndeployableTable(ValueError):
    """A table with rows that AWS does not take; the message names them all."""


def check_table(rows: Sequence[Row]) -> None:
    """Raises UndeployableTable."""
    endpoints = [row for row in rows if isinstance(row, Endpoint)]
    found = [*_repeated(rows, endpoints), *_two_variables(endpoints), *_overlong(rows), *_long_names(rows)]
    if found:
        raise UndeployableTable("The endpoint table cannot be deployed:\n" + "\n".join(f"- {fault}" for fault in found))


def _repeated(rows: Sequence[Row], endpoints: Sequence[Endpoint]) -> Iterator[str]:
    names = Counter(row.name for row in rows)
    routes = Counter(f"{row.method} {row.path}" for row in endpoints)
    for name, times in (names + routes).items():
        if times > 1:
            yield f"{name} is there {times} times."


def _two_variables(endpoints: Sequence[Endpoint]) -> Iterator[str]:
    """API Gateway takes one variable under a parent: `/x/{a}` and `/x/{b}/y` cannot both be there."""
    below: dict[str, set[str]] = defaultdict(set)
    for row in endpoints:
        steps = row.path.split("/")
        for depth, step in enumerate(steps):
            if step.startswith("{"):
                below["/".join(steps[:depth])].add(step)
    for parent, variables in below.items():
        if len(variables) > 1:
            yield f"{parent}/ goes on with {' and '.join(sorted(variables))}; one name is wanted."


def _overlong(rows: Sequence[Row]) -> Iterator[str]:
    for row in rows:
        limit_s = _limit_s(row)
        if not 1 <= row.timeout_s <= limit_s:
            yield f"{row.name} has a timeout of {row.timeout_s} s; from 1 to {limit_s} can be had."


def _long_names(rows: Sequence[Row]) -> Iterator[str]:
    for row in rows:
        if len(row.name) > _LONGEST_ROW_NAME:
            yield f"{row.name} has {len(row.name)} characters; a name has {_LONGEST_ROW_NAME} at most."


def _limit_s(row: Row) -> int:
    if not isinstance(row, Endpoint):
        return _LAMBDA_LIMIT_S
    return STREAM_LIMIT_S if row.streams else BUFFERED_LIMIT_S
