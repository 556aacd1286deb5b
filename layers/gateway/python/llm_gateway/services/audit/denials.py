"""Denials: counted beside the requests, and entered in the audit log when their minute is over."""

import logging
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from threading import BoundedSemaphore
from typing import Final

from llm_gateway.domain.audit.denials import MINUTE, Denial, minute_of
from llm_gateway.errors import GatewayError
from llm_gateway.ports.audit import DenialCounters
from llm_gateway.ports.system import Clock

_AT_ONCE: Final = 8
_ON_ITS_WAY: Final = timedelta(seconds=10)
"""How late a count may reach its minute."""
_LATECOMERS: Final = 2 * MINUTE
_FIRST_LOOK: Final = 5 * MINUTE
_MOST_MINUTES: Final = 240

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Denials:
    """A flood of refusals costs one small write each at most, and fills the log with one entry a minute for each actor."""

    counters: DenialCounters
    clock: Clock
    _turns: BoundedSemaphore = field(default_factory=lambda: BoundedSemaphore(_AT_ONCE))

    def count(self, denial: Denial) -> None:
        """Counts it. Never raises, and waits for nobody: where this process counts too many at once, it drops this one."""
        if not self._turns.acquire(blocking=False):
            _log.warning("A denial was not counted: too many are being counted.")
            return
        try:
            self.counters.count(denial, minute=minute_of(self.clock.now()))
        except GatewayError as error:
            _log.warning("A denial was not counted: %s", error.detail)
        finally:
            self._turns.release()

    def append(self) -> int:
        """Enters the denials of every minute that is over; how many entries there were.

        May be run at any time and any number of times at once: a count leaves its place in the transaction that enters it.
        Raises `DependencyUnavailable`; what is left is entered the next time.
        """
        end = minute_of(self.clock.now() - _ON_ITS_WAY)
        noted = self.counters.entered_until()
        minute = noted or end - _FIRST_LOOK
        entries = 0
        for _ in range(_MOST_MINUTES):
            if minute >= end:
                break
            entries += self._enter(minute)
            minute += MINUTE
        # Some come late: the last minutes are looked at again.
        until = minute - _LATECOMERS
        if noted is None or until > noted:
            self.counters.note_entered(until)
        return entries

    def _enter(self, minute: datetime) -> int:
        return sum(self.counters.enter(counted) for counted in self.counters.counted(minute))
