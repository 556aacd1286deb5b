"""The circuit breaker: a provider that keeps failing is left alone for a while, then asked once, and asked again if that works.

Closed → open after `failure_threshold` queries that failed in a row, or when half of at least 20 of a minute failed;
open → half-open after `cooldown_s`; half-open → closed when its one trial succeeds, → open again when that fails. A trial that
never reports is replaced once its time is up. `generation` counts openings: a call from before the last one says nothing about
today's provider.
"""

from enum import StrEnum
from typing import Final

from llm_gateway.domain.faults import (
    ProviderAuthFailed,
    ProviderFailed,
    ProviderResponseInvalid,
    ProviderTimeout,
    ProviderUnreachable,
)
from llm_gateway.domain.limits import duration_ns
from llm_gateway.domain.metrics import CallResult
from llm_gateway.domain.providers import CircuitPolicy
from llm_gateway.domain.writes import (
    Above,
    Absent,
    Add,
    AtMost,
    Change,
    Equal,
    Item,
    Put,
    Remove,
    Write,
    number,
    text,
)
from llm_gateway.errors import GatewayError
from llm_gateway.values import dataclass

RATIO_CALLS: Final = 20
RATIO: Final = 0.5

_FAILURES: Final = (ProviderUnreachable, ProviderFailed, ProviderResponseInvalid, ProviderTimeout, ProviderAuthFailed)


class CircuitState(StrEnum):
    CLOSED = "closed"
    OPEN = "open"
    HALF_OPEN = "half_open"


class Verdict(StrEnum):
    """What a call says about its provider. One that met a limit, was cancelled, or was itself at fault says nothing."""

    SUCCESS = "success"
    FAILURE = "failure"
    NOTHING = "nothing"


def verdict_of(result: CallResult) -> Verdict:
    if result.fault is not None:
        return Verdict.FAILURE if is_failure(result.fault) else Verdict.NOTHING
    return Verdict.NOTHING if result.cancelled else Verdict.SUCCESS


def is_failure(fault: GatewayError) -> bool:
    """Whether a call that met `fault` speaks against its provider."""
    return isinstance(fault, _FAILURES)


@dataclass(frozen=True, slots=True, kw_only=True)
class Circuit:
    """A circuit as it is stored; times in ns since 1970. It is closed where there is no `retry_at_ns`."""

    failures: int = 0
    generation: int | None = None
    retry_at_ns: int | None = None
    trial: str | None = None
    trial_until_ns: int = 0

    @classmethod
    def of(cls, item: Item) -> "Circuit":
        return cls(
            failures=number(item, "failures") or 0,
            generation=number(item, "generation"),
            retry_at_ns=number(item, "retry_at"),
            trial=text(item, "trial"),
            trial_until_ns=number(item, "trial_until") or 0,
        )

    def state(self, *, now_ns: int) -> CircuitState:
        if self.retry_at_ns is None:
            return CircuitState.CLOSED
        return CircuitState.OPEN if self.retry_at_ns > now_ns else CircuitState.HALF_OPEN

    def wait_ns(self, *, now_ns: int) -> int:
        """How long until a call may pass; 0 means now."""
        return max(0, max(self.retry_at_ns or 0, self.trial_until_ns if self.trial else 0) - now_ns)

    def trips(self, policy: CircuitPolicy, tally: Item) -> bool:
        """Whether so much has failed that the circuit has to open: in a row, or of a minute's calls as `tallying` counts them."""
        calls, failures = (number(tally, name) or 0 for name in _tallies(self.generation))
        mostly = calls >= RATIO_CALLS and failures >= RATIO * calls
        return self.retry_at_ns is None and (self.failures >= policy.failure_threshold or mostly)


def passing(circuit: Circuit, *, call_id: str, now_ns: int, until_ns: int) -> Write:
    """The write that lets a call pass: nothing but a condition while closed, the one trial otherwise."""
    if circuit.retry_at_ns is None:
        return Write((Absent("retry_at"),))
    return Write(
        (Above("retry_at", 0), AtMost("retry_at", now_ns), AtMost("trial_until", now_ns)),
        (Put("trial", call_id), Put("trial_until", until_ns)),
    )


def recording(
    circuit: Circuit,
    verdict: Verdict,
    *,
    call_id: str,
    generation: int | None,
    repeats: bool,
    policy: CircuitPolicy,
    now_ns: int,
    heard: bool,
) -> Write:
    """The write that notes how a call ended; `generation` is the circuit's when the call was let through.

    A failure that `repeats` an earlier one of the same query is no new one: the circuit counts queries.

    A success where no failure is known of, and one was `heard` of in this minute, says nothing new, and writes nothing. Whether
    something failed since the circuit was looked at, the minute's tally tells: see `ends_row`.
    """
    if circuit.trial == call_id:
        return Write((Equal("trial", call_id),), (*_after_trial(verdict, policy, now_ns), *_ended_trial()))
    if verdict is Verdict.SUCCESS:
        return Write() if heard and not circuit.failures else ending_row()
    if verdict is Verdict.FAILURE and circuit.generation == generation and not repeats:
        same = Absent("generation") if generation is None else Equal("generation", generation)
        return Write((same,), (Add("failures", 1),))
    return Write()


def tallying(verdict: Verdict, *, generation: int | None, repeats: bool) -> Write:
    """The write that counts a call into its minute, apart from those of another generation.

    A query is counted once: where its call `repeats` one that was counted as a failure, a success takes that back.
    """
    calls, failures = _tallies(generation)
    if repeats and verdict is Verdict.SUCCESS:
        return Write((), (Add(failures, -1),))
    if repeats or verdict is Verdict.NOTHING:
        return Write()
    return Write((), (Add(calls, 1), *([Add(failures, 1)] if verdict is Verdict.FAILURE else [])))


def ends_row(tally: Item, *, generation: int | None) -> bool:
    """Whether a success has failures before it that count as a row until `ending_row` is written."""
    _, failures = _tallies(generation)
    return bool(number(tally, failures))


def ending_row() -> Write:
    """The write that a success ends a row of failures with."""
    return Write((), (Put("failures", 0),))


def opening(*, policy: CircuitPolicy, now_ns: int) -> Write:
    """The write that opens a closed circuit."""
    retry_at_ns = now_ns + duration_ns(policy.cooldown_s)
    return Write((Absent("retry_at"),), (Put("retry_at", retry_at_ns), *_next_generation()))


def opening_copy(retry_at_ns: int) -> Write:
    """The write that tells a copy of an opened circuit; one that knows already stays as it is."""
    return Write((AtMost("retry_at", retry_at_ns - 1),), (Put("retry_at", retry_at_ns), *_next_generation()))


def closing_copy(retry_at_ns: int) -> Write:
    """The write that tells a copy that the circuit, last due at `retry_at_ns`, is closed; a later opening stands."""
    return Write((AtMost("retry_at", retry_at_ns),), (Remove("retry_at"),))


def _after_trial(verdict: Verdict, policy: CircuitPolicy, now_ns: int) -> tuple[Change, ...]:
    if verdict is Verdict.SUCCESS:
        return (Remove("retry_at"),)
    return (Put("retry_at", now_ns + duration_ns(policy.cooldown_s)),) if verdict is Verdict.FAILURE else ()


def _ended_trial() -> tuple[Change, ...]:
    return Remove("trial"), Remove("trial_until")


def _next_generation() -> tuple[Change, ...]:
    return Add("generation", 1), Put("failures", 0)


def _tallies(generation: int | None) -> tuple[str, str]:
    return f"circuit_calls_{generation or 0}", f"circuit_failures_{generation or 0}"
