"""What a process knows of the items that limits are kept in, and through which of several a request passes.

A process remembers items as it last saw them, and writes as if they still were so: the write's conditions tell where not.
"""

import zlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final, Protocol, TypeVar

from llm_gateway.domain.limits import NS_PER_S, to_ns
from llm_gateway.domain.passing import Reason, Refusal
from llm_gateway.domain.writes import Item, Write
from llm_gateway.ports.system import Clock
from llm_gateway.stores.items import Items

TRIES: Final = 8
TRUSTED_NS: Final = NS_PER_S
"""For how long an item is taken to be as it was last seen, where nothing is taken that would have to be counted."""
_MOST_SEEN: Final = 4096


class Scoped(Protocol):
    """One item of several that keep a limit together."""

    @property
    def scope(self) -> str: ...


S = TypeVar("S", bound=Scoped)


@dataclass(frozen=True, slots=True, kw_only=True)
class View:
    """Items as one request knows them; `fresh` are the scopes that it has read or met itself, `recent` those that another has a
    moment ago."""

    items: dict[str, Item]
    recent: frozenset[str]
    fresh: set[str] = field(default_factory=set)

    def choose(
        self, plans: Sequence[tuple[S, Write | Refusal]], *, request_id: str
    ) -> tuple[S, Write] | Refusal | None:
        """Through which item to pass, or why that may not be; None where it takes a look at the items first."""
        passable = [(one, plan) for one, plan in plans if isinstance(plan, Write)]
        refused = [(one, plan) for one, plan in plans if isinstance(plan, Refusal)]
        if not passable:
            known = all(refusal.lasts or one.scope in self.fresh for one, refusal in refused)
            return _soonest([refusal for _, refusal in refused]) if known else None
        one, write = passable[zlib.crc32(request_id.encode()) % len(passable)]
        # With nothing to take no condition would be checked; and once one item has refused, guessing at others is slow.
        checked = write.changes or one.scope in self.recent
        must_look = one.scope not in self.fresh and (not checked or self.fresh)
        return None if must_look else (one, write)

    def learn(self, items: Mapping[str, Item]) -> None:
        self.items.update(items)
        self.fresh.update(items)


@dataclass(frozen=True, slots=True)
class _Sight:
    """An item as it was at a time."""

    item: Item
    at_ns: int


class Sights:
    """Items as this process last saw them."""

    def __init__(self, clock: Clock, items: Items) -> None:
        self._clock = clock
        self._items = items
        self._seen: dict[str, _Sight] = {}

    def view(self, scopes: Iterable[str], *, now_ns: int, unseen: Item) -> View:
        """What is known of these items; one that was never seen is taken to be `unseen`."""
        never = _Sight(unseen, 0)
        sights = {scope: self._seen.get(scope, never) for scope in scopes}
        return View(
            items={scope: sight.item for scope, sight in sights.items()},
            recent=frozenset(scope for scope, sight in sights.items() if now_ns - sight.at_ns < TRUSTED_NS),
        )

    def pass_through(
        self,
        view: View,
        plans: Callable[[], Sequence[tuple[S, Write | Refusal]]],
        *,
        request_id: str,
        has_passed: Callable[[Item], bool],
    ) -> tuple[S, Item] | Refusal | None:
        """Passes through one of the view's items: which one, and how it is then. None where others were always quicker.

        `plans` are what the items would do as the view has them. `has_passed` tells from an item whether a write had gone through
        whose answer was lost.
        """
        for _ in range(TRIES):
            choice = view.choose(plans(), request_id=request_id)
            if isinstance(choice, Refusal):
                return choice
            if choice is None:
                self._learn(view, self._items.read(list(view.items)))
                continue
            place, write = choice
            if not write.changes:
                return place, view.items[place.scope]
            outcome = self._items.write(place.scope, write)
            self._learn(view, {place.scope: outcome.item})
            if outcome.done or has_passed(outcome.item):
                return place, outcome.item
        return None

    def find(self, scope: str) -> Item | None:
        sight = self._seen.get(scope)
        return sight.item if sight else None

    def remember(self, items: Mapping[str, Item]) -> None:
        at_ns = to_ns(self._clock.now())
        if len(self._seen) > _MOST_SEEN:
            self._seen = {}
        self._seen.update((scope, _Sight(item, at_ns)) for scope, item in items.items())

    def _learn(self, view: View, items: Mapping[str, Item]) -> None:
        view.learn(items)
        self.remember(items)


def _soonest(refusals: Sequence[Refusal]) -> Refusal:
    """Of several items' refusals, the first that will be over; a copy of a circuit has no say in that."""
    limits = [refusal for refusal in refusals if refusal.reason is not Reason.CIRCUIT]
    return min(limits or refusals, key=lambda refusal: refusal.wait_ns)
