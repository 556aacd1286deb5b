"""The recipes for signing in docs/keys.md, run as they are printed."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import llm_gateway_client
import pytest

from tests.adapters.signing import KEY_ID
from tests.adapters.verifying_server import Verifier
from tests.clients.conftest import SIGNING_SECRET

PAGE = (Path(__file__).parents[2] / "docs/keys.md").read_text(encoding="utf-8").partition("## Signing requests")[2]
CLIENT = Path(llm_gateway_client.__file__).parents[1]


def blocks(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)


def run(verifier: Verifier, *command: str, **changes: str) -> str:
    environment = {
        "PATH": os.environ["PATH"],
        "PYTHONPATH": str(CLIENT),
        "GATEWAY_URL": verifier.address,
        "KEY_ID": KEY_ID,
        "SIGNING_SECRET": SIGNING_SECRET,
        "NO_PROXY": "*",
    }
    done = subprocess.run(command, env=environment | changes, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    return done.stdout


needs_tools = pytest.mark.skipif(
    not all(shutil.which(tool) for tool in ("bash", "openssl", "curl")), reason="bash, openssl and curl are needed"
)


@needs_tools
@pytest.mark.parametrize("stage", ["", "/prod", "/a/base/path"])
def test_the_shells_requests_are_accepted(verifier: Verifier, stage: str) -> None:
    (recipe,) = blocks("bash")
    out = run(verifier, "bash", "-euo", "pipefail", "-c", recipe, GATEWAY_URL=verifier.address + stage)
    assert out.splitlines() == ['{"said": "accepted"}'] * 4
    listed, paged, asked, once = verifier.seen
    assert {seen.path.removesuffix("/providers").removesuffix("/query") for seen in verifier.seen} == {
        f"{stage}/api/v1/llm"
    }
    assert (listed.method, listed.query, paged.query) == ("GET", "", "limit=5")
    assert (asked.method, asked.query) == ("POST", "")
    assert asked.body.startswith(b'{"messages": ')
    assert dict(once.headers)["idempotency-key"] == "order-4711"


@needs_tools
def test_the_shell_with_a_wrong_secret_is_refused(verifier: Verifier) -> None:
    (recipe,) = blocks("bash")
    out = run(verifier, "bash", "-euo", "pipefail", "-c", recipe, SIGNING_SECRET=SIGNING_SECRET + "x")
    assert out.splitlines() == ['{"said": "signature_invalid"}'] * 4


def test_the_python_requests_are_accepted(verifier: Verifier) -> None:
    (recipe,) = blocks("python")
    out = run(verifier, sys.executable, "-W", "error", "-c", recipe)
    assert out.splitlines() == ["{'said': 'accepted'}"] * 2


def test_the_page_names_every_code() -> None:
    for code in ("signature_invalid", "signature_expired", "signature_replayed", "dependency_unavailable"):
        assert f"`{code}`" in PAGE
