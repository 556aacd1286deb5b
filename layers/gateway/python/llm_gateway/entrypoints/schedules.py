"""The clock's door: what runs every so many minutes, in a Lambda of its own or in a thread of the local worker."""

import threading
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Final

from llm_gateway import bootstrap
from llm_gateway.access import Schedule
from llm_gateway.endpoints import SCHEDULES
from llm_gateway.entrypoints.composition import gateway
from llm_gateway.entrypoints.observe import log_unexpected, logger
from llm_gateway.errors import GatewayError

__all__ = ["Gateway", "ScheduleHandler", "repeat", "run_schedules", "schedule"]

Gateway = bootstrap.Gateway
Work = Callable[[Gateway], None]
Handler = Callable[[Mapping[str, Any], Any], None]

_ROWS: Final = {row.name: row for row in SCHEDULES}


@dataclass(frozen=True)
class ScheduleHandler:
    """A Lambda handler. What is raised makes the invocation fail, so that it is seen; the next one does what is left."""

    row: Schedule
    work: Work

    def __call__(self, _event: Mapping[str, Any], _context: Any) -> None:
        try:
            self.work(gateway())
        except GatewayError as error:
            logger().warning("schedule_failed", extra={"schedule": self.row.name, "reason": error.detail})
            raise
        except Exception as error:
            log_unexpected(error)
            raise


def schedule(work: Work) -> ScheduleHandler:
    """Declares `work` to be the schedule of its own name. Raises KeyError where the table has no such row."""
    return ScheduleHandler(_ROWS[getattr(work, "__name__", "")], work)


def run_schedules(handlers: Mapping[str, Handler]) -> None:
    """Runs them as EventBridge would, each in a thread of its own: at once, and then every so many minutes.

    `handlers` are named like the table's schedules. The threads end with the process, as a Lambda may at any time.
    """
    for row in SCHEDULES:
        arguments = (handlers[row.name], row.every_min * 60)
        threading.Thread(target=repeat, args=arguments, name=row.name, daemon=True).start()


def repeat(handler: Handler, every_s: float, *, stopping: threading.Event | None = None) -> None:
    """Until it is told to stop, whatever the handler raises: it has told that itself, and the next run does what is left."""
    waiting = stopping or threading.Event()
    while True:
        with suppress(Exception):
            handler({}, None)
        if waiting.wait(every_s):
            return
