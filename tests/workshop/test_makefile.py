"""The verbs are few, and each says what it does."""

import re
import subprocess

from workshop.places import ROOT

VERBS = {
    *("run", "test", "test-localstack", "image-test", "check", "audit", "docs", "fix", "openapi", "lock", "help"),
    *("synth", "deploy", "deploy-local", "smoke", "cost", "bench"),
}


def make(*arguments: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(["make", *arguments], cwd=ROOT, capture_output=True, text=True, check=False)


def test_help_lists_every_verb() -> None:
    listed = dict(re.findall(r"^  (\S+) +(\S.*)$", make("help").stdout, flags=re.MULTILINE))
    assert set(listed) == VERBS
    assert all(listed.values())


def test_an_old_python_is_refused_with_the_version_that_is_needed() -> None:
    refused = make("check", "PYTHON=")
    assert refused.returncode != 0
    assert "Python 3.11 or newer is needed" in refused.stderr


def test_ci_runs_the_verbs_that_developers_type() -> None:
    script = (ROOT / ".ci" / "run").read_text()
    verbs = re.findall(r"^ *make (\S+)$", script, flags=re.MULTILINE)
    assert verbs == ["check", "test"]
    assert "set -euo pipefail" in script
    # What is left out is said.
    assert script.count("SKIPPED: make ") == len(verbs) - 2
