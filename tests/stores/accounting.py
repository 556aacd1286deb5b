"""Accounts of a key as several processes see them, for tests: who takes what, when, and what becomes of it."""

from dataclasses import dataclass, field
from decimal import Decimal
from itertools import count

from llm_gateway.domain.accounts import Account, Need, Taken, Taking, Use, scope_of
from llm_gateway.domain.budgets import Standing
from llm_gateway.domain.keys import ApiKey, Budget, BudgetState, KeyLimits, KeySecret, Period, Role
from llm_gateway.domain.limits import duration_ns, to_ns
from llm_gateway.domain.money import total
from llm_gateway.stores.accounts import StoredKeyAccounts
from llm_gateway.stores.items import Items

from tests.adapters.clock import FakeClock
from tests.adapters.items import InMemoryItems
from tests.adapters.key_accounts import RecordingBudgetEvents

LASTS_S = 60


def account(
    *, budget: str | None = None, period: Period = Period.MONTH, key_id: str = "key_1", **limits: int
) -> Account:
    money = Budget(amount=Decimal(budget), period=period) if budget else None
    return Account(key_id=key_id, limits=KeyLimits(**limits), budget=money)


@dataclass
class Deployment:
    """One table of limits, and as many processes on it as a test wants."""

    items: Items = field(default_factory=InMemoryItems)
    clock: FakeClock = field(default_factory=FakeClock)
    events: RecordingBudgetEvents = field(default_factory=RecordingBudgetEvents)
    accounts: StoredKeyAccounts = field(init=False)
    _numbers: "count[int]" = field(default_factory=count)

    def __post_init__(self) -> None:
        self.accounts = self.process()

    def process(self, items: Items | None = None) -> StoredKeyAccounts:
        return StoredKeyAccounts(items=items or self.items, clock=self.clock, events=self.events)

    def need(self, *, tokens: int = 0, usd: str | Decimal = "0") -> Need:
        now_ns = to_ns(self.clock.now())
        return Need(
            query_id=f"Q{next(self._numbers)}",
            tokens=tokens,
            usd=Decimal(usd),
            now_ns=now_ns,
            until_ns=now_ns + duration_ns(LASTS_S),
        )

    def take(self, account: Account, *, tokens: int = 0, usd: str | Decimal = "0") -> Taking:
        return self.accounts.take(account, self.need(tokens=tokens, usd=usd))

    def taken(self, account: Account, *, tokens: int = 0, usd: str | Decimal = "0") -> Taken:
        taking = self.take(account, tokens=tokens, usd=usd)
        assert taking.taken is not None, taking.refusal
        return taking.taken

    def pass_until_refused(self, account: Account, *, tokens: int = 0, usd: str = "0") -> tuple[int, Taking]:
        """How many pass now, and what the next is told."""
        passed = 0
        while (taking := self.take(account, tokens=tokens, usd=usd)).taken:
            passed += 1
        return passed, taking

    def settle(self, taken: Taken, *, usd: str | Decimal = "0", tokens: int = 0, refused: bool = False) -> None:
        self.accounts.settle(taken, Use(tokens=tokens, usd=Decimal(usd), refused=refused))

    def state(self, account: Account) -> BudgetState:
        state = self.accounts.state(key_of(account, self.clock))
        assert state is not None
        return state

    def standing(self, key_id: str = "key_1") -> Standing:
        scope = scope_of(key_id)
        return Standing.of(self.items.read([scope])[scope])

    def check_books(self) -> None:
        """What is committed is what was spent and what is reserved, to the last digit."""
        standing = self.standing()
        assert standing.committed == total([standing.spent, *standing.held.values()])


def key_of(account: Account, clock: FakeClock) -> ApiKey:
    return ApiKey(
        id=account.key_id,
        name="key",
        role=Role.CALLER,
        limits=account.limits,
        budget_usd=account.budget,
        secrets=(KeySecret(hash="", hint="", generation=1),),
        created_at=clock.now(),
        updated_at=clock.now(),
    )
