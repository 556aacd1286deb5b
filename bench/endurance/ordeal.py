"""What happens while the callers ask: a worker is killed, the emulator stalls, and it is noted what everything holds."""

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

from bench import processor
from bench.endurance.stage import Stage
from bench.endurance.traffic import Traffic
from bench.processor import Use
from local_aws.ports import LOOPBACK

_TICK_S: Final = 0.2
# When it happens, as a share of what is to be done.
_KILL_AT: Final = 0.4
_STALL_AT: Final = 0.7
_UNTIL_RESTART_S: Final = 1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Size:
    """How much is asked; whichever comes first ends it."""

    callers: int = 100
    queries: int = 20_000
    seconds: float = 420.0
    stall_s: float = 2.0
    sample_every_s: float = 5.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Sample:
    """What was held `at_s` seconds after the beginning."""

    at_s: float
    ended: int
    server: Use
    workers: Use
    emulator: Use


@dataclass(slots=True, kw_only=True)
class Ordeal:
    """Runs once. `killed_at_s` is of the monotonic clock."""

    stage: Stage
    size: Size
    say: Callable[[str], None]
    samples: list[Sample] = field(default_factory=list)
    killed_at_s: float | None = None
    duration_s: float = 0.0
    _began_s: float = 0.0

    def run(self) -> Traffic:
        """All of it; what was asked, and what came of it."""
        traffic = Traffic(host=LOOPBACK, port=self.stage.port, key=self.stage.api.key)
        asyncio.run(self._run(traffic))
        return traffic

    async def _run(self, traffic: Traffic) -> None:
        self._began_s = time.monotonic()
        meanwhile = [asyncio.create_task(each) for each in (self._watch(traffic), self._disturb(traffic))]
        try:
            await traffic.flow(callers=self.size.callers, queries=self.size.queries, until=self._is_over)
        finally:
            self.duration_s = time.monotonic() - self._began_s
            for task in meanwhile:
                task.cancel()
            await asyncio.gather(*meanwhile, return_exceptions=True)
        self._note(traffic)

    def _is_over(self) -> bool:
        return time.monotonic() - self._began_s > self.size.seconds

    def _done(self, traffic: Traffic) -> float:
        passed_s = time.monotonic() - self._began_s
        return max(len(traffic.told) / self.size.queries, passed_s / self.size.seconds)

    async def _watch(self, traffic: Traffic) -> None:
        while True:
            self._note(traffic)
            await asyncio.sleep(self.size.sample_every_s)

    async def _disturb(self, traffic: Traffic) -> None:
        await self._until(_KILL_AT, traffic)
        self.stage.kill_worker()
        self.killed_at_s = time.monotonic()
        self.say(f"a worker killed after {len(traffic.told):,} queries")
        await asyncio.sleep(_UNTIL_RESTART_S)
        self.stage.start_worker()
        await self._until(_STALL_AT, traffic)
        self.say(f"the emulator stalls for {self.size.stall_s:g} s after {len(traffic.told):,} queries")
        with self.stage.stalled():
            await asyncio.sleep(self.size.stall_s)

    async def _until(self, share: float, traffic: Traffic) -> None:
        while self._done(traffic) < share:
            await asyncio.sleep(_TICK_S)

    def _note(self, traffic: Traffic) -> None:
        stage = self.stage
        workers = [processor.use(worker.pid) for worker in stage.workers]
        sample = Sample(
            at_s=time.monotonic() - self._began_s,
            ended=sum(told.ended_s > 0 for told in traffic.told),
            server=processor.use(stage.server.pid),
            workers=sum(workers[1:], start=workers[0]),
            emulator=processor.use(stage.emulator.pid),
        )
        self.samples.append(sample)
