"""Dispatch: going through a plan until somebody answers, repeating what deserves it, within one deadline."""

import random
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from typing import Final

from llm_gateway.domain.chat import ChatAnswer, Delta
from llm_gateway.domain.faults import (
    CallCancelled,
    CircuitOpen,
    ProviderAuthFailed,
    ProviderFault,
    ProviderRejected,
    ResponseValidationFailed,
)
from llm_gateway.domain.providers import ProviderConfig, ProviderCredentials
from llm_gateway.domain.queries import AttemptOutcome
from llm_gateway.domain.routing import Draw, Plan, Step
from llm_gateway.errors import (
    ContextWindowExceeded,
    DependencyUnavailable,
    GatewayError,
    Unprocessable,
    UnsupportedParameter,
)
from llm_gateway.ports.providers import CredentialStore
from llm_gateway.ports.system import Clock
from llm_gateway.services.output.structured import repairing
from llm_gateway.services.queries.calls import Calls
from llm_gateway.services.queries.progress import SHORTEST_CALL_S, Pieces, Progress
from llm_gateway.services.queries.verdict import Judge
from llm_gateway.values import dataclass

MOST_CALLS: Final = 6
_KEPT_PART: Final = 0.1
_MOST_KEPT_S: Final = 5
_SHORT_WAIT_S: Final = 2
_LOOK_EVERY_S: Final = 0.25
# These say nothing about the next candidate; other errors are the query's own.
_OF_ONE_CANDIDATE: Final = (ProviderFault, DependencyUnavailable, UnsupportedParameter, ContextWindowExceeded)

