"""A process of its own whose queries take from one account: `python -m tests.stores.account_process`, a task as JSON on stdin.

It says `ready`, waits for a line, lets all its threads go at one moment, and tells for each query when it has `taken` and
`spent`, or why not. Its clock stands still, so that reservations end when the test says so.
"""

import json
import sys
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from decimal import Decimal
from typing import Any

from llm_gateway.domain.accounts import Need, Use
from llm_gateway.domain.limits import duration_ns, to_ns
from llm_gateway.instruments.system import RandomIds
from llm_gateway.stores.accounts import dynamo_key_accounts

from tests.adapters.aws import connect
from tests.adapters.clock import FakeClock
from tests.adapters.key_accounts import RecordingBudgetEvents
from tests.stores.accounting import LASTS_S, account


def say(line: str) -> None:
    # One write: lines of several threads do not mix.
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


def main(task: dict[str, Any], wait_for_start: Callable[[], object]) -> None:
    clock, ids, usd = FakeClock(), RandomIds(), Decimal(task["usd"])
    aws = connect(task["endpoint"])
    accounts = dynamo_key_accounts(aws=aws, table=task["table"], clock=clock, events=RecordingBudgetEvents())
    asked, now_ns = account(**task["account"]), to_ns(clock.now())

    def ask(_: int) -> None:
        need = Need(
            query_id=ids.ulid()[-12:],
            tokens=0,
            usd=usd,
            now_ns=now_ns,
            until_ns=now_ns + duration_ns(LASTS_S),
        )
        taking = accounts.take(asked, need)
        if taking.taken:
            say("taken")
            # Somebody answers meanwhile.
            time.sleep(task["answer_s"])
            accounts.settle(taking.taken, Use(tokens=0, usd=usd))
        say(type(taking.refusal).__name__ if taking.refusal else "spent")

    say("ready")
    wait_for_start()
    with ThreadPoolExecutor(task["threads"]) as threads:
        list(threads.map(ask, range(task["queries"])))
    say("done")


if __name__ == "__main__":
    main(json.loads(sys.stdin.readline()), sys.stdin.readline)
