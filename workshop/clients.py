"""Clients and checks that others wrote, for the tests that point them at the gateway. Without them those tests are skipped."""

import sys
from collections.abc import Callable

from workshop import environment, fingerprint, node
from workshop.places import CHECKS, CHECKS_SOURCE, CLIENTS_LOCK, CLIENTS_VENV
from workshop.steps import Failure, Steps


def prepare(steps: Steps) -> None:
    """Make `.cache/clients` and `.cache/checks` hold what their locks say, as far as that can be had."""
    for ready in (_prepare_clients, _prepare_checks):
        attempt(ready, steps)


def attempt(ready: Callable[[Steps], None], steps: Steps) -> None:
    """Do it, or say what cannot be had: nothing but some tests needs it."""
    try:
        ready(steps)
    except Failure as failure:
        print(f"\n{failure}\nThe tests that need it are skipped.\n", file=sys.stderr)


def _prepare_clients(steps: Steps) -> None:
    environment.prepare_apart(steps, "Clients that others wrote", venv=CLIENTS_VENV, lock=CLIENTS_LOCK)


def _prepare_checks(steps: Steps) -> None:
    digest = fingerprint.fingerprint(*(CHECKS_SOURCE / name for name in node.LOCK_FILES))
    stamp = CHECKS / "stamp"
    if fingerprint.is_current(stamp, digest):
        return
    with steps.step("Checks of the API's description"):
        node.install(CHECKS_SOURCE, CHECKS)
    fingerprint.write(stamp, digest)
