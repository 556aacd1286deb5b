"""Finds a port on loopback that nobody listens on."""

import socket
from typing import Final

LOOPBACK: Final = "127.0.0.1"


def free_port(preferred: int) -> int:
    """`preferred` if nobody has it, else one that the system picks."""
    return preferred if _is_free(preferred) else _any_free_port()


def _is_free(port: int) -> bool:
    with socket.socket() as caller:
        if caller.connect_ex((LOOPBACK, port)) == 0:
            return False
    with socket.socket() as listener:
        # A port whose last connections have only just closed is free, too.
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listener.bind((LOOPBACK, port))
        except OSError:
            return False
    return True


def _any_free_port() -> int:
    with socket.socket() as listener:
        listener.bind((LOOPBACK, 0))
        port: int = listener.getsockname()[1]
        return port
