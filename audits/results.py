"""What a check came to: its findings, or why it was not made."""

import tomllib
from collections.abc import Sequence
from dataclasses import dataclass, field
from fnmatch import fnmatch
from pathlib import Path


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """`rule` and `place` name it for the list of what is accepted; `told` says what it is."""

    rule: str
    place: str
    told: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """`looked_at` says at what. One that was `skipped` has no findings and says why it was not made."""

    check: str
    looked_at: str
    findings: Sequence[Finding] = ()
    skipped: str | None = None


@dataclass(slots=True, kw_only=True)
class Accepted:
    """Findings of `check` that are right as they are, by rule and place (both may have wildcards), with the `reason`."""

    check: str
    rule: str
    place: str
    reason: str
    met: int = field(default=0)

    def covers(self, check: str, finding: Finding) -> bool:
        return self.check == check and fnmatch(finding.rule, self.rule) and fnmatch(finding.place, self.place)


def accepted(path: Path) -> list[Accepted]:
    """Raises ValueError for one without a reason."""
    entries = [Accepted(**entry) for entry in tomllib.loads(path.read_text(encoding="utf-8")).get("accepted", [])]
    for entry in entries:
        if not entry.reason.strip():
            raise ValueError(f"{path.name}: {entry.check} {entry.rule} {entry.place} has no reason")
    return entries


def judged(result: Result, entries: Sequence[Accepted]) -> tuple[list[Finding], int]:
    """What is left of a result's findings, and how many were accepted. An entry that nothing met any more is a finding too."""
    left, count = [], 0
    for finding in result.findings:
        entry = next((entry for entry in entries if entry.covers(result.check, finding)), None)
        if entry is None:
            left.append(finding)
        else:
            entry.met += 1
            count += 1
    idle = [entry for entry in entries if entry.check == result.check and not entry.met and result.skipped is None]
    left += [
        Finding(rule=entry.rule, place=entry.place, told="is accepted, and found no more: take it out")
        for entry in idle
    ]
    return left, count
