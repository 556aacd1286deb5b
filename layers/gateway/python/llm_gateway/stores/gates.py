"""Providers' gates over stored items: lets calls pass and notes how they end, each with one write in the normal case.

Round trips of `admit`: 1 when the item is as this process last saw it; 0 while the circuit is open or the provider has asked for
a pause, and where nothing is limited and the item was seen within a second; 2 when a bucket has turned since, and in a process's
first call; never more than `TRIES`. Of `settle`: 1 write to the minute's counters and, at the same time, 1 to the gate if there
is anything to tell it; 2 when the circuit opens or a bucket has turned, and for a success in a minute with failures; and one for
each further item of a sharded gate when the circuit turns or the provider asks for a pause. Counters have items of their own
because a write is billed by its item's size.

A write that lets a call pass may be sent again when its answer is lost, and then take twice: the limit holds all the same.
"""

import logging
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Final

from llm_gateway.domain.circuits import (
    Circuit,
    CircuitState,
    Verdict,
    closing_copy,
    ending_row,
    ends_row,
    opening,
    opening_copy,
    tallying,
    verdict_of,
)
from llm_gateway.domain.gates import (
    UNSEEN,
    Admission,
    Call,
    Gate,
    admission,
    check_size,
    fault_of,
    gates_of,
    has_admitted,
    held_until_ns,
    holding,
    release,
    settlement,
    withdrawal,
)
from llm_gateway.domain.health import GateState, state_of
from llm_gateway.domain.limits import duration_ns, to_ns
from llm_gateway.domain.metrics import CallResult, counting, minutes_of_window
from llm_gateway.domain.passing import Refusal
from llm_gateway.domain.providers import ProviderConfig
from llm_gateway.domain.writes import Item, Write
from llm_gateway.errors import DependencyUnavailable
from llm_gateway.ports.system import Clock, Ids
from llm_gateway.stores.connection import Aws
from llm_gateway.stores.items import DynamoItems, Items
from llm_gateway.stores.sights import TRIES, Sights, View

_CALL_ID_LENGTH: Final = 12  # 60 random bits of a ULID: enough among the calls that run at once, and short to keep.

_log = logging.getLogger(__name__)


Turned = Callable[[str, CircuitState], None]
"""Told once by which provider's circuit has turned, and to what."""


def _unheard(_provider: str, _state: CircuitState) -> None:
    """For those who do not ask."""


def dynamo_provider_gates(
    *, aws: Aws, table: str, clock: Clock, ids: Ids, turned: Turned = _unheard
) -> "StoredProviderGates":
    items = DynamoItems(aws=aws, table=table, key_name="scope", holding="limits")
    return StoredProviderGates(items=items, clock=clock, ids=ids, turned=turned)


