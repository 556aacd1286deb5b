"""Threads that reach AWS first at the same moment import what they need, and none of them finds half a module."""

import os
import subprocess
import sys

import pytest

# The part whose modules import each other takes so long that the threads are sure to be in the midst of it together.
_SLOWLY = """
import sys, threading, time
from importlib.abc import MetaPathFinder

class Slowly(MetaPathFinder):
    def find_spec(self, name, path, target=None):
        if name.startswith("botocore.docs"):
            time.sleep(0.3)

faults = []
threading.excepthook = lambda told: faults.append(repr(told.exc_value))

def begin(work):
    exec(work, {})

from llm_gateway.stores.connection import Aws
sys.meta_path.insert(0, Slowly())
threads = [threading.Thread(target=begin, args=(work,)) for work in sys.argv[1:]]
for thread in threads:
    thread.start()
    # The second begins while the first is on its way.
    time.sleep(0.6)
for thread in threads:
    thread.join(60)
print(faults)
"""
_WAYS = {
    "a client of a worker's own": "import boto3",
    "a client": "from llm_gateway.stores.connection import Aws; Aws().dynamodb",
    "a model": "import pynamodb.models",
    "a signature": "from llm_gateway.providers.signature import session; session()",
}


@pytest.mark.parametrize(
    ("first", "second"),
    [("a client", "a model"), ("a signature", "a model"), ("a client of a worker's own", "a client")],
)
def test_no_thread_finds_half_a_module(first: str, second: str) -> None:
    ended = subprocess.run(
        [sys.executable, "-c", _SLOWLY, _WAYS[first], _WAYS[second]],
        env=os.environ | {"PYTHONPATH": os.pathsep.join(sys.path), "AWS_DEFAULT_REGION": "eu-central-1"},
        capture_output=True,
        text=True,
        timeout=120,
        check=True,
    )
    assert ended.stdout.strip() == "[]"
