"""How long others wait for a server that is sent bodies which are made to cost more than they weigh.

`python -m tests.entrypoints.hostile_waits` prints one line of JSON: the milliseconds that `/health` took `idle` and `meanwhile`,
and what 4 MiB of each kind took (`bodies`). One client sends them, one after the other; it shares the server's process.
"""

import json
import logging
import sys
import threading
import time
from collections.abc import Callable
from functools import partial
from typing import Final

from tests.adapters.gateway import FakeGateway
from tests.entrypoints.conftest import QUERY
from tests.entrypoints.hostile import KINDS, MIB
from tests.entrypoints.serving import Serving

_ROUNDS: Final = 2
_WHILE_IDLE: Final = 200
_BETWEEN_S: Final = 0.005


def main() -> None:
    """Ask for `/health` all the time."""
    logging.disable()
    bodies = {kind: body(4 * MIB - 64) for kind, body in KINDS.items()}
    idle, meanwhile, sent = list[float](), list[float](), {kind: list[float]() for kind in bodies}
    with Serving(FakeGateway()) as serving:

        def send() -> None:
            for _ in range(_ROUNDS):
                for kind, body in bodies.items():
                    sent[kind].append(_timed_ms(partial(serving.call, "POST", QUERY, body)))

        def ask() -> float:
            time.sleep(_BETWEEN_S)
            return _timed_ms(partial(serving.call, "GET", "/health"))

        idle += [ask() for _ in range(_WHILE_IDLE)]
        sending = threading.Thread(target=send)
        sending.start()
        while sending.is_alive():
            meanwhile.append(ask())
        sending.join()
    sys.stdout.write(json.dumps({"idle": idle, "meanwhile": meanwhile, "bodies": sent}) + "\n")


def _timed_ms(do: Callable[[], object]) -> float:
    began_s = time.perf_counter()
    do()
    return (time.perf_counter() - began_s) * 1000


if __name__ == "__main__":
    main()
