"""Dispatch: going through a plan until somebody answers, repeating what deserves it, within one deadline."""

from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from typing import Final

from tenacity import RetryCallState, Retrying, retry_if_exception, wait_random_exponential

from llm_gateway.domain.chat import Delta
from llm_gateway.domain.faults import (
    CallCancelled,
    CallTooLarge,
    CircuitOpen,
    ProviderAuthFailed,
    ProviderFault,
    ProviderNotConnected,
    ProviderRateLimited,
    ProviderRejected,
    ResponseValidationFailed,
)
from llm_gateway.domain.providers import ProviderConfig, ProviderCredentials
from llm_gateway.domain.queries import Attempt, AttemptOutcome
from llm_gateway.domain.routing import Plan, Step
from llm_gateway.errors import (
    ContextWindowExceeded,
    DependencyUnavailable,
    GatewayError,
    NoProviderAvailable,
    Unprocessable,
    UnsupportedParameter,
)
from llm_gateway.ports.providers import CredentialStore
from llm_gateway.ports.system import Clock
from llm_gateway.services.output.structured import repairing
from llm_gateway.services.queries.calls import SHORTEST_CALL_S, Calls, skipped
from llm_gateway.services.queries.progress import Answered, Course, Items

MOST_CALLS: Final = 6
_KEPT_PART: Final = 0.25
_MOST_KEPT_S: Final = 10
_SHORT_WAIT_S: Final = 2
_LOOK_EVERY_S: Final = 0.25
_BACKOFF: Final = wait_random_exponential(multiplier=0.25, max=8)
# What says nothing about the next candidate; other errors are the query's own.
_OF_ONE_CANDIDATE: Final = (ProviderFault, DependencyUnavailable, UnsupportedParameter, ContextWindowExceeded)


