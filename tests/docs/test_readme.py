"""The README's quick start: its commands run as they stand, once the gateway is up."""

import os
import subprocess
from pathlib import Path

from llm_gateway.settings import Settings

from tests.adapters.gateway import FakeGateway
from tests.adapters.local_model import MODEL_NAME
from tests.docs.pages import blocks, with_a_shell
from tests.entrypoints.conftest import PROVIDER
from tests.entrypoints.serving import Serving
from workshop import command_line
from workshop.places import ROOT

README = (ROOT / "README.md").read_text(encoding="utf-8")


@with_a_shell
def test_the_quick_start_runs(tmp_path: Path) -> None:
    (script,) = blocks(README, "bash")
    command_line.link()
    settings = Settings.from_environment({"ALLOW_PRIVATE_ADDRESSES": "true"})  # as the local run's are
    with Serving(FakeGateway(settings=settings)) as serving:
        assert serving.call("POST", "/api/v1/llm/providers", PROVIDER | {"default_model": MODEL_NAME})[0].status == 201
        environment = {
            "PATH": f"{command_line.SCRIPT.parent}:{os.environ['PATH']}",
            "HOME": str(tmp_path),
            "NO_PROXY": "*",
            "GATEWAY_URL": f"http://127.0.0.1:{serving.port}",
            "GATEWAY_KEY": serving.key,
        }
        done = subprocess.run(
            ["bash", "-euo", "pipefail", "-c", script],
            cwd=ROOT,
            env=environment,
            capture_output=True,
            text=True,
            timeout=300,
        )
    assert done.returncode == 0, done.stdout + done.stderr
    first, *_, last = done.stdout.splitlines()
    assert first == "Hello!"
    assert "mine is there" in done.stdout
    assert "2 passed" in done.stdout
    assert last.startswith("local ")


def test_it_begins_with_the_gateway() -> None:
    assert README.index("$ make run") < README.index("OPENAI_BASE_URL") < README.index("providers add mine")
