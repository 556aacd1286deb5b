"""`make audit`: every check, one table, and an exit status that is 0 only where nothing is left to be seen to."""

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Final

from audits import code, npm, packages, tree
from audits.results import Finding, Result, accepted, judged

ROOT: Final = Path(__file__).resolve().parents[1]
TOOLS: Final = ROOT / ".cache" / "audit" / "bin"
# Node comes with a Python package, and npm with Node.
NODE: Final = Path(sys.prefix) / "bin"
ACCEPTED: Final = ROOT / "audits" / "accepted.toml"

Check = Callable[[], Result]
CHECKS: Final[dict[str, Check]] = {
    "bandit": lambda: code.bandit(ROOT, TOOLS),
    "pip-audit": lambda: packages.vulnerabilities(ROOT, TOOLS),
    "npm audit": lambda: npm.vulnerabilities(ROOT, NODE),
    "licences": lambda: packages.licences(ROOT),
    "SBOM": lambda: packages.bill_of_materials(ROOT, TOOLS),
    "secrets": lambda: tree.secrets(ROOT),
    "image bases": lambda: code.image_bases(ROOT),
    "zizmor": lambda: code.workflows(ROOT, TOOLS),
}


def audit(checks: dict[str, Check], *, accepting: Path = ACCEPTED) -> tuple[list[tuple[str, str, str]], list[str]]:
    """The table's rows, and a line for each finding that is left."""
    rows, left = [], []
    entries = accepted(accepting)
    for name, check in checks.items():
        try:
            result = check()
        except (RuntimeError, OSError, subprocess.SubprocessError, ValueError, KeyError) as fault:
            rows.append((name, "-", "could not be made"))
            left.append(f"{name}: could not be made: {fault}")
            continue
        findings, count = judged(result, entries)
        rows.append((name, result.looked_at, _verdict(result, findings, count)))
        left += [f"{name}: {each.rule} in {each.place}: {each.told}" for each in findings]
    return rows, left


def _verdict(result: Result, findings: list[Finding], count: int) -> str:
    if result.skipped is not None:
        return f"skipped: {result.skipped}"
    told = f"{len(findings)} to be seen to" if findings else "nothing found" if not count else "nothing else found"
    return f"{told}, {count} accepted" if count else told


def main() -> int:
    rows, left = audit(CHECKS)
    table = [("check", "looked at", "result"), *rows]
    widths = [max(len(row[column]) for row in table) for column in range(3)]
    for row in table:
        print("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip())
    for line in left:
        print(f"\n{line}" if line == left[0] else line)
    return 1 if left else 0


if __name__ == "__main__":
    sys.exit(main())
