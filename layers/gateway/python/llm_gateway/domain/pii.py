"""Personal data: what a key or a prompt asks to be done where it is found."""

from enum import StrEnum


class PiiRule(StrEnum):
    LOG = "log"
    MASK = "mask"
    LOCAL_ONLY = "local_only"
    BLOCK = "block"
