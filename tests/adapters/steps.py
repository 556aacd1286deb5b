"""Work counted by the interpreter: a machine that is busy changes nothing about it."""

import sys
import threading
from collections.abc import Callable
from itertools import count
from types import FrameType
from typing import Any

_MADE = frozenset({"call", "c_call"})


def steps(do: Callable[[], object]) -> int:
    """How many functions `do` calls, those written in C too, in this thread and in the threads that it starts."""
    made = count()

    def note(_: FrameType, event: str, __: Any) -> None:
        if event in _MADE:
            next(made)

    before = sys.getprofile()
    threading.setprofile(note)
    sys.setprofile(note)
    try:
        do()
    finally:
        sys.setprofile(before)
        threading.setprofile(None)
    return next(made)
