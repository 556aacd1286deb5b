"""What sealed bytes look like, and what becomes of those that do not open."""

from typing import Final

SEALED: Final = b"\x01s1"
"""What sealed bytes begin with. Neither JSON nor anything compressed begins so."""


class NotOpened(Exception):
    """Sealed bytes that do not open."""


class Shredded(NotOpened):
    """The secret that they were sealed with is erased: nobody can read them any more, and nobody is meant to."""


class NotSealedSo(NotOpened):
    """They were sealed for another key or query, were changed since, or never were sealed."""


def is_sealed(document: bytes) -> bool:
    return document.startswith(SEALED)
