"""The worker of queued runs: one delivery at a time, so that no case is asked again whose result is stored.

A run takes long, and a worker does not live that long: it works for some minutes, hands the run on as a new message, and ends.
"""

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from contextvars import copy_context
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Final

from llm_gateway.domain.keys import Caller, KeyStatus
from llm_gateway.domain.prompts.runs import LONGEST_RUN, RunCase, RunStatus, SuiteRun
from llm_gateway.errors import DependencyUnavailable, GatewayError, NotDone
from llm_gateway.ports.evals import RunStore
from llm_gateway.ports.keys import KeyStore
from llm_gateway.ports.queries import Delivery, QueryQueue
from llm_gateway.ports.system import Clock, Ids
from llm_gateway.services.evals.cases import LATER, CaseAsker
from llm_gateway.services.evals.running import AT_ONCE, queued

SLICE_S: Final = 420
CASE_S: Final = 120
"""A case that begins at the end of a slice ends before the function's 900 seconds do, and its judge too."""

_SHORTEST_WAIT_S: Final = 2
_LONGEST_WAIT_S: Final = 300
_RENEWALS: Final = 4


@dataclass(slots=True, kw_only=True)
class _Slice:
    """A worker's time with a run. `later` is what keeps it from going on, `is_refused` whether its key may ask no more,
    `is_lost` whether somebody else has the run."""

    run: SuiteRun
    holder: str
    ends_s: float
    later: GatewayError | None = None
    is_refused: threading.Event = field(default_factory=threading.Event)
    is_lost: threading.Event = field(default_factory=threading.Event)

    def is_over(self, now_s: float) -> bool:
        return self.later is not None or self.is_refused.is_set() or self.is_lost.is_set() or now_s >= self.ends_s


@dataclass(frozen=True, slots=True, kw_only=True)
class RunWorker:
    """`lease` is for how long a silent worker holds a run."""

    runs: RunStore
    keys: KeyStore
    queue: QueryQueue
    cases: CaseAsker
    clock: Clock
    ids: Ids
    lease: timedelta

    def process(self, delivery: Delivery) -> None:
        """Raises `NotDone` where the message must be delivered again, and has seen to when."""
        try:
            run = self._run(delivery)
            if run is not None:
                self._process(run, delivery)
        except DependencyUnavailable as error:
            self._keep(delivery, self.lease.total_seconds() * delivery.count)
            raise NotDone(f"Something that the run takes cannot be reached: {error.detail}") from error

    def bury(self, delivery: Delivery) -> None:
        """Tells that a run failed whose message was delivered too often. One that somebody still works on goes back."""
        run = self._run(delivery)
        if run is None:
            return
        if self._hold(run, self.ids.ulid()):
            self._fail(run, "The run was tried too often without success.")
        else:
            self.queue.send(queued(run), delay_s=self.lease.total_seconds())

    def _run(self, delivery: Delivery) -> SuiteRun | None:
        """The run that a message is about, None where there is nothing to do about it any more."""
        run_id, _, prompt_id = delivery.query_id.partition("@")
        run = self.runs.find(prompt_id, run_id)
        return run if run is not None and run.status is RunStatus.RUNNING else None

    def _process(self, run: SuiteRun, delivery: Delivery) -> None:
        holder = self.ids.ulid()
        if not self._hold(run, holder):
            self._keep(delivery, self.lease.total_seconds())
            raise NotDone("Somebody else works on the run.")
        if self.clock.now() >= run.created_at + LONGEST_RUN:
            self._fail(run, f"It was not done within {LONGEST_RUN.total_seconds() / 3600:.0f} hours.")
        else:
            ends_s = self.clock.monotonic_s() + SLICE_S
            self._work(_Slice(run=run, holder=holder, ends_s=ends_s), delivery)

    def _work(self, slice_: _Slice, delivery: Delivery) -> None:
        run = slice_.run
        done = {result.case.number for result in self.runs.results(run)}
        left = [case for case in run.cases() if case.number not in done]
        with self._kept(slice_, delivery), ThreadPoolExecutor(max_workers=AT_ONCE) as pool:
            list(pool.map(lambda case: copy_context().run(self._ask, slice_, case), left))
        if slice_.is_lost.is_set():
            return
        if slice_.is_refused.is_set():
            self._fail(run, "The key that it asks with is not active any more.")
            return
        results = self.runs.results(run)
        if len(results) == len(done) + len(left):
            self.runs.end(run.finished(results, now=self.clock.now()))
        else:
            self._hand_on(slice_)

    def _ask(self, slice_: _Slice, case: RunCase) -> None:
        if slice_.is_over(self.clock.monotonic_s()):
            return
        try:
            caller = self._caller(slice_.run)
            if caller is None:
                slice_.is_refused.set()
                return
            result = self.cases.ask(slice_.run, case, caller=caller, timeout_s=CASE_S, replayable=True)
        except LATER as error:
            slice_.later = error
            return
        self.runs.note(slice_.run, result)

    def _caller(self, run: SuiteRun) -> Caller | None:
        """The run's key as it is now, None where it is not active any more: what is revoked asks no further case."""
        key = self.keys.find(run.owner)
        return key.caller() if key is not None and key.status(self.clock.now()) is KeyStatus.ACTIVE else None

    def _hand_on(self, slice_: _Slice) -> None:
        """A limit is no failure: the run goes on as a new message, however often."""
        wait_s = 0.0
        if slice_.later is not None:
            wait_s = min(max(slice_.later.retry_after_s or 0, _SHORTEST_WAIT_S), _LONGEST_WAIT_S)
        self.runs.release(slice_.run, holder=slice_.holder)
        self.queue.send(queued(slice_.run), delay_s=wait_s)

    def _fail(self, run: SuiteRun, problem: str) -> None:
        self.runs.end(run.failed(problem, self.runs.results(run), now=self.clock.now()))

    def _hold(self, run: SuiteRun, holder: str) -> bool:
        now = self.clock.now()
        return self.runs.hold(run, holder=holder, now=now, until=now + self.lease)

    def _keep(self, delivery: Delivery, duration_s: float) -> None:
        """Keeps the message back from the other workers."""
        try:
            self.queue.hold(delivery, duration_s=duration_s)
        except DependencyUnavailable:
            # It is then delivered again when the queue's own timeout is over.
            return

    @contextmanager
    def _kept(self, slice_: _Slice, delivery: Delivery) -> Iterator[None]:
        """Holds on to the run and its message in the background until the block ends."""
        over = threading.Event()

        def renew() -> None:
            lease_s = self.lease.total_seconds()
            while not over.is_set():
                self._keep(delivery, lease_s)
                if over.wait(lease_s / _RENEWALS):
                    return
                try:
                    is_held = self._hold(slice_.run, slice_.holder)
                except GatewayError:
                    # A lease outlasts several failed renewals.
                    continue
                if not is_held:
                    slice_.is_lost.set()
                    return

        thread = threading.Thread(target=renew, name="run", daemon=True)
        thread.start()
        try:
            yield
        finally:
            over.set()
            thread.join()
