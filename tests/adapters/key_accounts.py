"""Keys' accounts that a test has filled."""

from llm_gateway.domain.keys import ApiKey, BudgetState
from llm_gateway.ports.keys import KeyAccounts


class FixedAccounts(KeyAccounts):
    def __init__(self, **states: BudgetState) -> None:
        self._states = states

    def state(self, key: ApiKey) -> BudgetState | None:
        return self._states.get(key.id)
