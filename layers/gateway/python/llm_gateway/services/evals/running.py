"""Running suites: at once where they are small, by the workers where they are not."""

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextvars import copy_context
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Final, Literal

from llm_gateway.domain.identifiers import RUN_PREFIX
from llm_gateway.domain.keys import Caller
from llm_gateway.domain.prompts.prompts import LATEST, PRODUCTION, PromptMetadata
from llm_gateway.domain.prompts.prompts import Suite as StoredSuite
from llm_gateway.domain.prompts.runs import (
    LONGEST_RUN,
    MOST_CALLS,
    CaseResult,
    RunStatus,
    SuiteRun,
    calls_of,
)
from llm_gateway.domain.prompts.suites import PromptTest, suite_hash
from llm_gateway.errors import (
    DeadlineExceeded,
    LabelNotFound,
    RunNotFound,
    ValidationFailed,
)
from llm_gateway.ports.evals import RunStore
from llm_gateway.ports.queries import QueryQueue
from llm_gateway.ports.system import Clock, Ids, Page
from llm_gateway.services.evals.cases import LATER, CaseAsker
from llm_gateway.services.prompts.reading import PromptBook, PromptView

AT_ONCE: Final = 4
SYNC_S: Final = 26
"""What a run has that somebody waits for; the API waits for 29."""

_SPARE: Final = timedelta(minutes=1)

ParseSuite = Callable[[StoredSuite], tuple[PromptTest, ...]]


@dataclass(frozen=True, slots=True, kw_only=True)
class RunWanted:
    """A run as it is asked for. With neither `version` nor `label`: `production` if set, else `latest`."""

    version: int | None = None
    label: str | None = None
    candidates: tuple[str, ...] = ()
    repeats: int = 1
    only: tuple[str, ...] = ()
    mode: Literal["sync", "async"] = "sync"


