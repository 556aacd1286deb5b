"""Bodies that are made to cost more than they weigh; `python -m tests.entrypoints.hostile` says what each costs.

It prints one line of JSON a kind: the status and the length of the answer, the functions called for 1 and 2 MiB, by how many MiB
the memory of the whole process grew for 4 MiB, and the processor's time for 4 MiB in milliseconds.
"""

import gc
import json
import logging
import os
import resource
import sys
import time
from collections.abc import Callable
from functools import partial
from typing import Final

from httpx2 import Response
from llm_gateway.domain.keys import Role
from llm_gateway.entrypoints.http import app_of
from llm_gateway.entrypoints.threads import handlers
from starlette.testclient import TestClient

from functions.__main__ import every_endpoint
from tests.adapters.gateway import FakeGateway
from tests.adapters.steps import steps

MIB: Final = 1024 * 1024


def _filled(head: str, piece: str, tail: str) -> Callable[[int], bytes]:
    def body(size: int) -> bytes:
        count = (size - len(head) - len(tail)) // (len(piece) + 1)
        return (head + ",".join([piece] * count) + tail).encode()

    return body


def _members(head: str, tail: str) -> Callable[[int], bytes]:
    def body(size: int) -> bytes:
        members, left, number = [], size - len(head) - len(tail), 0
        while left > 0:
            members.append(f'"{number:x}":0')
            left -= len(members[-1]) + 1
            number += 1
        return (head + ",".join(members) + tail).encode()

    return body


def _twice(size: int) -> bytes:
    return _members('{"metadata":{"first":1,', ',"first":2}}')(size)


def _nested(size: int) -> bytes:
    return b'{"metadata":' + b"[" * (size // 2) + b"]" * (size // 2) + b"}"


_USER: Final = '{"messages":[{"role":"user","content":'
KINDS: Final[dict[str, Callable[[int], bytes]]] = {
    "zeros as parts": _filled(f"{_USER}[", "0", "]}]}"),
    "empty parts": _filled(f"{_USER}[", "{}", "]}]}"),
    "parts": _filled(f"{_USER}[", '{"type":"text","text":""}', "]}]}"),
    "zeros as tool calls": _filled('{"messages":[{"role":"assistant","tool_calls":[', "0", "]}]}"),
    "zeros as messages": _filled('{"messages":[', "0", "]}"),
    "messages that lack something": _filled('{"messages":[', '{"role":"user"}', "]}"),
    "zeros as tools": _filled('{"tools":[', "0", "]}"),
    "zeros to stop at": _filled('{"parameters":{"stop":[', "0", "]}}"),
    "zeros to fall back to": _filled('{"fallback":[', "0", "]}"),
    "zeros in metadata": _filled('{"metadata":{"a":[', "0", "]}}"),
    "zeros in a schema": _filled('{"output":{"type":"json_schema","schema":{"enum":[', "0", "]}}}"),
    "thoughts": _filled(
        '{"messages":[{"role":"assistant","content":"x","reasoning":{"items":[',
        '{"vendor":"openai","item":{}}',
        "]}}]}",
    ),
    "documents": _filled(
        f"{_USER}[", '{"type":"file","file":{"file_data":"data:application/pdf;base64,JVBERi0="}}', "]}]}"
    ),
    "a document of blanks": lambda size: (
        f'{_USER}[{{"type":"file","file":{{"file_data":"data:application/pdf;base64,JVBERi0x{"ICAg" * (size // 4 - 40)}'
        '","filename":""}}]}]}'
    ).encode(),
    "options of vendors": _members('{"vendor":{"openai":{', "}}}"),
    "unknown members": _members("{", "}"),
    "unknown members of a message": _members('{"messages":[{"role":"user","content":"x",', "}]}"),
    "unknown members of a part": _members(f'{_USER}[{{"type":"text","text":"x",', "}]}]}"),
    "members of metadata": _members('{"metadata":{', "}}"),
    "a name twice": _twice,
    "deep nesting": _nested,
    "a long text": lambda size: b'{"model":"' + b"a" * size + b'"}',
    "a long name": lambda size: b'{"' + b"a" * size + b'":1}',
    "a long number": lambda size: b'{"timeout_s":' + b"9" * size + b"}",
    "escapes": lambda size: b'{"model":"' + b"\\u0041" * (size // 6) + b'"}',
    "quotes in a text": lambda size: b'{"model":"' + b'\\"' * (size // 2) + b'"}',
}


def main() -> None:
    """Ask with every kind of body, each in a process of its own, so that none grows where another has been."""
    client, headers = _client()

    def ask(body: bytes) -> Response:
        return client.post("/api/v1/llm/query", content=body, headers=headers)

    # What any request of that size takes is not this body's fault.
    ask(_USER.encode() + b'"' + b"x" * (4 * MIB - 100) + b'"}]}')
    for kind, body in KINDS.items():
        bodies = [body(size * MIB - 64) for size in (1, 2, 4)]
        gc.collect()
        if os.fork() == 0:
            _tell(kind, *bodies, ask=ask)
            sys.stdout.flush()
            os._exit(0)
        os.wait()


def _client() -> tuple[TestClient, dict[str, str]]:
    logging.disable()
    gateway = FakeGateway()
    secret = gateway.new_key(Role.ADMIN)[1]
    headers = {"Authorization": f"Bearer {secret}", "Content-Type": "application/json"}
    return TestClient(app_of(*every_endpoint(), gateway=lambda: gateway)), headers


def _tell(kind: str, one: bytes, two: bytes, four: bytes, *, ask: Callable[[bytes], Response]) -> None:
    before, began_s = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss, time.process_time()
    answer = ask(four)
    took_ms = (time.process_time() - began_s) * 1000
    grown_mib = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024
    one_steps, two_steps = (_all_steps(partial(ask, body)) for body in (one, two))
    line = {
        "kind": kind,
        "status": answer.status_code,
        "length": len(answer.content),
        "one_steps": one_steps,
        "two_steps": two_steps,
        "grown_mib": grown_mib,
        "four_ms": took_ms,
    }
    sys.stdout.write(json.dumps(line) + "\n")


def _all_steps(do: Callable[[], object]) -> int:
    """Those of the handler's thread too: only in a thread that starts now are steps counted."""
    handlers.cache_clear()
    return steps(do)


if __name__ == "__main__":
    main()
