"""Waiting for what comes over a connection, and what a thread lets others do before it waits."""

import math
import ssl
from select import POLLIN, poll
from socket import socket
from threading import Lock, local
from typing import Final


class _Thread(local):
    def __init__(self) -> None:
        self.held: list[Lock] = []


this_thread: Final = _Thread()
"""`held` are locks that this thread releases when it waits: others are to begin then, and not before."""


def wait_to_read(connection: socket, timeout_s: float | None) -> None:
    """Returns when there is something to read, or the connection has ended. Raises TimeoutError after `timeout_s`.

    A read takes room for all that it may get before it waits: a hundred that wait hold as many pieces of 64 KB, and what is made
    meanwhile lies between them when they are gone.
    """
    while this_thread.held:
        this_thread.held.pop().release()
    if isinstance(connection, ssl.SSLSocket) and connection.pending():
        return
    looking = poll()
    looking.register(connection, POLLIN)
    if not looking.poll(None if timeout_s is None else math.ceil(timeout_s * 1000)):
        raise TimeoutError
