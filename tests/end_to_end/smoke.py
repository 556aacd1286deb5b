"""The smoke test, run as its verb runs it."""

import os
import subprocess
import sys

from tests.end_to_end.calling import Client
from workshop.places import ROOT

TIMEOUT_S = 400


def smoke(url: str, client: Client, *, certificates: str | None = None) -> tuple[int, str]:
    """Its exit status, and what it prints; `certificates` are trusted besides."""
    assert client.key is not None
    environment = {"PATH": os.environ["PATH"], "GATEWAY_URL": url, "GATEWAY_KEY": client.key}
    if certificates:
        environment["SSL_CERT_FILE"] = certificates
    ended = subprocess.run(
        [sys.executable, "-m", "operations.smoke"],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
        timeout=TIMEOUT_S,
        check=False,
    )
    return ended.returncode, ended.stdout + ended.stderr
