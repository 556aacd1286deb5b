"""Counting: how many tokens a question would take, without asking it."""

from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING

from llm_gateway.domain.accounts import Account, Need, Use
from llm_gateway.domain.keys import Caller
from llm_gateway.domain.limits import NS_PER_S, to_ns
from llm_gateway.domain.queries import QueryRequest
from llm_gateway.domain.routing import first_step
from llm_gateway.domain.terms import Terms
from llm_gateway.domain.tokens import estimate
from llm_gateway.ports.keys import QueryAccounts
from llm_gateway.ports.providers import TokenCounter
from llm_gateway.ports.system import Clock, Ids
from llm_gateway.services.queries.charge import TellRoom
from llm_gateway.services.queries.entry import Entry
from llm_gateway.services.queries.planning import Planner

if TYPE_CHECKING:
    from llm_gateway.domain.prompts.choices import Choices
    from llm_gateway.services.context.provider_counts import ProviderCounts

_ID_LENGTH = 12
_OVER_AFTER_S = 60
_NOTHING = Decimal(0)


@dataclass(frozen=True, slots=True, kw_only=True)
class InputCounter:
    """Counts for the candidate that would be asked first. It is free, and counts as a request of its key."""

    planner: Planner
    entry: Entry
    provider_counts: "Callable[[], ProviderCounts]"
    accounts: Callable[[], QueryAccounts]
    counter: TokenCounter
    clock: Clock
    ids: Ids

    def count(
        self, request: QueryRequest, caller: Caller, choices: "Choices | None" = None, *, tell_room: TellRoom
    ) -> int:
        """The input tokens: as the provider counts them where it does, else the most that they may be.

        Raises what `Entry.admit` and `Planner.plan` do, and `RateLimited` where the key's limit is reached.
        """
        terms = Terms.of(caller)
        entered = self.entry.admit(request, choices, terms, key_id=caller.key_id)
        request = request if entered is None else entered.request
        step = first_step(self.planner.plan(request, terms, asks_to_count=False))
        self._count_request(caller, terms, tell_room)
        exact = self.provider_counts().of(step.candidate)(step.chat)
        return estimate(step.chat, step.candidate.profile, self.counter.count).most if exact is None else exact

    def _count_request(self, caller: Caller, terms: Terms, tell_room: TellRoom) -> None:
        # What costs nothing needs no budget: it counts among the requests alone.
        account = Account(key_id=caller.key_id, limits=terms.limits, budget=terms.budget)
        if terms.limits.requests_per_minute is None:
            return
        now_ns = to_ns(self.clock.now())
        need = Need(
            query_id=self.ids.ulid()[-_ID_LENGTH:],
            tokens=0,
            usd=_NOTHING,
            now_ns=now_ns,
            until_ns=now_ns + _OVER_AFTER_S * NS_PER_S,
        )
        taking = self.accounts().take(account, need)
        if taking.room:
            tell_room(taking.room)
        if taking.refusal:
            raise taking.refusal
        if taking.taken:
            self.accounts().settle(taking.taken, Use(tokens=0, usd=_NOTHING))
