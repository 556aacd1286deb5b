"""Personal data: what a key or a prompt asks to be done where it is found, and where it was found."""

from enum import StrEnum
from typing import NamedTuple


class PiiRule(StrEnum):
    LOG = "log"
    MASK = "mask"
    LOCAL_ONLY = "local_only"
    BLOCK = "block"


class Found(NamedTuple):
    """Personal data of a `kind` (`email`, `iban`, …), from `start` up to `end` in its text."""

    kind: str
    start: int
    end: int
