"""docs/context.md, run as it stands against the gateway: every command, and what each prints."""

import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest
from llm_gateway.domain.context.pool import PASSAGE

from bench.recall import recall, retrieval_set
from tests.adapters.gateway import FakeGateway
from tests.entrypoints.conftest import PROVIDER
from tests.entrypoints.serving import Serving

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs/context.md").read_text(encoding="utf-8")
_BLOCK = re.compile(r"^```(bash|text)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_MARK = "--- the next block ---"


@pytest.mark.skipif(not all(map(shutil.which, ("bash", "curl", "jq", "sed"))), reason="bash, curl, jq, sed are needed")
def test_every_block_runs_and_prints_what_the_page_says() -> None:
    gateway = FakeGateway()
    blocks = _BLOCK.findall(PAGE)
    assert {language for language, _ in blocks} == set(re.findall(r"^```(\w+)$", PAGE, re.MULTILINE))
    script = f"\necho '{_MARK}'\n".join(block for language, block in blocks if language == "bash")
    with Serving(gateway) as serving:
        assert serving.call("POST", "/api/v1/llm/providers", PROVIDER)[0].status == 201
        variables = {
            "PATH": os.environ["PATH"],
            "LC_ALL": "C.UTF-8",
            "NO_PROXY": "*",
            "GATEWAY_URL": f"http://127.0.0.1:{serving.port}",
            "API_KEY": serving.key,
        }
        command = ["bash", "-euo", "pipefail", "-c", script]
        done = subprocess.run(command, env=variables, cwd=ROOT, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stdout + done.stderr
    printed = [part.strip() for part in done.stdout.split(_MARK)]
    said = [block.strip() for language, block in blocks if language == "text"]
    assert [part for part in printed if part] == said


def test_what_the_page_says_of_numbers_is_so() -> None:
    assert f"passages of at most {PASSAGE:,}" in PAGE
    found = retrieval_set()
    assert f"set of {len(found.questions)} questions over {len(found.passages)} passages" in PAGE
    assert f"for {recall('relevance', found):.0%}".replace("%", " %") in PAGE
