"""A journal that remembers which queries ended, how, and what was spent on the way."""

from collections.abc import Mapping, Sequence

from llm_gateway.domain.budget_news import BudgetReached
from llm_gateway.domain.circuits import CircuitState
from llm_gateway.domain.pii import PiiRule
from llm_gateway.domain.prompts.canary_news import CanaryNews
from llm_gateway.domain.queries import Attempt, Query, QuerySummary
from llm_gateway.ports.queries import Journal


class RecordingJournal(Journal):
    """`lines` are all of them: what each says was done, of which query, and the calls it counts."""

    def __init__(self) -> None:
        self.written: list[QuerySummary] = []
        self.canaries: list[CanaryNews] = []
        self.circuits: list[tuple[str, CircuitState]] = []
        self.budgets: list[BudgetReached] = []
        self.judged: list[tuple[str, frozenset[int], bool]] = []
        self.personal: list[tuple[str, dict[str, int]]] = []
        self.lines: list[tuple[str, str, tuple[Attempt, ...]]] = []

    def ended(self, query: QuerySummary, *, calls: Sequence[Attempt] = ()) -> None:
        self.written.append(query)
        self.lines.append(("ended", query.id, tuple(calls)))

    def rolled_back(self, news: CanaryNews) -> None:
        self.canaries.append(news)

    def circuit_turned(self, provider_id: str, state: CircuitState) -> None:
        self.circuits.append((provider_id, state))

    def budget_reached(self, news: BudgetReached) -> None:
        self.budgets.append(news)

    def gate_judged(self, prompt_id: str, versions: frozenset[int], *, passed: bool) -> None:
        self.judged.append((prompt_id, versions, passed))

    def personal_data(self, counts: Mapping[str, int], *, key_id: str, rules: Sequence[PiiRule]) -> None:
        self.personal.append((key_id, dict(counts)))

    def spent(self, query: Query, *, calls: Sequence[Attempt]) -> None:
        self.lines.append(("spent", query.id, tuple(calls)))

    @property
    def story(self) -> list[tuple[str, str]]:
        """The queries in the order of their ends: which, and how."""
        return [(query.id, query.status.value) for query in self.written]

    @property
    def calls(self) -> list[Attempt]:
        """Every call that was counted."""
        return [call for _, _, calls in self.lines for call in calls]
