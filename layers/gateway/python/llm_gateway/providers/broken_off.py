"""Reads that are broken off when nobody wants their answer any more.

A thread that waits for a provider waits in its socket, and cannot be told. One thread asks on behalf of all of them, and shuts
the connection of one whose answer is not wanted: that wakes it. The others sleep until their answer comes. An exchange is made
known to it once, since a stream reads hundreds of times.
"""

import logging
import socket
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

from llm_gateway.ports.system import Cancelled

_ASKED_EVERY_S: Final = 0.2

_log = logging.getLogger(__name__)


class BrokenOff(Exception):
    """The connection was shut: its answer is no longer wanted."""


@dataclass(eq=False, slots=True)
class Watched:
    """The connection of one exchange, from its first read to its end."""

    connection: socket.socket
    cancelled: Cancelled
    is_over: bool = False
    is_in_doubt: bool = False

    def during(self, read: Callable[[], bytes]) -> bytes:
        """What `read` reads from the connection. Raises `BrokenOff` soon after it is cancelled."""
        try:
            return read()
        finally:
            if self.is_over:
                raise BrokenOff

    def end_if_unwanted(self) -> None:
        if not self.is_over and self._is_unwanted():
            self.is_over = True
            # What wraps the socket, TLS above all, is the waiting thread's alone.
            try:
                socket.socket.shutdown(self.connection, socket.SHUT_RDWR)
            except OSError:
                # It is closed already.
                return

    def _is_unwanted(self) -> bool:
        """Never raises: the one who asks is there for the others, too."""
        try:
            return self.cancelled()
        except Exception as fault:
            if not self.is_in_doubt:
                self.is_in_doubt = True
                _log.warning("Nobody can tell whether an answer is still wanted: %s", type(fault).__name__)
            return False


@dataclass(slots=True)
class Reads:
    """All exchanges of this process that may be broken off. The thread that asks is started with the first."""

    _going_on: set[Watched] = field(default_factory=set)
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _some: threading.Event = field(default_factory=threading.Event)
    _is_watched: bool = False

    def begin(self, connection: socket.socket, cancelled: Cancelled) -> Watched:
        """Watches over what is read from `connection`, until `end`. Raises `BrokenOff` where it is cancelled already."""
        if cancelled():
            raise BrokenOff
        watched = Watched(connection, cancelled)
        with self._lock:
            self._going_on.add(watched)
            if not self._is_watched:
                threading.Thread(target=self._watch, name="broken-off", daemon=True).start()
                self._is_watched = True
            if not self._some.is_set():
                self._some.set()
        return watched

    def end(self, watched: Watched) -> None:
        """Once it has returned, the connection may be used for something else."""
        with self._lock:
            self._going_on.discard(watched)

    def _watch(self) -> None:
        """Goes on for as long as the process does."""
        while self._some.wait():
            time.sleep(_ASKED_EVERY_S)
            with self._lock:
                for each in self._going_on:
                    each.end_if_unwanted()
                if not self._going_on:
                    self._some.clear()


READS: Final = Reads()
