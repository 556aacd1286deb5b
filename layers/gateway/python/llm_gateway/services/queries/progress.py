"""A query's course: what it meets on its way from one candidate to the next, and what is left to do at its end."""

from collections.abc import Callable, Generator
from dataclasses import dataclass, field
from typing import Any

from llm_gateway.domain.chat import ChatAnswer, Delta, Usage
from llm_gateway.domain.gates import Admission
from llm_gateway.domain.queries import Attempt
from llm_gateway.domain.routing import Candidate, Step
from llm_gateway.errors import GatewayError
from llm_gateway.ports.system import Cancelled, never


@dataclass(frozen=True, slots=True, kw_only=True)
class Answered:
    """A whole answer that was found valid, and whose it is. `json` is its parsed form where JSON was asked for."""

    candidate: Candidate
    answer: ChatAnswer
    json: Any


Items = Generator[Delta | Answered, None, None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Ahead:
    """How the gate met a step that was let through (or not) before its turn."""

    step: Step
    outcome: Admission | GatewayError


@dataclass(slots=True, kw_only=True)
class Call:
    """A call under way: what has come so far, and what that costs once it is known."""

    step: Step
    admission: Admission
    started_s: float
    generated: list[Delta] = field(default_factory=list)
    usage: Usage | None = None


@dataclass(slots=True, kw_only=True)
class Course:
    """What a query has met on its way so far; times are of the monotonic clock.

    `cancelled` tells whether its caller still wants an answer. `settlements` are the writes that can wait until the answer
    is stored, and are then made beside that. `broken_off` is the call whose answer was cut short, by the caller or on its way,
    `candidate` whoever was called last. `kept_s` of the time are for those who are still to be asked.
    """

    since_s: float
    deadline_s: float
    kept_s: float = 0
    cancelled: Cancelled = never
    attempts: list[Attempt] = field(default_factory=list)
    faults: list[GatewayError] = field(default_factory=list)
    settlements: list[Callable[[], None]] = field(default_factory=list)
    calls: int = 0
    candidate: Candidate | None = None
    provider_s: float = 0
    waiting_s: float = 0
    broken_off: Call | None = None
    ahead: Ahead | None = None
