"""A provider's gate: circuit, request limit, token limit and places for concurrent calls, kept in one item, taken in one write.

Nothing here waits or stores: these rules say, for an item as it was last seen, which conditional write lets a call pass or notes
its end. A store carries the write out; where its conditions fail it has learnt the item as it is, and asks again.

A hot gate is several items, each with its share of every limit, so that together they never allow more. The first is home to the
circuit: it alone grants the trial. The others hold copies that say "closed" or "ask at home", and are mended from there.
"""

from collections.abc import Mapping, Sequence
from dataclasses import field
from typing import Final

from llm_gateway.domain.chat import Usage
from llm_gateway.domain.circuits import Circuit, passing, recording, verdict_of
from llm_gateway.domain.concurrency import joining, leases_of, leaving, room_in_ns
from llm_gateway.domain.faults import (
    CallTooLarge,
    CircuitOpen,
    ProviderBusy,
    ProviderFault,
    ProviderRateLimited,
    ResponseValidationFailed,
    told,
)
from llm_gateway.domain.limits import NS_PER_S, WINDOW_NS, Level, Reservation, duration_ns, from_ns, in_seconds, to_ns
from llm_gateway.domain.metrics import CallResult
from llm_gateway.domain.passing import Reason, Refusal, longest, taking, waits
from llm_gateway.domain.providers import ProviderConfig
from llm_gateway.domain.shards import Share, shares_of
from llm_gateway.domain.writes import (
    AtMost,
    Equal,
    Item,
    Put,
    Remove,
    Write,
    number,
)
from llm_gateway.errors import GatewayError
from llm_gateway.values import dataclass

KEPT_S: Final = 30 * 86_400
LONGEST_HOLD_S: Final = 3600
_LONGEST_TOLD: Final = 400
UNSEEN: Final[Item] = {"leases": {}}
"""What an item is taken for until it has been seen: one that is there and has room."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Gate:
    """One item of a provider's gate, and what it allows."""

    scope: str
    is_home: bool
    share: Share


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """A call that wants to pass: it may use `tokens`, and is over by `until_ns` whatever happens."""

    id: str
    provider: ProviderConfig
    tokens: int
    now_ns: int
    until_ns: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Admission:
    """A call that passed, and the item right after."""

    call: Call
    gate: Gate
    item: Item = field(repr=False)


_FAULTS: Final[Mapping[Reason, tuple[type[ProviderFault], str]]] = {
    Reason.CIRCUIT: (CircuitOpen, "The provider failed too often: circuit open until {until}."),
    Reason.HOLD: (ProviderRateLimited, "The provider has asked not to be called until {until}."),
    Reason.REQUESTS: (
        ProviderRateLimited,
        "The provider is at its limit of {limits.requests_per_minute} requests per minute until {until}.",
    ),
    Reason.TOKENS: (
        ProviderRateLimited,
        "The provider is at its limit of {limits.tokens_per_minute} tokens per minute until {until}.",
    ),
    Reason.PLACES: (
        ProviderBusy,
        "The provider is at its limit of {limits.max_concurrent} concurrent calls until {until} at the latest.",
    ),
}


