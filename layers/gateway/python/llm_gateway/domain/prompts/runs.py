"""Runs of a prompt's suite: which calls one has, what came of them, and whether it passed."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from decimal import Decimal
from enum import StrEnum
from typing import Final, Literal

from llm_gateway.domain.money import total
from llm_gateway.domain.prompts.prompts import PromptKind
from llm_gateway.domain.prompts.suites import AssertionType, PromptTest
from llm_gateway.values import dataclass

MOST_CALLS: Final[dict[str, int]] = {"sync": 20, "async": 1000}
"""Each answer of a case is a call, and so is each verdict of a judge."""

LONGEST_RUN: Final = timedelta(hours=12)
"""A run that waits for its key's limit does not wait for longer: what was not asked by then has failed."""


class RunStatus(StrEnum):
    RUNNING = "running"
    FINISHED = "finished"
    FAILED = "failed"


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """What became of one assertion. `detail` says why it did not pass, or what was measured."""

    type: AssertionType
    passed: bool
    detail: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class RunCase:
    """One case of a run: the test's name, its candidate (None: the one that the prompt leads to), and which of the repeats."""

    number: int
    test: str
    candidate: str | None
    repeat: int


@dataclass(frozen=True, slots=True, kw_only=True)
class CaseResult:
    """What came of a case. `cost_usd` is that of the answer and its judges, None where one is not known."""

    case: RunCase
    passed: bool
    findings: tuple[Finding, ...]
    query_id: str | None = None
    latency_ms: int | None = None
    cost_usd: Decimal | None = None

    def without_words(self) -> "CaseResult":
        """Nothing of what its findings quote."""
        return replace(self, findings=tuple(replace(finding, detail=None) for finding in self.findings))


@dataclass(frozen=True, slots=True, kw_only=True)
class Tally:
    """What results come to."""

    passed: int = 0
    failed: int = 0
    cost_usd: Decimal | None = Decimal(0)

    @classmethod
    def of(cls, results: Sequence[CaseResult]) -> "Tally":
        costs = [result.cost_usd for result in results if result.cost_usd is not None]
        passed = sum(result.passed for result in results)
        is_priced = len(costs) == len(results)
        return cls(passed=passed, failed=len(results) - passed, cost_usd=total(costs) if is_priced else None)

    @property
    def pass_rate(self) -> float | None:
        return self.passed / (self.passed + self.failed) if self.passed + self.failed else None


@dataclass(frozen=True, slots=True, kw_only=True)
class Lease:
    """Who works on a run, and until when nobody else may."""

    holder: str
    until: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class SuiteRun:
    """A run of `tests` against a version. `owner` is the key that it asks with. A run of `only` some tests lets no label move.

    `tally` is there once it has ended; `problem` says why it failed, if it did.
    """

    id: str
    prompt_id: str
    version: int
    kind: PromptKind = PromptKind.PROMPT
    tests: tuple[PromptTest, ...]
    suite_hash: str
    owner: str
    mode: Literal["sync", "async"]
    candidates: tuple[str, ...]
    repeats: int
    is_whole: bool
    created_at: datetime
    expires_at: datetime
    status: RunStatus = RunStatus.RUNNING
    completed_at: datetime | None = None
    tally: Tally = Tally()
    problem: str | None = None

    @property
    def has_passed(self) -> bool:
        return self.status is RunStatus.FINISHED and self.tally.failed == 0

    def cases(self) -> Iterator[RunCase]:
        """All there are, in a fixed order."""
        number = 0
        for test in self.tests:
            for candidate in self.candidates or (None,):
                for repeat in range(1, self.repeats + 1):
                    yield RunCase(number=number, test=test.name, candidate=candidate, repeat=repeat)
                    number += 1

    def test(self, name: str) -> PromptTest:
        return next(test for test in self.tests if test.name == name)

    def finished(self, results: Sequence[CaseResult], *, now: datetime) -> "SuiteRun":
        return replace(self, status=RunStatus.FINISHED, completed_at=now, tally=Tally.of(results))

    def failed(self, problem: str, results: Sequence[CaseResult], *, now: datetime) -> "SuiteRun":
        return replace(self, status=RunStatus.FAILED, completed_at=now, tally=Tally.of(results), problem=problem)


def calls_of(tests: Sequence[PromptTest], *, candidates: int, repeats: int) -> int:
    """How many calls a run makes at most, those to judges among them."""
    return sum(1 + test.judges for test in tests) * max(candidates, 1) * repeats
