"""Progress: until when a query's answer counts, and what the query has met so far on its way to one."""

import logging
from collections.abc import Generator
from dataclasses import field, replace
from typing import TYPE_CHECKING, Final

from llm_gateway.domain.chat import ChatAnswer, Delta, Usage
from llm_gateway.domain.gates import Admission
from llm_gateway.domain.metrics import CallResult
from llm_gateway.domain.providers import Timeouts
from llm_gateway.domain.queries import Attempt, AttemptOutcome, QueryProblem
from llm_gateway.domain.query_context import ContextReport
from llm_gateway.domain.routing import Candidate, Step
from llm_gateway.errors import DeadlineExceeded, GatewayError
from llm_gateway.ports.providers import ProviderGates
from llm_gateway.ports.system import Cancelled, never
from llm_gateway.values import dataclass

_log = logging.getLogger(__name__)

if TYPE_CHECKING:
    from llm_gateway.services.queries.charge import Charge

SHORTEST_CALL_S: Final = 0.05

Pieces = Generator[Delta | ChatAnswer, None, None]
"""Deltas, where they are asked for, and then the whole answer."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Deadline:
    """Since when a query is worked on, and until when; times are of the monotonic clock.

    `timeout_s` is the limit behind that, and `whose` names it. `cancelled` tells whether its caller still wants an answer.
    """

    since_s: float
    ends_s: float
    timeout_s: float
    whose: str = "timeout_s of the query"
    cancelled: Cancelled = never

    def or_when(self, cancelled: Cancelled) -> "Deadline":
        """The deadline of a query that something else may cancel too."""
        before = self.cancelled
        return replace(self, cancelled=lambda: before() or cancelled())

    def check(self, now_s: float) -> float:
        """The seconds left, which are enough for a call. Raises `DeadlineExceeded`."""
        left_s = self.ends_s - now_s
        if left_s < SHORTEST_CALL_S:
            raise DeadlineExceeded(f"The query's time was up before a provider answered ({self.name}).")
        return left_s

    @property
    def name(self) -> str:
        """The limit and its value, for those who meet it."""
        return f"{self.whose}: {self.timeout_s:.4g} s"

    def limit(self, step: Step, *, now_s: float, kept_s: float = 0) -> Timeouts:
        """Timeouts of a call that begins now, so that `kept_s` of the time are left for others. Raises `DeadlineExceeded`."""
        left_s = max(self.check(now_s) - kept_s, SHORTEST_CALL_S)
        return step.candidate.provider.timeouts.within(left_s, streams=step.streams)


@dataclass(slots=True, kw_only=True)
class Ahead:
    """What the gate said of a candidate before its turn. An admission is taken up by its call, or else given back."""

    candidate: Candidate
    gates: ProviderGates
    outcome: Admission | GatewayError | None

    @classmethod
    def ask(cls, step: Step, gates: ProviderGates, deadline: Deadline, *, now_s: float) -> "Ahead":
        """Asks the gate for the call of `step`, which is probably made next. A refusal counts when its turn has come."""
        provider = step.candidate.provider
        outcome: Admission | GatewayError
        try:
            timeouts = deadline.limit(step, now_s=now_s)
            outcome = gates.admit(provider, tokens=step.tokens, timeout_s=timeouts.longest_s)
        except GatewayError as error:
            outcome = error
        return cls(candidate=step.candidate, gates=gates, outcome=outcome)

    def take_up(self, candidate: Candidate) -> Admission | None:
        """The admission, once, where it was for `candidate`. Raises what the gate did, once."""
        if self.candidate is not candidate:
            self.give_back()
            return None
        outcome, self.outcome = self.outcome, None
        if isinstance(outcome, GatewayError):
            raise outcome
        return outcome

    def give_back(self) -> None:
        outcome, self.outcome = self.outcome, None
        if isinstance(outcome, Admission):
            self.gates.withdraw(outcome)


@dataclass(slots=True, kw_only=True)
class Admitted:
    """A call that the gate let through, with the part of its answer that has come so far and, once it has ended, its end.

    A provider that is silent for less than `patience_s` has not failed.
    """

    candidate: Candidate
    gates: ProviderGates
    admission: Admission
    started_s: float
    patience_s: float
    generated: list[Delta] = field(default_factory=list)
    usage: Usage | None = None
    result: CallResult | None = None

    def settle(self) -> None:
        """Tells the gate how the call ended. What fails in that is no reason to refuse an answer."""
        try:
            if self.result is not None:
                self.gates.settle(self.admission, self.result)
        except Exception as error:
            _log.error("The end of a call is not noted: %s.", type(error).__qualname__)


@dataclass(slots=True, kw_only=True)
class Progress:
    """What a query has met so far. Dispatch and its calls write it; everybody else reads.

    `charge` is what it takes of its key's limits and budget. `earlier` are the calls of a queued query's tries before this one.
    `failed` are candidates, by provider and model, whose circuit has counted this query as failed. `candidate` was called last,
    with that `context` where the query has one.
    `broken_off` is the call whose answer was cut short, by the caller or on its way. `unsettled` is the call that was answered:
    the gate is told of its end beside the storing of the answer. `has_answer`: a provider's answer was whole once, whatever came
    after that; `warnings` are those of the answer itself.
    """

    deadline: Deadline
    charge: "Charge | None" = None
    ahead: Ahead | None = None
    earlier: tuple[Attempt, ...] = ()
    attempts: list[Attempt] = field(default_factory=list)
    failed: set[tuple[str, str]] = field(default_factory=set)
    calls: int = 0
    candidate: Candidate | None = None
    context: ContextReport | None = None
    provider_s: float = 0
    waiting_s: float = 0
    broken_off: Admitted | None = None
    unsettled: Admitted | None = None
    has_answer: bool = False
    warnings: tuple[str, ...] = ()

    @classmethod
    def again(cls, *, deadline: Deadline, after: QueryProblem | None) -> "Progress":
        """The start of a try, which may come after others: those ended with the problem `after`."""
        earlier = tuple(each for each in after.attempts if each.outcome is not AttemptOutcome.SKIPPED) if after else ()
        failed = {(each.provider, each.model) for each in earlier if each.outcome is AttemptOutcome.ERROR}
        return cls(deadline=deadline, earlier=earlier, failed=failed)

    @property
    def all_warnings(self) -> tuple[str, ...]:
        """The warnings of the answer and its context. The cache gives them to every request that gets the answer."""
        return (*self.warnings, *(self.context.warnings if self.context else ()))

    @property
    def all_attempts(self) -> tuple[Attempt, ...]:
        return (*self.earlier, *self.attempts)

    @property
    def answering(self) -> Candidate:
        """The candidate whose answer is coming: the one that was called last."""
        if self.candidate is None:
            raise ValueError("an answer is of a candidate that was called")
        return self.candidate
