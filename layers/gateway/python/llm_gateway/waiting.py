"""Waiting for what comes over a connection, and what a thread lets others do before it waits."""

import math
import ssl
import time
from select import POLLIN, POLLOUT, poll
from socket import socket
from threading import Lock, local
from typing import Final

# No answer takes a day.
_LONGEST_WAIT_S: Final = 86_400


class _Thread(local):
    def __init__(self) -> None:
        self.held: list[Lock] = []


this_thread: Final = _Thread()
"""`held` are locks that this thread releases when it waits: others are to begin then, and not before."""


def received(connection: socket, most: int, timeout_s: float | None) -> bytes:
    """What comes next over `connection`, `most` bytes of it; nothing where it has ended. Raises OSError: a TimeoutError after
    `timeout_s`. The connection does not block afterwards: who sends sets a timeout of its own.

    A read takes room for all that it may get before it waits: a hundred that wait would hold as many pieces of 64 KB, and what is
    made meanwhile lay between them when they are gone. So this waits first, and again where part of a TLS record has come.
    """
    while this_thread.held:
        this_thread.held.pop().release()
    ends_s = math.inf if timeout_s is None else time.monotonic() + timeout_s
    connection.settimeout(0)
    has_more = isinstance(connection, ssl.SSLSocket) and connection.pending()
    wanted = POLLIN
    while True:
        if not has_more:
            _wait(connection, wanted, ends_s)
        has_more = 0
        try:
            return connection.recv(most)
        except (BlockingIOError, ssl.SSLWantReadError):
            wanted = POLLIN
        except ssl.SSLWantWriteError:
            wanted = POLLOUT


def _wait(connection: socket, wanted: int, ends_s: float) -> None:
    looking = poll()
    looking.register(connection, wanted)
    left_s = min(ends_s - time.monotonic(), _LONGEST_WAIT_S)
    if left_s <= 0 or not looking.poll(math.ceil(left_s * 1000)):
        raise TimeoutError
