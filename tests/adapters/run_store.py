"""Runs of suites in memory."""

from collections.abc import Sequence
from datetime import datetime
from threading import RLock

from llm_gateway.domain.prompts.runs import CaseResult, RunStatus, SuiteRun
from llm_gateway.ports.evals import RunStore
from llm_gateway.ports.system import Clock, Page
from llm_gateway.stores.cursors import from_cursor, to_cursor


class InMemoryRunStore(RunStore):
    """`fault`, where it is set, is raised by everything that reads or writes."""

    def __init__(self, clock: Clock) -> None:
        self.fault: Exception | None = None
        self._clock = clock
        self._runs: dict[str, SuiteRun] = {}
        self._results: dict[tuple[str, int], CaseResult] = {}
        self._held: dict[str, tuple[str, datetime]] = {}
        self._writing = RLock()

    def add(self, run: SuiteRun) -> None:
        self._reach()
        self._runs[run.id] = run

    def find(self, prompt_id: str, run_id: str) -> SuiteRun | None:
        self._reach()
        run = self._runs.get(run_id)
        return run if run is not None and run.prompt_id == prompt_id and run.expires_at > self._clock.now() else None

    def page(self, prompt_id: str, *, limit: int, cursor: str | None) -> Page[SuiteRun]:
        below = from_cursor(cursor, "run_id")["run_id"] if cursor is not None else None
        found = [run for run in self._of(prompt_id) if below is None or run.id < below]
        more = to_cursor({"run_id": found[limit - 1].id}) if len(found) > limit else None
        return Page(items=tuple(found[:limit]), next_cursor=more)

    def newest(self, prompt_id: str, version: int) -> SuiteRun | None:
        ended = (run for run in self._of(prompt_id) if run.status is not RunStatus.RUNNING and run.is_whole)
        return next((run for run in ended if run.version == version), None)

    def note(self, run: SuiteRun, result: CaseResult) -> None:
        self._reach()
        self._results.setdefault((run.id, result.case.number), result)

    def results(self, run: SuiteRun) -> Sequence[CaseResult]:
        self._reach()
        return tuple(result for (run_id, _), result in sorted(self._results.items()) if run_id == run.id)

    def forget(self, run_id: str, *, query_id: str) -> None:
        self._reach()
        for (of, number), result in [*self._results.items()]:
            if of == run_id and result.query_id == query_id:
                self._results[of, number] = result.without_words()

    def end(self, run: SuiteRun) -> bool:
        self._reach()
        with self._writing:
            if self._runs[run.id].status is not RunStatus.RUNNING:
                return False
            self._runs[run.id] = run
            self._held.pop(run.id, None)
            return True

    def hold(self, run: SuiteRun, *, holder: str, now: datetime, until: datetime) -> bool:
        self._reach()
        with self._writing:
            if self._runs[run.id].status is not RunStatus.RUNNING:
                return False
            held_by, held_until = self._held.get(run.id, (holder, now))
            if held_by != holder and held_until > now:
                return False
            self._held[run.id] = (holder, until)
            return True

    def release(self, run: SuiteRun, *, holder: str) -> None:
        self._reach()
        with self._writing:
            if self._held.get(run.id, (None,))[0] == holder:
                del self._held[run.id]

    def _of(self, prompt_id: str) -> list[SuiteRun]:
        """Newest first."""
        self._reach()
        now = self._clock.now()
        return [
            run for run in sorted(self._runs.values(), key=lambda run: run.id, reverse=True)
            if run.prompt_id == prompt_id and run.expires_at > now
        ]  # fmt: skip

    def _reach(self) -> None:
        if self.fault is not None:
            raise self.fault
