"""docs/templates.md, run as it stands: its commands against the gateway, and each row of its tables as a template."""

import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest
from llm_gateway.services.prompts.engine import render
from llm_gateway.services.prompts.filters import FILTERS, TESTS
from llm_gateway.services.prompts.metering import (
    MOST_MADE_BYTES,
    MOST_OUTPUT_BYTES,
    MOST_READ_BYTES,
    MOST_STEPS,
    Meter,
)
from llm_gateway.services.prompts.shipped import ShippedRoles

from tests.adapters.gateway import FakeGateway
from tests.entrypoints.conftest import PROVIDER
from tests.entrypoints.serving import Serving

PAGE = (Path(__file__).parents[2] / "docs/templates.md").read_text(encoding="utf-8")
LANGUAGE = PAGE[PAGE.index("## The language") : PAGE.index("## How far")]
ROWS = re.findall(r"^\| ([^|]+) \| `(.*)` \| `(.*)` \|$", LANGUAGE, re.MULTILINE)
VALUES = {"name": "Ada", "order": {"id": 7, "total": 19.5}, "tags": ["new", "sale"]}


@pytest.mark.skipif(
    not all(shutil.which(tool) for tool in ("bash", "curl", "jq")), reason="bash, curl and jq are needed"
)
def test_the_commands_run_from_top_to_bottom() -> None:
    with Serving(FakeGateway()) as serving:
        assert serving.call("POST", "/api/v1/llm/providers", PROVIDER)[0].status == 201
        script = "\n".join(re.findall(r"^```bash\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL))
        environment = {"PATH": os.environ["PATH"], "NO_PROXY": "*"}
        environment |= {"GATEWAY_URL": f"http://127.0.0.1:{serving.port}", "ADMIN_KEY": serving.key}
        done = subprocess.run(
            ["bash", "-euo", "pipefail", "-c", script], env=environment, capture_output=True, text=True, timeout=60
        )
    assert (done.returncode, done.stderr) == (0, ""), done.stdout + done.stderr
    made, asked, roles = done.stdout.splitlines()
    assert made == '{"id":"fruit","version":1}'
    assert asked.startswith('{"prompt":{"id":"fruit","version":1},"roles":[],"output":{"text":"Hello!"')
    assert roles == '[{"id":"base","version":0},{"id":"coder","version":0}]'


@pytest.mark.parametrize(("source", "text"), [row[1:] for row in ROWS], ids=[row[0] for row in ROWS])
def test_a_row_says_what_comes_of_it(source: str, text: str) -> None:
    assert render(source.replace(r"\|", "|"), VALUES, Meter()) == text.replace(r"\n", "\n")


def test_every_filter_and_every_test_is_on_the_page() -> None:
    told = set(re.findall(r"`(\w+)`", LANGUAGE))
    assert {name for name in FILTERS if not name.startswith("_")} <= told
    assert set(TESTS) <= told
    assert len(ROWS) > 20


def test_every_shipped_role_is_on_the_page_with_its_variables() -> None:
    for role_id, role in ShippedRoles().items():
        names = ", ".join(f"`{name}`" for name in role.versions[0].template.variables)
        assert re.search(rf"^\| `{role_id}` \| [^|]+ \| {names} ?\|$", PAGE, re.MULTILINE), role_id


def test_the_bounds_are_those_of_the_engine() -> None:
    for words, most in (
        ("steps of all loops and filters while a prompt and its roles are filled", f"{MOST_STEPS:,}"),
        ("values that are made meanwhile", f"{MOST_MADE_BYTES // 2**20} MiB"),
        ("values that are read meanwhile", f"{MOST_READ_BYTES // 2**20} MiB"),
        ("text that comes of it", f"{MOST_OUTPUT_BYTES // 2**20} MiB"),
    ):
        assert f"| {words} | {most} |" in PAGE
