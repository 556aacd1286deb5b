"""A provider that takes its time."""

import threading
import time
from collections.abc import Callable

from tests.entrypoints.serving import Serving


class Thinking:
    """A provider that pauses before its first word (1) or before its end (2), until it is cancelled."""

    def __init__(self, serving: Serving, *, before: int) -> None:
        self.pauses = 0
        self.before = before
        self.begun = threading.Event()
        serving.gateway.outside.models.pause = self.pause  # type: ignore[attr-defined]

    def pause(self, cancelled: Callable[[], bool]) -> None:
        self.pauses += 1
        until_s = time.monotonic() + 30
        while self.pauses == self.before and not cancelled() and time.monotonic() < until_s:
            self.begun.set()
            time.sleep(0.01)