def fault_of(refusal: Refusal, call: Call) -> ProviderFault:
    """What `call` meets: which limit, how large it is, and until when."""
    kind, cause = _FAULTS[refusal.reason]
    # Rounded up: a call that comes then is let through.
    until = from_ns(-(-(call.now_ns + refusal.wait_ns) // NS_PER_S) * NS_PER_S)
    detail = cause.format(limits=call.provider.limits, until=f"{until:%H:%M:%SZ}")
    return kind(detail, retry_after_s=in_seconds(refusal.wait_ns))


def gates_of(provider: ProviderConfig) -> tuple[Gate, ...]:
    """The items of a provider's gate, its home first. Changed limits may change their number; they then start out empty.

    A provider that was deleted and made again is another one: nothing is held against it.
    """
    return tuple(
        Gate(scope=f"provider#{provider.id}#{to_ns(provider.created_at)}#{shard}", is_home=shard == 0, share=share)
        for shard, share in enumerate(shares_of(provider.limits))
    )


def check_size(gates: Sequence[Gate], call: Call) -> None:
    """Raises `CallTooLarge` for a call that needs more tokens than may ever pass."""
    most = max((gate.share.tokens.per_minute for gate in gates if gate.share.tokens), default=call.tokens)
    if call.tokens > most:
        detail = f"The call may take {call.tokens} tokens, and the provider allows {most} in a minute."
        raise CallTooLarge(detail)


def admission(gate: Gate, item: Item, call: Call, *, mended: bool = False) -> Write | Refusal:
    """The write that lets `call` pass through `gate`, or why it may not. `mended` is for a copy whose home is closed again."""
    refusal = _circuit_refusal(gate, item, call, mended=mended) or _limit_refusal(gate, item, call)
    if refusal:
        return refusal
    write = _through_circuit(gate, item, call) + _through_limits(gate, item, call)
    held = Write((AtMost("hold_until", call.now_ns),))
    return write + held + (_kept(call.now_ns) if write.changes else Write())


def has_admitted(item: Item, call: Call) -> bool:
    """Whether the item holds `call` already: its write went through, and only the answer was lost."""
    return call.id in leases_of(item) or Circuit.of(item).trial == call.id


def settlement(admitted: Admission, result: CallResult, item: Item, *, now_ns: int) -> Write:
    """The write that notes the end of a call: what it used, its place freed, and what it says about the provider.

    Without changes where the item tells all of that already: a success at a gate that limits nothing, knows of no failure, and
    has heard of a success in this minute.
    """
    call, gate = admitted.call, admitted.gate
    write = recording(
        Circuit.of(item),
        verdict_of(result),
        call_id=call.id,
        generation=Circuit.of(admitted.item).generation,
        repeats=result.repeats,
        policy=call.provider.circuit,
        now_ns=now_ns,
        heard=_has_heard(item, now_ns=now_ns),
    )
    if gate.share.tokens:
        reserved = Reservation(amount=call.tokens, level=Level.of(admitted.item, "tokens"))
        level, used = Level.of(item, "tokens"), tokens_used(result, reserved=call.tokens)
        write += gate.share.tokens.settle("tokens", level, reserved=reserved, used=used, now_ns=now_ns)
    until_ns = held_until_ns(result, now_ns=now_ns)
    if until_ns and (number(item, "hold_until") or 0) < until_ns:
        write += holding(until_ns)
    write += _noting(result, item, now_ns=now_ns) + release(admitted, item)
    return write + (_kept(now_ns) if write.changes else Write())


def withdrawal(admitted: Admission, item: Item, *, now_ns: int) -> Write:
    """The write that gives back all that a call took that is not made: as if it had never passed."""
    unmade = CallResult(latency_ms=0, usage=Usage(), cost_usd=None, cancelled=True)
    write = settlement(admitted, unmade, item, now_ns=now_ns)
    requests = admitted.gate.share.requests
    if requests is None:
        return write
    reserved = Reservation(amount=1, level=Level.of(admitted.item, "requests"))
    return write + requests.settle("requests", Level.of(item, "requests"), reserved=reserved, used=0, now_ns=now_ns)


def release(admitted: Admission, item: Item) -> Write:
    """The write that frees a call's place and nothing else, where it has one: it may be sent again."""
    call_id = admitted.call.id
    return leaving(call_id) if call_id in leases_of(item) else Write()


def holding(until_ns: int) -> Write:
    """The write that lets nobody pass until then."""
    return Write((AtMost("hold_until", until_ns - 1),), (Put("hold_until", until_ns),))


def held_until_ns(result: CallResult, *, now_ns: int) -> int | None:
    """Until when the provider itself asked not to be called, an hour at most."""
    if not isinstance(result.fault, ProviderRateLimited) or not result.fault.retry_after_s:
        return None
    return now_ns + duration_ns(min(result.fault.retry_after_s, LONGEST_HOLD_S))


def _circuit_refusal(gate: Gate, item: Item, call: Call, *, mended: bool) -> Refusal | None:
    circuit = Circuit.of(item)
    wait_ns = circuit.wait_ns(now_ns=call.now_ns)
    if circuit.retry_at_ns is None or mended or (gate.is_home and not wait_ns):
        return None
    return Refusal(reason=Reason.CIRCUIT, wait_ns=wait_ns, lasts=circuit.retry_at_ns > call.now_ns)


def _limit_refusal(gate: Gate, item: Item, call: Call) -> Refusal | None:
    share, now_ns = gate.share, call.now_ns
    found = [Refusal(reason=Reason.HOLD, wait_ns=(number(item, "hold_until") or 0) - now_ns, lasts=True)]
    found += waits(share, item, tokens=call.tokens, now_ns=now_ns)
    wait_ns = None if share.places is None else room_in_ns(item, most=share.places, now_ns=now_ns)
    if wait_ns is not None:
        found.append(Refusal(reason=Reason.PLACES, wait_ns=wait_ns))
    return longest(found)


def _through_circuit(gate: Gate, item: Item, call: Call) -> Write:
    circuit = Circuit.of(item)
    if gate.is_home or circuit.retry_at_ns is None:
        return passing(circuit, call_id=call.id, now_ns=call.now_ns, until_ns=call.until_ns)
    return Write((Equal("retry_at", circuit.retry_at_ns),), (Remove("retry_at"),))


def _through_limits(gate: Gate, item: Item, call: Call) -> Write:
    write = taking(gate.share, item, tokens=call.tokens, now_ns=call.now_ns)
    if gate.share.places is None:
        return write
    return write + joining(item, call.id, until_ns=call.until_ns, most=gate.share.places, now_ns=call.now_ns)


def tokens_used(result: CallResult, *, reserved: int) -> int:
    """The provider's own count. Without one: 0 if the call was refused or did not reach the provider, else all of `reserved`."""
    if result.usage is not None and result.is_told:
        return result.usage.total_tokens
    return reserved if result.may_be_billed else 0


def _noting(result: CallResult, item: Item, *, now_ns: int) -> Write:
    if result.answered:
        # Once a minute: within it, the minute's counters tell.
        return Write() if _has_heard(item, now_ns=now_ns) else Write((), (Put("last_success_at", now_ns),))
    if result.fault is None or not result.is_error:
        return Write()
    status = result.fault.upstream_status
    return Write(
        (),
        (
            Put("last_error_code", result.fault.code),
            Put("last_error_at", now_ns),
            Put("last_error_detail", _told(result.fault)),
            Remove("last_error_status") if status is None else Put("last_error_status", status),
        ),
    )


def _told(fault: GatewayError) -> str:
    """`fault` for operators, who may not read what callers ask and are answered."""
    detail = (
        "The model's answer does not have the asked form."
        if isinstance(fault, ResponseValidationFailed)
        else told(fault)
    )
    return detail[:_LONGEST_TOLD]


def _has_heard(item: Item, *, now_ns: int) -> bool:
    """Whether the item knows of a success in this minute."""
    return (number(item, "last_success_at") or 0) // WINDOW_NS == now_ns // WINDOW_NS


def _kept(now_ns: int) -> Write:
    return Write((), (Put("expires_at", now_ns // NS_PER_S + KEPT_S),))
