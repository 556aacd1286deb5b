"""So many at once: each has an entry with its end in the map `leases` of one item, and counts no longer than until then.

One rule for the calls that a provider takes and for the requests of a key that wait.
"""

from collections.abc import Mapping

from llm_gateway.domain.writes import (
    Absent,
    Contains,
    Item,
    Put,
    PutEntry,
    RemoveEntry,
    SmallerThan,
    Write,
    entries,
)

_LEASES = "leases"


def leases_of(item: Item) -> Mapping[str, int]:
    """Who is there, each with its end in nanoseconds, over or not."""
    return entries(item, _LEASES) or {}


def room_in_ns(item: Item, *, most: int, now_ns: int) -> int | None:
    """How long until one of `most` ends in any case, or None where there is room for one more."""
    leases = leases_of(item)
    if len(leases) - len(_expired(leases, now_ns)) < most:
        return None
    return sorted(leases.values())[-most] - now_ns


def joining(item: Item, lease_id: str, *, until_ns: int, most: int, now_ns: int) -> Write:
    """Takes one of `most` places, and frees those whose holders must have ended without a word."""
    leases = entries(item, _LEASES)
    if leases is None:
        return Write((Absent(_LEASES),), (Put(_LEASES, {lease_id: until_ns}),))
    expired = _expired(leases, now_ns)
    return Write(
        (SmallerThan(_LEASES, most + len(expired)), *(Contains(_LEASES, entry) for entry in expired)),
        (PutEntry(_LEASES, lease_id, until_ns), *(RemoveEntry(_LEASES, entry) for entry in expired)),
    )


def leaving(lease_id: str) -> Write:
    return Write((Contains(_LEASES, lease_id),), (RemoveEntry(_LEASES, lease_id),))


def _expired(leases: Mapping[str, int], now_ns: int) -> tuple[str, ...]:
    return tuple(entry for entry, until_ns in leases.items() if until_ns <= now_ns)
