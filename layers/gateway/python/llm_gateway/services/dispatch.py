"""Dispatch: going through a plan until somebody answers, repeating what deserves it, within one deadline."""

from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from itertools import chain
from typing import Final

from tenacity import RetryCallState, Retrying, retry_if_exception, wait_random_exponential

from llm_gateway.domain.chat import Delta
from llm_gateway.domain.providers import ProviderConfig, ProviderCredentials
from llm_gateway.errors import (
    CircuitOpen,
    GatewayError,
    NoProviderAvailable,
    ProviderAuthFailed,
    ProviderFault,
    ProviderNotConnected,
    ProviderRateLimited,
    ResponseValidationFailed,
)
from llm_gateway.ports import Clock, CredentialStore
from llm_gateway.services.calls import Answered, Calls, Course, Items
from llm_gateway.services.planning import Plan, Step
from llm_gateway.services.structured import repairing

MOST_CALLS: Final = 6
_LONGEST_WAIT_WITH_OTHERS_S: Final = 2
_BACKOFF: Final = wait_random_exponential(multiplier=0.25, max=8)


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
        steps = [step for step in plan if isinstance(step, Step)]
        for place in plan:
            if not isinstance(place, Step):
                course.attempts.append(place)
                continue
            try:
                first, rest = self._begun(place, course, whole=whole, is_last=place is steps[-1])
            except ProviderFault as fault:
                course.faults.append(fault)
                if not fault.falls_over:
                    raise
                if course.calls >= MOST_CALLS:
                    break
                continue
            yield from chain([first], rest)
            return
        raise _verdict(course.faults)

    def _begun(self, step: Step, course: Course, *, whole: bool, is_last: bool) -> tuple[Delta | Answered, Items]:
        """The candidate's first item, and the generator of the rest."""
        attempts = self._retrying(step, course, is_last=is_last)
        try:
            return attempts(self._first, step, course, whole)
        except ResponseValidationFailed as fault:
            if not whole or course.calls >= MOST_CALLS:
                raise
            repair = replace(step, chat=repairing(step.chat, fault.answer, fault.complaint))
            return self._first(repair, course, whole)

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
        return self.credentials.get(config.id, fresh=fresh) if config.credentials else None

    def _retrying(self, step: Step, course: Course, *, is_last: bool) -> Retrying:
        most_tries = step.candidate.provider.retry.max_attempts

        def stops(state: RetryCallState) -> bool:
            wait_s = state.upcoming_sleep
            too_late = self.clock.monotonic_s() + wait_s >= course.deadline_s
            too_long = not is_last and wait_s > _LONGEST_WAIT_WITH_OTHERS_S
            return state.attempt_number >= most_tries or course.calls >= MOST_CALLS or too_late or too_long

        def sleep(duration_s: float) -> None:
            started_s = self.clock.monotonic_s()
            self.clock.sleep(duration_s)
            course.waiting_s += self.clock.monotonic_s() - started_s

        return Retrying(stop=stops, wait=_wait_s, retry=retry_if_exception(_deserves_retry), sleep=sleep, reraise=True)


def _pulled(items: Items) -> tuple[Delta | Answered, Items]:
    return next(items), items


def _wait_s(state: RetryCallState) -> float:
    """Exponential with full jitter; what the provider asks for is the floor."""
    fault = state.outcome.exception() if state.outcome else None
    floor_s = (fault.retry_after_s or 0) if isinstance(fault, ProviderFault) else 0
    return max(floor_s, _BACKOFF(state))


def _deserves_retry(error: BaseException) -> bool:
    return isinstance(error, ProviderFault) and error.retryable


def _verdict(faults: Sequence[ProviderFault]) -> GatewayError:
    """The error that tells of these faults: the only one itself, or what several have in common."""
    waits = [fault.retry_after_s for fault in faults if fault.retry_after_s is not None]
    soonest_s = min(waits, default=None)
    if len(faults) == 1 and not isinstance(faults[0], CircuitOpen | ProviderNotConnected):
        return faults[0]
    if faults and all(isinstance(fault, ProviderRateLimited) for fault in faults):
        return ProviderRateLimited("Every provider that could answer is at its limit.", retry_after_s=soonest_s)
    return NoProviderAvailable("No provider that could answer did.", retry_after_s=soonest_s)
