"""docs/guide/command-line.md, run as it stands: every command, in one shell, with the files that it shows."""

import json
import os
import re
import subprocess
from pathlib import Path

from llm_gateway_client.cli import statuses

from tests.adapters.gateway import FakeGateway
from tests.docs.pages import blocks, page, with_a_shell
from tests.entrypoints.conftest import PROVIDER
from tests.entrypoints.serving import Serving
from workshop import command_line

PAGE = page("guide/command-line")


@with_a_shell
def test_the_page_runs_from_top_to_bottom(tmp_path: Path) -> None:
    greeting, manifest = blocks(PAGE, "yaml")
    (tmp_path / "greeting.prompt.yaml").write_text(greeting)
    (tmp_path / "gateway.yaml").write_text(manifest)
    command_line.link()
    path = f"{command_line.SCRIPT.parent}:{os.environ['PATH']}"
    with Serving(FakeGateway()) as serving:
        assert serving.call("POST", "/api/v1/llm/providers", PROVIDER)[0].status == 201
        told = {"PATH": path, "HOME": str(tmp_path), "NO_PROXY": "*"}
        told |= {"GATEWAY_URL": f"http://127.0.0.1:{serving.port}", "GATEWAY_KEY": serving.key}
        script = "\n".join(blocks(PAGE, "bash"))
        done = subprocess.run(
            ["bash", "-euo", "pipefail", "-c", script],
            cwd=tmp_path,
            env=told,
            capture_output=True,
            text=True,
            timeout=300,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        listed = json.loads(serving.call("GET", "/api/v1/llm/keys")[1])["items"]
    assert "All is as it should be." in done.stderr
    assert "1 passed" in done.stdout
    assert (tmp_path / "report.xml").exists()
    assert {"My application", "Support team"} <= {key["name"] for key in listed}


def test_the_page_has_every_exit_status() -> None:
    told = {int(status) for status in re.findall(r"^\| (\d+) \|", PAGE, re.MULTILINE)}
    assert told == {statuses.OK, statuses.FAILED, statuses.INTERRUPTED, *(status for _, status, _ in statuses.ENDS)}
