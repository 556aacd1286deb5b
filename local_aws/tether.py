"""Starts a program that ends with its parent, however the parent ends: `python tether.py PARENT_PID PROGRAM ARGUMENT…`.

Linux sends the signal. Elsewhere the program runs all the same, and a parent that is killed leaves it behind.
"""

import ctypes
import os
import signal
import sys

PR_SET_PDEATHSIG = 1


def end_with_parent() -> None:
    """Have the system send this process SIGTERM when the thread that started it is gone."""
    if sys.platform == "linux":
        ctypes.CDLL(None, use_errno=True).prctl(PR_SET_PDEATHSIG, signal.SIGTERM)


if __name__ == "__main__":
    end_with_parent()
    if os.getppid() != int(sys.argv[1]):  # It was gone before the system was asked.
        sys.exit(1)
    os.execvp(sys.argv[2], sys.argv[2:])  # noqa: S606