@dataclass(frozen=True, slots=True, kw_only=True)
class RunView:
    """A run with what came of its cases so far."""

    run: SuiteRun
    results: Sequence[CaseResult] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class RunService:
    """`parse` makes tests of a suite as it is stored; `retention` is for how long runs are kept."""

    prompts: PromptBook
    runs: RunStore
    queue: QueryQueue
    cases: CaseAsker
    parse: ParseSuite
    clock: Clock
    ids: Ids
    retention: timedelta

    def start(self, prompt_id: str, wanted: RunWanted, *, caller: Caller) -> RunView:
        """Runs a suite to its end, or hands it to the workers.

        Raises `PromptNotFound`, `PromptVersionNotFound`, `LabelNotFound`, and `ValidationFailed` for a run without a test or with
        too many calls.
        """
        prompt = self.prompts.get(prompt_id)
        run = self._new(prompt, self._version(prompt.metadata, wanted), wanted, caller)
        self.runs.add(run)
        if wanted.mode == "async":
            self.queue.send(queued(run))
            return RunView(run=run)
        return self._at_once(run, caller)

    def get(self, prompt_id: str, run_id: str) -> RunView:
        """Raises `PromptNotFound`, and `RunNotFound`."""
        run = self.runs.find(self.prompts.get(prompt_id).metadata.id, run_id)
        if run is None:
            raise RunNotFound(run_id)
        return RunView(run=as_told(run, self.clock), results=self.runs.results(run))

    def page(self, prompt_id: str, *, limit: int, cursor: str | None) -> Page[RunView]:
        """Newest first, without results. Raises `PromptNotFound`, and `MalformedRequest` for a cursor of another list."""
        page = self.runs.page(self.prompts.get(prompt_id).metadata.id, limit=limit, cursor=cursor)
        told = tuple(RunView(run=as_told(run, self.clock)) for run in page.items)
        return Page(items=told, next_cursor=page.next_cursor)

    def _version(self, prompt: PromptMetadata, wanted: RunWanted) -> int:
        if wanted.version is not None:
            return self.prompts.version(prompt.id, wanted.version).version.number
        name = wanted.label or (PRODUCTION if PRODUCTION in prompt.labels else LATEST)
        if name == LATEST:
            return prompt.version
        if name not in prompt.labels:
            raise LabelNotFound(prompt.id, name)
        version = prompt.labels[name].version
        if version is None:
            raise ValidationFailed.of("version", f"is required: the label {name!r} has several versions")
        return version

    def _new(self, prompt: PromptView, version: int, wanted: RunWanted, caller: Caller) -> SuiteRun:
        tests = _chosen(self.parse(prompt.tests), wanted.only)
        _check_calls(tests, wanted)
        now = self.clock.now()
        return SuiteRun(
            id=RUN_PREFIX + self.ids.ulid(),
            prompt_id=prompt.metadata.id,
            kind=prompt.metadata.kind,
            version=version,
            tests=tests,
            suite_hash=suite_hash(prompt.tests),
            owner=caller.key_id,
            mode=wanted.mode,
            candidates=wanted.candidates,
            repeats=wanted.repeats,
            is_whole=not wanted.only,
            created_at=now,
            expires_at=now + self.retention,
        )

    def _at_once(self, run: SuiteRun, caller: Caller) -> RunView:
        ends_s = self.clock.monotonic_s() + SYNC_S

        def ask(number: int) -> CaseResult:
            case = cases[number]
            left_s = ends_s - self.clock.monotonic_s()
            if left_s < 1:
                late = DeadlineExceeded(f"The run's time was up ({SYNC_S} s): run it as async.")
                return self.cases.failed(case, run.test(case.test), late)
            try:
                result = self.cases.ask(run, case, caller=caller, timeout_s=left_s, replayable=False)
            except LATER as error:
                result = self.cases.failed(case, run.test(case.test), error)
            self.runs.note(run, result)
            return result

        cases = tuple(run.cases())
        with ThreadPoolExecutor(max_workers=AT_ONCE) as pool:
            results = list(pool.map(lambda number: copy_context().run(ask, number), range(len(cases))))
        finished = run.finished(results, now=self.clock.now())
        self.runs.end(finished)
        return RunView(run=finished, results=results)


def queued(run: SuiteRun) -> str:
    """What a queue carries of a run."""
    return f"{run.id}@{run.prompt_id}"


def as_told(run: SuiteRun, clock: Clock) -> SuiteRun:
    """`run` as it reads now: failed, where nobody can be working on it any more, whatever is stored."""
    longest = timedelta(seconds=SYNC_S) if run.mode == "sync" else LONGEST_RUN
    if run.status is not RunStatus.RUNNING or clock.now() < run.created_at + longest + _SPARE:
        return run
    return replace(run, status=RunStatus.FAILED, problem="Whatever worked on the run ended before the run did.")


def _chosen(tests: tuple[PromptTest, ...], only: tuple[str, ...]) -> tuple[PromptTest, ...]:
    if not tests:
        raise ValidationFailed("The prompt has no tests: save some with it first.")
    unknown = set(only) - {test.name for test in tests}
    if unknown:
        raise ValidationFailed.of("only", f"names {min(unknown)!r}, which is none of the prompt's tests")
    return tuple(test for test in tests if not only or test.name in only)


def _check_calls(tests: tuple[PromptTest, ...], wanted: RunWanted) -> None:
    calls, most = calls_of(tests, candidates=len(wanted.candidates), repeats=wanted.repeats), MOST_CALLS[wanted.mode]
    if calls > most:
        hint = "run it as async, or" if wanted.mode == "sync" and calls <= MOST_CALLS["async"] else "ask for"
        raise ValidationFailed.of(
            "mode",
            f"a run that is {wanted.mode} makes {most} calls at most, those to judges included, and this one {calls}:"
            f" {hint} fewer candidates, repeats or tests",
        )
