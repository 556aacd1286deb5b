"""What the code itself is held to: bandit, the container image's bases, and workflows."""

import json
import re
import subprocess
from pathlib import Path
from typing import Any, Final

from audits.results import Finding, Result

LOOKED_AT: Final = (
    "layers", "functions", "infra", "clients", "container-local-model", "operations", "local_aws", "workshop", "audits", "bench",
    "app.py",
)  # fmt: skip
DOCKERFILE: Final = "container-local-model/Dockerfile"
WORKFLOWS: Final = ".github/workflows"


def bandit(root: Path, tools: Path) -> Result:
    command = [str(tools / "bandit"), "--recursive", "--quiet", "--format", "json", *LOOKED_AT]
    done = subprocess.run(command, cwd=root, capture_output=True, text=True)
    try:
        report = json.loads(done.stdout)
    except ValueError:
        raise RuntimeError(f"bandit failed: {done.stderr.strip().splitlines()[-1:]}") from None
    findings = [_bandits(each) for each in report["results"]]
    findings += [Finding(rule="unread", place=each["filename"], told=each["reason"]) for each in report["errors"]]
    lines = report["metrics"]["_totals"]["loc"]
    return Result(check="bandit", looked_at=f"{lines:,} lines of {len(LOOKED_AT)} places", findings=findings)


def _bandits(each: dict[str, Any]) -> Finding:
    told = f"line {each['line_number']}: {each['issue_text']}"
    return Finding(rule=each["test_id"], place=each["filename"].removeprefix("./"), told=told)


def image_bases(root: Path) -> Result:
    """An image's tag may be moved; its digest may not."""
    text = (root / DOCKERFILE).read_text(encoding="utf-8")
    named = dict(re.findall(r"^ARG (\w+)=(\S+)", text, re.MULTILINE))
    bases = [
        re.sub(r"\$\{(\w+)\}", lambda found: named.get(found[1], found[0]), each)
        for each in re.findall(r"^FROM (\S+)", text, re.MULTILINE)
    ]
    outer = sorted({base for base in bases if base not in re.findall(r"(?i) AS (\S+)", text)})
    findings = [
        Finding(rule="tag", place=base.split(":")[0], told=f"{base} is named by its tag, not by its digest")
        for base in outer if "@sha256:" not in base
    ]  # fmt: skip
    return Result(check="image bases", looked_at=f"{DOCKERFILE}, {len(outer)} bases", findings=findings)


def workflows(root: Path, tools: Path) -> Result:
    found = sorted((root / WORKFLOWS).glob("*.y*ml"))
    if not found:
        return Result(check="zizmor", looked_at=f"{WORKFLOWS}: there are none")
    done = subprocess.run(
        [str(tools / "zizmor"), "--offline", "--format", "json", str(root / WORKFLOWS)], capture_output=True, text=True
    )
    try:
        report = json.loads(done.stdout)
    except ValueError:
        raise RuntimeError(f"zizmor failed: {done.stderr.strip().splitlines()[-1:]}") from None
    findings = [Finding(rule=each["ident"], place=_workflow(each), told=each["desc"]) for each in report]
    return Result(check="zizmor", looked_at=f"{len(found)} workflows", findings=findings)


def _workflow(finding: dict[str, object]) -> str:
    found = re.search(r"[\w.-]+\.ya?ml", json.dumps(finding.get("locations", "")))
    return found[0] if found else WORKFLOWS
