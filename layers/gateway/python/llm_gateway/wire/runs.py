"""Runs of a prompt's tests over HTTP."""

from collections.abc import Sequence
from typing import Annotated, Any, Final, Literal

from pydantic import Field, model_validator

from llm_gateway.domain.prompts.runs import CaseResult, Finding, SuiteRun
from llm_gateway.endpoints import BASE_PATH
from llm_gateway.ports.system import Page
from llm_gateway.services.evals.running import RunView, RunWanted
from llm_gateway.wire.schema import Incoming, Name, Outgoing, PageOf, Slug, Timestamp, Usd, wrong

_MOST_CANDIDATES: Final = 20
_MOST_REPEATS: Final = 20
_MOST_NAMES: Final = 100
# An answer through Lambda holds 6 MB, and a run a thousand cases of twenty assertions.
_TOLD_IN_FULL: Final = 100
_SHORT: Final = 100

Candidate = Annotated[str, Field(min_length=1, max_length=300)]
Number = Annotated[int, Field(strict=True, ge=0, le=2**53 - 1)]


class RunBody(Incoming):
    """Which version's tests to run, and which candidates to ask. `candidates` are providers' ids, or `provider/model`."""

    version: Number | None = None
    label: Slug | None = None
    candidates: Annotated[list[Candidate], Field(fail_fast=True, max_length=_MOST_CANDIDATES)] = []
    repeat: Annotated[int, Field(strict=True, ge=1, le=_MOST_REPEATS)] = 1
    only: Annotated[list[Name], Field(fail_fast=True, max_length=_MOST_NAMES)] = []
    mode: Literal["sync", "async"] = "sync"

    @model_validator(mode="after")
    def _names_one_version(self) -> "RunBody":
        if self.version is not None and self.label is not None:
            raise wrong("label", "goes without version: name one of them")
        return self

    def to_domain(self) -> RunWanted:
        return RunWanted(
            version=self.version,
            label=self.label,
            candidates=tuple(dict.fromkeys(self.candidates)),
            repeats=self.repeat,
            only=tuple(self.only),
            mode=self.mode,
        )


class FindingShown(Outgoing):
    """What became of an assertion."""

    type: str
    passed: bool
    detail: str | None


class CaseShown(Outgoing):
    """What became of a test, asked of one candidate for the `repeat`th time."""

    name: str
    candidate: str | None
    repeat: int
    passed: bool
    assertions: list[FindingShown]
    query_id: str | None
    latency_ms: int | None
    cost_usd: Usd | None


class RunListed(Outgoing):
    """A run without its results. `passed`, `failed`, `pass_rate` and `cost_usd` are there once it has ended."""

    run_id: str
    prompt_id: str
    version: int
    status: str
    mode: str
    candidates: list[str]
    repeat: int
    whole: bool
    created_at: Timestamp
    completed_at: Timestamp | None
    passed: int | None
    failed: int | None
    pass_rate: float | None
    cost_usd: Usd | None
    problem: str | None

    def own_path(self) -> str:
        return f"{BASE_PATH}/prompts/{self.prompt_id}/tests/{self.run_id}"


class RunShown(RunListed):
    """A run with its results: those of its cases that have ended."""

    results: list[CaseShown]

    @classmethod
    def of(cls, view: RunView) -> "RunShown":
        in_full = len(view.results) <= _TOLD_IN_FULL
        return cls(**_members(view.run), results=_cases(view.results, in_full=in_full))


class RunPage(PageOf[RunListed]):
    """Some runs, newest first."""

    @classmethod
    def of(cls, page: Page[RunView]) -> "RunPage":
        return cls(items=[RunListed(**_members(view.run)) for view in page.items], next_cursor=page.next_cursor)


def _members(run: SuiteRun) -> dict[str, Any]:
    ended = run.completed_at is not None
    return {
        "run_id": run.id,
        "prompt_id": run.prompt_id,
        "version": run.version,
        "status": run.status.value,
        "mode": run.mode,
        "candidates": list(run.candidates),
        "repeat": run.repeats,
        "whole": run.is_whole,
        "created_at": run.created_at,
        "completed_at": run.completed_at,
        "passed": run.tally.passed if ended else None,
        "failed": run.tally.failed if ended else None,
        "pass_rate": run.tally.pass_rate if ended else None,
        "cost_usd": run.tally.cost_usd if ended else None,
        "problem": run.problem,
    }


def _cases(results: Sequence[CaseResult], *, in_full: bool) -> list[CaseShown]:
    return [
        CaseShown(
            name=result.case.test,
            candidate=result.case.candidate,
            repeat=result.case.repeat,
            passed=result.passed,
            assertions=[_finding(finding, in_full=in_full) for finding in result.findings],
            query_id=result.query_id,
            latency_ms=result.latency_ms,
            cost_usd=result.cost_usd,
        )
        for result in results
    ]


def _finding(finding: Finding, *, in_full: bool) -> FindingShown:
    detail = finding.detail
    if not in_full and detail is not None:
        detail = None if finding.passed else detail[:_SHORT]
    return FindingShown(type=finding.type.value, passed=finding.passed, detail=detail)
