"""What one query takes of AWS, by mode and size. `tests/functions/test_costs.py` counts it and holds these numbers to it."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

MODES: Final = ("sync", "async", "stream")


@dataclass(frozen=True, slots=True, kw_only=True)
class Size:
    """A kind of query. `answers_in_s` is an assumption: how long its provider takes, which a function waits for."""

    name: str
    question_bytes: int
    answer_bytes: int
    answers_in_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Workload:
    """DynamoDB's units, indexes included; objects put and got; messages sent; at most so many bytes of log."""

    writes: float
    reads: float
    puts: int = 0
    gets: int = 0
    messages: int = 0
    log_bytes: int = 0


SIZES: Final = (
    Size(name="small", question_bytes=1_000, answer_bytes=1_000, answers_in_s=2.0),
    Size(name="medium", question_bytes=20_000, answer_bytes=4_000, answers_in_s=8.0),
    Size(name="large", question_bytes=400_000, answer_bytes=20_000, answers_in_s=25.0),
)
# A line for each request, and Lambda's own three; at most.
_LOG_BYTES: Final = 2_000
# An async query is four invocations: it is accepted, worked on, and its status and its result are asked for once.
CALLS: Final[Mapping[str, int]] = {"sync": 1, "async": 3, "stream": 1}
INVOCATIONS: Final[Mapping[str, int]] = {"sync": 1, "async": 4, "stream": 1}


def _workload(mode: str, writes: float, reads: float, puts: int = 0, gets: int = 0) -> Workload:
    log_bytes = _LOG_BYTES * INVOCATIONS[mode]
    return Workload(
        writes=writes, reads=reads, puts=puts, gets=gets, messages=int(mode == "async"), log_bytes=log_bytes
    )


WORKLOADS: Final[Mapping[tuple[str, str], Workload]] = {
    ("sync", "small"): _workload("sync", 8, 1),
    ("sync", "medium"): _workload("sync", 19, 1),
    ("sync", "large"): _workload("sync", 17, 1, puts=1),
    ("async", "small"): _workload("async", 16, 7),
    ("async", "medium"): _workload("async", 47, 9),
    ("async", "large"): _workload("async", 23, 9, puts=1, gets=2),
    ("stream", "small"): _workload("stream", 12, 1),
    ("stream", "medium"): _workload("stream", 33, 1),
    ("stream", "large"): _workload("stream", 20, 1, puts=1),
}
