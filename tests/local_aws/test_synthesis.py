"""The templates that are kept for the next run."""

import json
import os
import subprocess
import sys

from local_aws.synthesis import GATEWAY_PACKAGE, MODULES
from workshop.places import ROOT

_PROBE = """
import json, sys
import app
print(json.dumps([name for name in sys.modules if name.split(".")[0] == "llm_gateway"]))
"""


def test_templates_are_made_anew_when_a_module_changes_that_the_app_imports() -> None:
    environment = {**os.environ, "PYTHONPATH": f"{ROOT}:{GATEWAY_PACKAGE}"}
    ended = subprocess.run(
        [sys.executable, "-c", _PROBE],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
        timeout=120,
        check=True,
    )
    imported = set(json.loads(ended.stdout))
    assert imported == {"llm_gateway", *(f"llm_gateway.{name}" for name in MODULES if name != "__init__")}