@dataclass(frozen=True, slots=True, kw_only=True)
class Dispatcher:
    """Order, repetition and the deadline; `Calls` makes each call."""

    calls: Calls
    credentials: CredentialStore
    clock: Clock

    def ask(self, plan: Plan, course: Course) -> Answered:
        """The first answer that comes. Raises the only candidate's own `ProviderFault`; of several, `ProviderRateLimited` where
        all are at a limit, otherwise `NoProviderAvailable`; `DeadlineExceeded` once the time is up."""
        with closing(self._dispatched(plan, course, whole=True)) as items:
            for item in items:
                if isinstance(item, Answered):
                    return item
        raise RuntimeError("a dispatch ended without an answer")

    def stream(self, plan: Plan, course: Course) -> Items:
        """Deltas as they come, then the answer. Raises as `ask` does; once something came, nobody else is asked any more."""
        return self._dispatched(plan, course, whole=False)

    def _dispatched(self, plan: Plan, course: Course, *, whole: bool) -> Items:
        try:
            yield from self._asked_in_turn(plan, course, whole=whole)
        finally:
            self.calls.withdraw(course)

    def _asked_in_turn(self, plan: Plan, course: Course, *, whole: bool) -> Items:
        for number, place in enumerate(plan):
            if not isinstance(place, Step):
                course.attempts.append(place)
                continue
            if _is_passed_over(place, course):
                continue
            others = plan[number + 1 :]
            course.kept_s = self._kept_s(course, others) if whole else 0
            try:
                first, rest = self._begun(place, course, whole=whole, others=others)
            except _OF_ONE_CANDIDATE as fault:
                self._note(fault, place, course)
                if course.calls >= MOST_CALLS:
                    break
                continue
            with closing(rest):
                yield first
                yield from rest
            return
        raise self._verdict(plan, course)

    def _note(self, fault: GatewayError, step: Step, course: Course) -> None:
        """Notes that a candidate failed. Raises the fault where nobody else is to be asked."""
        of_request = isinstance(fault, Unprocessable) and step.candidate.named
        if of_request or (isinstance(fault, ProviderFault) and not fault.falls_over):
            raise fault
        if isinstance(fault, DependencyUnavailable):
            course.attempts.append(skipped(step, fault))
        if step.candidate.spare and course.calls:
            # It was called in the place of those before it: theirs is not the answer.
            course.faults.clear()
        course.faults.append(fault)

    def _begun(self, step: Step, course: Course, *, whole: bool, others: Plan) -> tuple[Delta | Answered, Items]:
        """The candidate's first item, and the generator of the rest."""
        failed: list[BaseException] = []
        attempts = self._retrying(step, course, others, into=failed)
        try:
            return attempts(self._first, step, course, whole)
        except CircuitOpen:
            if not failed:
                raise
            # It is what failed until then that closed the gate, and that is the answer.
            raise failed[-1] from None
        except ResponseValidationFailed as fault:
            if not whole or course.calls >= MOST_CALLS:
                raise
            repair = replace(step, chat=repairing(step.chat, fault.answer, fault.complaint))
            try:
                return self._first(repair, course, whole)
            except (ProviderRejected, Unprocessable):
                # What was refused is the turn that complains, which is none of the caller's.
                raise fault from None

    def _first(self, step: Step, course: Course, whole: bool) -> tuple[Delta | Answered, Items]:
        config = step.candidate.provider
        credentials = self._credentials(config)
        try:
            return _pulled(self.calls.call(step, course, credentials, whole=whole))
        except ProviderAuthFailed:
            renewed = self._credentials(config, fresh=True)
            if renewed == credentials or course.calls >= MOST_CALLS:
                raise
            return _pulled(self.calls.call(step, course, renewed, whole=whole))

    def _credentials(self, config: ProviderConfig, *, fresh: bool = False) -> ProviderCredentials | None:
        note = config.credentials
        return self.credentials.get(config.id, changed_at=note.updated_at, fresh=fresh) if note else None

    def _retrying(self, step: Step, course: Course, others: Plan, *, into: list[BaseException]) -> Retrying:
        """Tries again what deserves it, noting what failed."""
        most_tries = step.candidate.provider.retry.max_attempts

        def stops(state: RetryCallState) -> bool:
            tried_enough = state.attempt_number >= most_tries or course.calls >= MOST_CALLS
            return tried_enough or not self._is_worth_waiting(state.upcoming_sleep, course, others)

        def sleep(duration_s: float) -> None:
            started_s = self.clock.monotonic_s()
            while (left_s := started_s + duration_s - self.clock.monotonic_s()) > 0 and not course.cancelled():
                self.clock.sleep(min(left_s, _LOOK_EVERY_S))
            course.waiting_s += self.clock.monotonic_s() - started_s
            if course.cancelled():
                raise CallCancelled("The query was cancelled before it was tried again.")

        def note(state: RetryCallState) -> None:
            fault = state.outcome.exception() if state.outcome else None
            into.extend([fault] if fault else [])

        return Retrying(
            stop=stops,
            wait=_wait_s,
            retry=retry_if_exception(_deserves_retry),
            before_sleep=note,
            sleep=sleep,
            reraise=True,
        )

    def _is_worth_waiting(self, wait_s: float, course: Course, others: Plan) -> bool:
        """Whether to wait for the candidate that was tried last: in time for its answer, and no longer than others deserve."""
        in_time = self.clock.monotonic_s() + wait_s + SHORTEST_CALL_S < course.deadline_s
        refused_by_gate = course.attempts[-1].outcome is AttemptOutcome.SKIPPED
        others_left = _are_left(others, course)
        if refused_by_gate and others_left:
            return False
        return in_time and (wait_s <= _SHORT_WAIT_S or not (refused_by_gate or others_left))

    def _kept_s(self, course: Course, others: Plan) -> float:
        """The part of the time left that one who hangs may not use up, as long as others could still answer."""
        left_s = course.deadline_s - self.clock.monotonic_s()
        # A spare one's turn does not come after a call.
        needed = [place for place in others if isinstance(place, Step) and not place.candidate.spare]
        return min(left_s * _KEPT_PART, _MOST_KEPT_S) if _are_left(needed, course) else 0

    def _verdict(self, plan: Plan, course: Course) -> GatewayError:
        """The error that tells of what was met: the only candidate's own, or what several have in common."""
        unfit = Unprocessable | CallTooLarge
        faults = [fault for fault in course.faults if not isinstance(fault, unfit)] or course.faults[:1]
        alone = faults[0] if len(faults) == 1 else None
        if alone and not isinstance(alone, CircuitOpen | ProviderNotConnected):
            return alone
        if all(isinstance(fault, DependencyUnavailable) for fault in faults):
            return faults[0]
        soonest_s = self._soonest_s(faults, plan)
        if all(isinstance(fault, ProviderRateLimited) for fault in faults):
            return ProviderRateLimited("Every provider that could answer is at its limit.", retry_after_s=soonest_s)
        return NoProviderAvailable("No provider that could answer did.", retry_after_s=soonest_s)

    def _soonest_s(self, faults: Sequence[GatewayError], plan: Plan) -> float | None:
        """When the first of those that failed can be asked again; None where one can be at once, as far as is known."""
        book = {step.candidate.provider.id: step.candidate.provider for step in plan if isinstance(step, Step)}
        waits = [max(fault.retry_after_s or 0, self._closed_s(book.get(_provider(fault)))) for fault in faults]
        return min(waits, default=0) or None

    def _closed_s(self, config: ProviderConfig | None) -> float:
        """How long the provider's gate stays closed; 0 where it is open, or nobody can tell."""
        try:
            opens_at = self.calls.gates.state(config).retry_at if config else None
        except DependencyUnavailable:
            return 0
        return (opens_at - self.clock.now()).total_seconds() if opens_at else 0


def _are_left(others: Sequence[Step | Attempt], course: Course) -> bool:
    return any(isinstance(place, Step) and not _is_passed_over(place, course) for place in others)


def _is_passed_over(step: Step, course: Course) -> bool:
    """Whether the step's turn is over before it came: it is spare and not needed, or it had its turn as a spare one."""
    had = any((tried.provider, tried.model) == _asked(step) for tried in course.attempts)
    return had or (step.candidate.spare and course.calls > 0)


def _asked(step: Step) -> tuple[str, str]:
    return step.candidate.provider.id, step.candidate.model.name


def _provider(fault: GatewayError) -> str:
    return (fault.provider or "") if isinstance(fault, ProviderFault) else ""


def _pulled(items: Items) -> tuple[Delta | Answered, Items]:
    return next(items), items


def _wait_s(state: RetryCallState) -> float:
    """Exponential with full jitter; what the provider asks for is the floor."""
    fault = state.outcome.exception() if state.outcome else None
    floor_s = (fault.retry_after_s or 0) if isinstance(fault, ProviderFault) else 0
    return max(floor_s, _BACKOFF(state))


def _deserves_retry(error: BaseException) -> bool:
    return isinstance(error, ProviderFault) and error.retryable
