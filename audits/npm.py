"""What comes from npm, for those who deploy and for the tests: vulnerabilities that are known. Nothing of it ships."""

import json
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

from audits.results import Finding, Result

LOCKS: Final = ("infra/cli/package-lock.json", "tests/clients/tools/package-lock.json")


def vulnerabilities(root: Path, tools: Path) -> Result:
    """Asks the registry that npm is configured for. A mirror may hand out packages and tell nothing of advisories."""
    looked_at = f"{len(LOCKS)} locks of npm's, {len({name for lock in LOCKS for name in _names(root / lock)})} packages"
    findings: list[Finding] = []
    for lock in LOCKS:
        command = [
            str(tools / "npm"),
            "audit",
            "--package-lock-only",
            "--json",
            "--fetch-retries=0",
            "--fetch-timeout=10000",
        ]
        done = subprocess.run(command, cwd=(root / lock).parent, capture_output=True, text=True)
        try:
            report = json.loads(done.stdout)
        except ValueError:
            raise RuntimeError(f"npm audit failed: {done.stderr.strip().splitlines()[-1:]}") from None
        if "vulnerabilities" not in report:
            if "message" in report:
                return Result(
                    check="npm audit", looked_at=looked_at, skipped="npm's registry tells of no advisories here"
                )
            raise RuntimeError(f"npm audit failed: {report.get('error')}")
        findings += _told(report["vulnerabilities"], lock)
    return Result(check="npm audit", looked_at=looked_at, findings=findings)


def _told(vulnerable: dict[str, Any], lock: str) -> Iterator[Finding]:
    for name, each in vulnerable.items():
        for cause in each["via"]:
            # A name in its place is of a package that has the advisory, which is told of by itself.
            if isinstance(cause, dict):
                told = f"{each['range']} has a known vulnerability ({cause['severity']}), in {lock}"
                yield Finding(rule=cause["url"].rpartition("/")[2], place=name, told=told)


def _names(lock: Path) -> set[str]:
    packages = json.loads(lock.read_text(encoding="utf-8"))["packages"]
    return {path.rpartition("node_modules/")[2] for path in packages if path}
