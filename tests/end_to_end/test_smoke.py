"""`make smoke` as a release runs it, on the gateway of a laptop; on a deployment it runs among the tests of that."""

from collections.abc import Callable

import httpx2
from llm_gateway.domain.keys import Role

from tests.adapters.gateway_processes import WorkerProcess
from tests.end_to_end.calling import Client
from tests.end_to_end.smoke import smoke
from tests.end_to_end.stack import Scripted, Stack


def test_a_gateway_that_works_passes_and_nothing_is_left(
    base_url: str, client: Client, scripted: Callable[..., Scripted], worker: WorkerProcess, stack: Stack
) -> None:
    # Before what other tests have left.
    provider = scripted(priority=0)
    status, printed = smoke(base_url, client)
    assert status == 0, printed
    assert printed.endswith("smoke: 7 passed, 0 failed, 0 skipped\n")
    assert provider.calls == 3
    assert stack.statuses(client) == []


def test_what_does_not_work_is_named_and_the_key_is_not(
    base_url: str, stack: Stack, http: httpx2.Client, scripted: Callable[..., Scripted]
) -> None:
    scripted()
    auditor = stack.client(http, Role.AUDITOR)
    status, printed = smoke(base_url, auditor)
    assert status == 1, printed
    assert "  failed  A provider answers, and the answer can be read again.\n          answered 403" in printed
    assert auditor.key is not None
    assert auditor.key not in printed
