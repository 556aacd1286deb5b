"""What is found out about prompts: runs of their tests, and feedback on their answers."""

# A port holds types alone: what imports one for its name does not wait for the import of every value that it speaks of.
from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from datetime import datetime
    from decimal import Decimal

    from llm_gateway.domain.prompts.canary_news import CanaryNews
    from llm_gateway.domain.prompts.performance import FeedbackSum
    from llm_gateway.domain.prompts.runs import CaseResult, SuiteRun
    from llm_gateway.ports.system import Page


class RunStore(Protocol):
    """Runs of suites, until they expire. Every method raises `DependencyUnavailable` where the store cannot be reached."""

    def add(self, run: SuiteRun) -> None:
        """Stores a run as it begins."""
        ...

    def find(self, prompt_id: str, run_id: str) -> SuiteRun | None: ...

    def page(self, prompt_id: str, *, limit: int, cursor: str | None) -> Page[SuiteRun]:
        """Newest first. Raises `MalformedRequest` for a cursor that is not one of this list's."""
        ...

    def newest(self, prompt_id: str, version: int) -> SuiteRun | None:
        """The one of a version's runs that began last, of those that have ended and had the whole suite."""
        ...

    def note(self, run: SuiteRun, result: CaseResult) -> None:
        """Stores what came of one case; the first result of a case is the one that counts."""
        ...

    def results(self, run: SuiteRun) -> Sequence[CaseResult]:
        """Those that were noted so far, by their cases' numbers."""
        ...

    def forget(self, run_id: str, *, query_id: str) -> None:
        """Leaves of a query's answer in the run's results no more than whether it passed."""
        ...

    def end(self, run: SuiteRun) -> bool:
        """Stores the end of a run; False (and nothing is written) where it had ended already."""
        ...

    def hold(self, run: SuiteRun, *, holder: str, now: datetime, until: datetime) -> bool:
        """Holds a run that has not ended, or holds on to it. False where it has ended, or somebody else holds it at `now`."""
        ...

    def release(self, run: SuiteRun, *, holder: str) -> None:
        """Lets others hold it at once, if `holder` does."""
        ...


class FeedbackStore(Protocol):
    """Feedback on queries, and its sums by version and hour. Every method raises `DependencyUnavailable`."""

    def give(self, query_id: str, *, name: str, score: Decimal, comment: str | None, at: datetime) -> bool:
        """Gives a query a score under a name, in the place of the one before; and to the sums of its prompt's version, if it
        has one. False where the query is gone. Raises `ValidationFailed` where it has too many names already."""
        ...

    def sums(self, prompt_id: str, *, since: datetime, until: datetime) -> Iterator[FeedbackSum]:
        """By the hours that begin from `since` on and before `until`."""
        ...


class CanaryEvents(Protocol):
    """Where it is told that a version was rolled back by itself. Never raises."""

    def rolled_back(self, news: CanaryNews) -> None: ...
