"""A process of the gateway's does not grow by what each of its threads has freed."""

import os
import platform
import subprocess
import sys

import pytest

from local_aws import gateway
from local_aws.aws import LocalAws
from tests.patience import PATIENCE_S

AWS = LocalAws(url="http://127.0.0.1:4566")
# Each thread frees seven pieces of every size that it may keep for itself, and lives on.
_THREADS_THAT_FREE = """
import ctypes, threading
libc, go_on = ctypes.CDLL(None), threading.Event()
libc.malloc.restype, libc.free.argtypes = ctypes.c_void_p, [ctypes.c_void_p]
done = threading.Barrier(101)

def work():
    for size in range(528, 1033, 16):
        for piece in [libc.malloc(size) for _ in range(7)]:
            libc.free(piece)
    done.wait()
    go_on.wait()

def resident_kb():
    libc.malloc_trim(0)
    with open("/proc/self/status") as status:
        return next(int(line.split()[1]) for line in status if line.startswith("VmRSS"))

threads = [threading.Thread(target=work) for _ in range(100)]
before = resident_kb()
for thread in threads:
    thread.start()
done.wait()
print(resident_kb() - before)
go_on.set()
"""


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="the C library is not glibc")
def test_threads_keep_nothing_of_what_they_have_freed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("GLIBC_TUNABLES", raising=False)

    def grown_kb(env: dict[str, str]) -> int:
        return int(
            subprocess.check_output([sys.executable, "-c", _THREADS_THAT_FREE], env=env, text=True, timeout=PATIENCE_S)
        )

    env = gateway.environment(AWS, {})
    without = {name: value for name, value in env.items() if name != "GLIBC_TUNABLES"}
    assert grown_kb(env) < grown_kb(without) / 2


def test_tunables_that_somebody_has_set_are_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("GLIBC_TUNABLES", raising=False)
    assert "arena_max=2" in gateway.environment(AWS, {})["GLIBC_TUNABLES"]
    monkeypatch.setitem(os.environ, "GLIBC_TUNABLES", "glibc.malloc.arena_max=1")
    assert gateway.environment(AWS, {})["GLIBC_TUNABLES"] == "glibc.malloc.arena_max=1"