Begun = tuple[Delta | ChatAnswer, Pieces]
"""The first item of an answer, and the generator of the rest."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Dispatcher:
    """Order, repetition and the deadline; `Calls` makes each call."""

    calls: Calls
    credentials: CredentialStore
    clock: Clock
    draw: Draw = random.random

    def ask(self, plan: Plan, progress: Progress) -> ChatAnswer:
        """The first answer that comes. Raises the only candidate's own `ProviderFault`; of several, `ProviderRateLimited` where
        all are at a limit, otherwise `NoProviderAvailable`; `DeadlineExceeded` once the time is up."""
        with closing(self.stream(plan, progress)) as items:
            for item in items:
                if isinstance(item, ChatAnswer):
                    return item
        raise RuntimeError("a dispatch ended without an answer")

    def stream(self, plan: Plan, progress: Progress) -> Pieces:
        """Deltas as they come, then the answer. Raises as `ask` does; once something came, nobody else is asked any more."""
        faults: list[GatewayError] = []
        for number, step in enumerate(plan):
            if not isinstance(step, Step):
                progress.attempts.append(step)
                continue
            if _is_passed_over(step, progress):
                continue
            try:
                first, rest = self._begin(step, progress, others=plan[number + 1 :])
            except _OF_ONE_CANDIDATE as fault:
                _note(fault, step, progress, into=faults)
                if progress.calls >= MOST_CALLS:
                    break
                continue
            with closing(rest):
                yield first
                yield from rest
            return
        raise Judge(gates=self.calls.gates, clock=self.clock).verdict(plan, faults, progress.attempts)

    def _begin(self, step: Step, progress: Progress, *, others: Plan) -> Begun:
        """Asks one candidate, as often as it deserves, and once more to mend an answer of the wrong form."""
        kept_s = self._kept_s(progress, others) if others and not step.streams else 0
        try:
            return self._try(step, progress, others, kept_s=kept_s)
        except ResponseValidationFailed as fault:
            if step.streams or progress.calls >= MOST_CALLS:
                raise
            repair = replace(step, chat=repairing(step.chat, fault.answer, fault.complaint))
            try:
                return self._call(repair, progress, kept_s=kept_s)
            except (ProviderRejected, Unprocessable):
                # The provider refused the turn that complains, and that turn is none of the caller's.
                raise fault from None

    def _try(self, step: Step, progress: Progress, others: Plan, *, kept_s: float) -> Begun:
        """Tries again what deserves it, after a wait."""
        most_tries = step.candidate.provider.retry.max_attempts
        before: ProviderFault | None = None
        tries = 0
        while True:
            tries += 1
            try:
                return self._call(step, progress, kept_s=kept_s)
            except ProviderFault as fault:
                wait_s = fault.wait_s(tries, self.draw())
                is_last = not fault.retryable or tries >= most_tries or progress.calls >= MOST_CALLS
                if is_last or not self._is_worth_waiting(wait_s, progress, others):
                    if before is not None and isinstance(fault, CircuitOpen):
                        # The failure that opened the circuit is the answer.
                        raise before from None
                    raise
                before = fault
            self._wait(wait_s, progress)

    def _call(self, step: Step, progress: Progress, *, kept_s: float) -> Begun:
        """Makes one call, and one more where the credentials have been renewed in the meantime."""
        config = step.candidate.provider
        credentials = self._credentials(config)
        try:
            return _pull(self.calls.call(step, progress, credentials, kept_s=kept_s))
        except ProviderAuthFailed:
            renewed = self._credentials(config, fresh=True)
            if renewed == credentials or progress.calls >= MOST_CALLS:
                raise
            return _pull(self.calls.call(step, progress, renewed, kept_s=kept_s))

    def _credentials(self, config: ProviderConfig, *, fresh: bool = False) -> ProviderCredentials | None:
        note, secret = config.credentials, config.secret
        return self.credentials.get(secret, changed_at=note.updated_at, fresh=fresh) if note and secret else None

    def _wait(self, duration_s: float, progress: Progress) -> None:
        """Raises `CallCancelled` soon after the query is cancelled."""
        started_s, cancelled = self.clock.monotonic_s(), progress.deadline.cancelled
        while (left_s := started_s + duration_s - self.clock.monotonic_s()) > 0 and not cancelled():
            self.clock.sleep(min(left_s, _LOOK_EVERY_S))
        progress.waiting_s += self.clock.monotonic_s() - started_s
        if cancelled():
            raise CallCancelled("The query was cancelled before it was tried again.")

    def _is_worth_waiting(self, wait_s: float, progress: Progress, others: Plan) -> bool:
        """Whether to wait for the candidate that was tried last: in time for its answer, and no longer than others deserve."""
        in_time = self.clock.monotonic_s() + wait_s + SHORTEST_CALL_S < progress.deadline.ends_s
        refused_by_gate = progress.attempts[-1].outcome is AttemptOutcome.SKIPPED
        others_left = any(_left(others, progress))
        if refused_by_gate and others_left:
            return False
        return in_time and (wait_s <= _SHORT_WAIT_S or not (refused_by_gate or others_left))

    def _kept_s(self, progress: Progress, others: Plan) -> float:
        """The part of the time left that a provider that hangs may not use up where the caller counts on a fallback."""
        if not any(step.candidate.awaited for step in _left(others, progress)):
            return 0
        return min((progress.deadline.ends_s - self.clock.monotonic_s()) * _KEPT_PART, _MOST_KEPT_S)


def _note(fault: GatewayError, step: Step, progress: Progress, *, into: list[GatewayError]) -> None:
    """Notes that a candidate failed. Raises the fault where nobody else is to be asked."""
    of_request = isinstance(fault, UnsupportedParameter) and step.candidate.named
    if of_request or (isinstance(fault, ProviderFault) and not fault.falls_over):
        raise fault
    if isinstance(fault, DependencyUnavailable):
        progress.attempts.append(step.candidate.skipped(fault))
    if step.candidate.spare and progress.calls:
        # It was called in the place of those before it: theirs is not the answer.
        into.clear()
    into.append(fault)


def _left(others: Plan, progress: Progress) -> Iterator[Step]:
    """Who could still be asked."""
    return (step for step in others if isinstance(step, Step) and not _is_passed_over(step, progress))


def _is_passed_over(step: Step, progress: Progress) -> bool:
    """Whether the step's turn is over before it came: it is spare and not needed, or it had its turn as a spare one."""
    if not progress.attempts:
        return False
    asked = step.candidate.provider.id, step.candidate.model.name
    had = any((tried.provider, tried.model) == asked for tried in progress.attempts)
    return had or (step.candidate.spare and progress.calls > 0)


def _pull(items: Pieces) -> Begun:
    return next(items), items