class StoredProviderGates:
    def __init__(self, *, items: Items, clock: Clock, ids: Ids, turned: Turned = _unheard) -> None:
        self._turned = turned
        self._items = items
        self._clock = clock
        self._ids = ids
        self._sights = Sights(clock, items)
        # As many as settle at once: an answer that is there does not wait for a counter's turn.
        self._beside = ThreadPoolExecutor(max_workers=128, thread_name_prefix="metrics")

    def admit(self, provider: ProviderConfig, *, tokens: int, timeout_s: float) -> Admission:
        gates, now_ns = gates_of(provider), to_ns(self._clock.now())
        call = Call(
            id=self._ids.ulid()[-_CALL_ID_LENGTH:],
            provider=provider,
            tokens=tokens,
            now_ns=now_ns,
            until_ns=now_ns + duration_ns(timeout_s),
        )
        check_size(gates, call)
        view = self._sights.view([gate.scope for gate in gates], now_ns=now_ns, unseen=UNSEEN)
        passed = self._sights.pass_through(
            view,
            lambda: _plans(gates, view, call),
            request_id=call.id,
            has_passed=lambda item: has_admitted(item, call),
        )
        if passed is None:
            raise _too_contended(call)
        if isinstance(passed, Refusal):
            raise fault_of(passed, call)
        gate, item = passed
        return Admission(call=call, gate=gate, item=item)

    def settle(self, admission: Admission, result: CallResult) -> None:
        now_ns = to_ns(self._clock.now())
        news = settlement(admission, result, admission.item, now_ns=now_ns).changes
        counted = self._counted(admission, result, now_ns=now_ns) if news else None
        try:
            met = item = admission.item
            if news:
                met, item = self._carry_out(admission, lambda met: settlement(admission, result, met, now_ns=now_ns))
            tally = counted.result() if counted else self._count(admission, result, now_ns=now_ns)
            self._pass_on(admission, result, met, item, tally, now_ns=now_ns)
        except Exception:
            # Whatever it was: the answer is there, and has been paid for.
            _log.warning("The end of a call to provider %s is not noted.", admission.call.provider.id, exc_info=True)
        finally:
            if counted:
                # Lambda freezes what is left running.
                counted.result()

    def _counted(self, admission: Admission, result: CallResult, *, now_ns: int) -> Future[Item] | None:
        try:
            return self._beside.submit(self._count, admission, result, now_ns=now_ns)
        except RuntimeError:
            # The process ends, and has no more threads: it is counted in this one.
            return None

    def withdraw(self, admission: Admission) -> None:
        now_ns = to_ns(self._clock.now())
        try:
            self._carry_out(admission, lambda met: withdrawal(admission, met, now_ns=now_ns))
        except Exception:
            _log.warning("A place at provider %s is not given back.", admission.call.provider.id, exc_info=True)

    def state(self, provider: ProviderConfig) -> GateState:
        gates, now_ns = gates_of(provider), to_ns(self._clock.now())
        counters = [_counters(gate, minute) for gate in gates for minute in minutes_of_window(now_ns)]
        items = self._items.read([*(gate.scope for gate in gates), *counters])
        return state_of(gates, items, [items[scope] for scope in counters], now_ns=now_ns)

    def _carry_out(self, admission: Admission, plan: Callable[[Item], Write]) -> tuple[Item, Item]:
        """Writes to the call's gate what `plan` says for its item, if anything; the item right before and right after."""
        scope, met = admission.gate.scope, admission.item
        try:
            for _ in range(TRIES):
                write = plan(met)
                if not write.changes:
                    return met, met
                outcome = self._items.write(scope, write, repeatable=False)
                if outcome.done:
                    break
                met = outcome.item
            else:
                raise _too_contended(admission.call)
        except DependencyUnavailable:
            # It may have been done all the same: what adds must not be sent again, freeing the place may.
            freeing = release(admission, met)
            if freeing.changes:
                self._items.write(scope, freeing)
            raise
        self._sights.remember({scope: outcome.item})
        return met, outcome.item

    def _pass_on(
        self, admission: Admission, result: CallResult, met: Item, item: Item, tally: Item, *, now_ns: int
    ) -> None:
        """Opens the circuit if it is time to, and tells the other items of the gate what concerns them too."""
        call, verdict = admission.call, verdict_of(result)
        home, *copies = gates_of(call.provider)
        if verdict is Verdict.SUCCESS and self._is_in_a_row(admission, met, item, tally):
            self._tell([admission.gate], ending_row())
        # What failed has just seen the item; what succeeded may know an old one, and the circuit of then.
        if verdict is Verdict.FAILURE and Circuit.of(item).trips(call.provider.circuit, tally):
            opened = self._items.write(home.scope, opening(policy=call.provider.circuit, now_ns=now_ns))
            self._sights.remember({home.scope: opened.item})
            if opened.done:
                self._turned(call.provider.id, CircuitState.OPEN)
            retry_at_ns = Circuit.of(opened.item).retry_at_ns
            if retry_at_ns is not None:
                self._tell(copies, opening_copy(retry_at_ns))
        trial = Circuit.of(met)
        if trial.trial == call.id and trial.retry_at_ns is not None and Circuit.of(item).retry_at_ns is None:
            self._turned(call.provider.id, CircuitState.CLOSED)
            self._tell(copies, closing_copy(trial.retry_at_ns))
        until_ns = held_until_ns(result, now_ns=now_ns)
        if until_ns is not None:
            self._tell([gate for gate in (home, *copies) if gate != admission.gate], holding(until_ns))

    def _is_in_a_row(self, admission: Admission, met: Item, item: Item, tally: Item) -> bool:
        """Whether failures are counted as if this success had not come: it knew of none when it was let through."""
        if item is met:
            return ends_row(tally, generation=Circuit.of(admission.item).generation)
        return Circuit.of(item).failures > 0

    def _tell(self, gates: Sequence[Gate], write: Write) -> None:
        for gate in gates:
            self._sights.remember({gate.scope: self._items.write(gate.scope, write).item})

    def _count(self, admission: Admission, result: CallResult, *, now_ns: int) -> Item:
        """Counts a call into its minute; the minute's counters right after, nothing where that failed."""
        scope = _counters(admission.gate, minutes_of_window(now_ns)[-1])
        generation = Circuit.of(admission.item).generation
        tally = tallying(verdict_of(result), generation=generation, repeats=result.repeats)
        write = counting(result, now_ns=now_ns) + tally
        try:
            return self._items.write(scope, write, repeatable=False).item
        except Exception:
            _log.warning("A call to provider %s is not counted.", admission.call.provider.id, exc_info=True)
            return {}


def _plans(gates: Sequence[Gate], view: View, call: Call) -> list[tuple[Gate, Write | Refusal]]:
    """What the gates would do with `call`. While the circuit is not closed, its home alone is asked."""
    home = gates[0].scope
    closed = Circuit.of(view.items[home]).retry_at_ns is None
    asked = gates if closed else gates[:1]
    mended = closed and home in view.fresh
    return [(gate, admission(gate, view.items[gate.scope], call, mended=mended)) for gate in asked]


def _too_contended(call: Call) -> DependencyUnavailable:
    detail = f"The limits of provider {call.provider.id!r} are too contended right now."
    return DependencyUnavailable(detail, retry_after_s=1)


def _counters(gate: Gate, minute: int) -> str:
    return f"{gate.scope}#minute#{minute}"
