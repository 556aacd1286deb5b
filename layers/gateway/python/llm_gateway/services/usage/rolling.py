"""Rolling up: the hours that are over are summed up, and then the days.

An hour is summed up twice, each time whole and in the place of the sums before: soon after its end, so that it need not be read
query by query any more, and once more when an end that was written late is there too. A run that is cut short does no harm, nor
one that is done twice.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Final

from llm_gateway.domain.usage import DAY, HOUR, Bucket, Progress, added_up, rolled_up
from llm_gateway.ports.queries import QueryIndex
from llm_gateway.ports.system import Clock
from llm_gateway.ports.usage import RollupStore

ROLLED_AFTER: Final = timedelta(minutes=15)
SETTLED_AFTER: Final = timedelta(hours=3)

_FIRST: Final = 2 * DAY


def beginning(now: datetime) -> Progress:
    """Where nothing was ever summed up: what ended before the last days was before all this."""
    start = Bucket.DAY.start(now - _FIRST)
    return Progress(hours=start, settled=start, days=start)


@dataclass(frozen=True, slots=True, kw_only=True)
class UsageRoller:
    """Sums up what is over, from where the last run has come to."""

    index: QueryIndex
    rollups: RollupStore
    clock: Clock

    def roll(self) -> None:
        now = self.clock.now()
        progress = self.rollups.progress() or beginning(now)
        for hour in _hours(progress.settled, until=now - SETTLED_AFTER):
            self._sum_up(hour)
            after = hour + HOUR
            progress = self._note(replace(progress, settled=after, hours=max(after, progress.hours)))
        for hour in _hours(progress.hours, until=now - ROLLED_AFTER):
            self._sum_up(hour)
            progress = self._note(replace(progress, hours=hour + HOUR))
        while progress.days + DAY <= progress.settled:
            day = progress.days
            hours = self.rollups.within(Bucket.HOUR, day, day + DAY)
            self.rollups.put(Bucket.DAY, added_up(hours, start=day))
            progress = self._note(replace(progress, days=day + DAY))

    def _sum_up(self, hour: datetime) -> None:
        self.rollups.put(Bucket.HOUR, rolled_up(self.index.ended(hour), start=hour))

    def _note(self, progress: Progress) -> Progress:
        self.rollups.note(progress)
        return progress


def _hours(since: datetime, *, until: datetime) -> Iterator[datetime]:
    """The hours from `since` on that are over at `until`."""
    while since + HOUR <= until:
        yield since
        since += HOUR
