"""One model, one thread, a bounded line in front of it. Answers are made in order. A client that leaves gives up its place.

All bookkeeping happens on the event loop; only `Job.cancelled` and the events of a job cross threads.
"""

import asyncio
import logging
import math
import threading
import time
from collections import deque
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass, field
from typing import assert_never

from local_model.errors import ApiError, GenerationFailed, QueueFull, ShuttingDown
from local_model.generation import Embedded, Embedding, Finished, FinishReason, Generation, Model
from local_model.text_stream import TextStream

logger = logging.getLogger("local_model")

Event = str | Finished | Embedded | ApiError


@dataclass(slots=True, kw_only=True, eq=False)
class Job:
    """A place in the line. Its events: pieces of text, then one Finished; or one Embedded; or one ApiError."""

    work: Generation | Embedding
    leave: Callable[["Job", ApiError], None]
    events: asyncio.Queue[Event] = field(default_factory=asyncio.Queue)
    cancelled: threading.Event = field(default_factory=threading.Event)

    def cancel(self) -> None:
        """Stops the answer at its next token, or takes it out of the line; safe to call at any time."""
        self.leave(self, GenerationFailed("the request was cancelled"))


class Worker:
    def __init__(self, model: Model, *, max_queue: int) -> None:
        self._model = model
        self.max_queue = max_queue
        self._waiting: deque[Job] = deque()
        self._running: Job | None = None
        self._task: asyncio.Task[None] | None = None
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="model")
        self._typical_job_s = 1.0
        self.draining = False

    @property
    def busy(self) -> bool:
        return self._running is not None

    @property
    def queued(self) -> int:
        return len(self._waiting)

    def submit(self, work: Generation | Embedding) -> Job:
        """Raises QueueFull or ShuttingDown."""
        self.check_open()
        job = Job(work=work, leave=self._leave)
        self._waiting.append(job)
        self._start_next()
        return job

    def check_open(self) -> None:
        """Cheap enough to be asked before any work is done for a request that would be refused anyway."""
        if self.draining:
            raise ShuttingDown("the server is shutting down", retry_after_s=1)
        if self.busy and len(self._waiting) >= self.max_queue:
            wait_s = max(1, math.ceil(self._typical_job_s))
            raise QueueFull(f"the queue of {self.max_queue} is full", retry_after_s=min(wait_s, 60))

    def drain(self) -> None:
        """Takes no new jobs; those that run or wait go on."""
        self.draining = True

    def abandon(self) -> None:
        """Ends what runs or waits, because the time to drain is over."""
        for job in [*self._waiting, *([self._running] if self._running else [])]:
            self._leave(job, ShuttingDown("the server shut down before the answer was complete", retry_after_s=1))

    def close(self) -> None:
        self._thread.shutdown(wait=True, cancel_futures=True)

    def _leave(self, job: Job, reason: ApiError) -> None:
        job.cancelled.set()
        if job in self._waiting:
            self._waiting.remove(job)
        job.events.put_nowait(reason)

    def _start_next(self) -> None:
        if self._running is None and self._waiting:
            self._running = self._waiting.popleft()
            self._task = asyncio.get_running_loop().create_task(self._run(self._running))

    async def _run(self, job: Job) -> None:
        loop = asyncio.get_running_loop()
        started = time.monotonic()

        def post(event: Event) -> None:
            loop.call_soon_threadsafe(job.events.put_nowait, event)

        try:
            await loop.run_in_executor(self._thread, _do, self._model, job, post)
        except Exception:
            logger.exception("the model failed")
            job.events.put_nowait(GenerationFailed("the model failed to answer"))
        finally:
            self._typical_job_s += (time.monotonic() - started - self._typical_job_s) / 4
            self._running = None
            self._start_next()


def _do(model: Model, job: Job, post: Callable[[Event], None]) -> None:
    match job.work:
        case Generation():
            _answer(model, job.work, job, post)
        case Embedding():
            post(model.embed(job.work, cancelled=job.cancelled.is_set))
        case _:
            assert_never(job.work)


def _answer(model: Model, generation: Generation, job: Job, post: Callable[[Event], None]) -> None:
    text = TextStream(stop=generation.stop)
    made = 0
    reason: FinishReason = "stop"
    with closing(model.pieces(generation, cancelled=job.cancelled.is_set)) as pieces:
        for piece in pieces:
            made += 1
            if delta := text.push(piece):
                post(delta)
            if text.stopped:
                break
            if made == generation.max_tokens:
                reason = "length"
                break
    if delta := text.close():
        post(delta)
    post(Finished(reason=reason, completion_tokens=made))
