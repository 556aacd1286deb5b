"""What ships: vulnerabilities that are known, licences, and a bill of materials."""

import json
import re
import subprocess
from importlib import metadata
from pathlib import Path
from typing import Any, Final

from audits.results import Finding, Result

LOCKS: Final = (
    "layers/dependencies/requirements.lock",
    "container-local-model/requirements.lock",
    "requirements-dev.lock",
)
SBOM: Final = ".cache/sbom.cdx.json"
# Of what ships: licences that let anybody use, change and pass on, without asking for more than a notice.
ALLOWED: Final = re.compile(
    r"(?i)\b(MIT|MIT-0|MIT-CMU|BSD|Apache|ISC|PSF|Python Software Foundation|MPL|Mozilla Public|0BSD|Unlicense|Zlib|HPND)"
)
_PINNED: Final = re.compile(r"^([A-Za-z0-9._-]+)==([^ ;\\]+)", re.MULTILINE)
_UNREACHED: Final = re.compile(
    r"(?i)connection|timed? ?out|resolve|proxy|max retries|service ?error|temporarily|forbidden|HTTPError"
)


def pinned(lock: Path) -> dict[str, str]:
    return dict(_PINNED.findall(lock.read_text(encoding="utf-8")))


def vulnerabilities(root: Path, tools: Path) -> Result:
    """Asks the database of advisories of PyPI about every version of the locks."""
    looked_at = f"{len(LOCKS)} locks, {len({*_all(root)})} packages"
    findings = []
    for lock in LOCKS:
        command = [str(tools / "pip-audit"), "--disable-pip", "--no-deps", "--progress-spinner", "off", "--timeout", "10",
                   "--format", "json", "--requirement", str(root / lock)]  # fmt: skip
        done = subprocess.run(command, capture_output=True, text=True)
        try:
            told = json.loads(done.stdout)["dependencies"]
        except (ValueError, KeyError):
            if _UNREACHED.search(done.stderr):
                return Result(check="pip-audit", looked_at=looked_at, skipped="its database does not answer from here")
            raise RuntimeError(f"pip-audit failed: {done.stderr.strip().splitlines()[-1:]}") from None
        findings += [
            Finding(rule=advisory["id"], place=each["name"], told=f"{each['version']} has a known vulnerability")
            for each in told for advisory in each.get("vulns", ())
        ]  # fmt: skip
    return Result(check="pip-audit", looked_at=looked_at, findings=findings)


def licences(root: Path) -> Result:
    shipped = pinned(root / LOCKS[0])
    findings = []
    for name in sorted(shipped):
        try:
            about = metadata.metadata(name)
        except metadata.PackageNotFoundError:
            continue
        licence = _licence(about)
        if not ALLOWED.search(licence):
            findings.append(
                Finding(rule=licence[:60] or "none told", place=name, told="is a licence that is not allowed yet")
            )
    return Result(check="licences", looked_at=f"{len(shipped)} packages that ship", findings=findings)


def bill_of_materials(root: Path, tools: Path) -> Result:
    """Written to `.cache/sbom.cdx.json`, in CycloneDX's JSON: every package that ships, with version and hashes."""
    lock, bill = root / LOCKS[0], root / SBOM
    bill.parent.mkdir(exist_ok=True)
    command = [
        str(tools / "cyclonedx-py"),
        "requirements",
        "--output-format",
        "JSON",
        "--output-file",
        str(bill),
        str(lock),
    ]
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode:
        raise RuntimeError(f"cyclonedx-py failed: {done.stderr.strip().splitlines()[-1:]}")
    listed = {_plain(each["name"]) for each in json.loads(bill.read_text(encoding="utf-8"))["components"]}
    missing = {_plain(name) for name in pinned(lock)} - listed
    findings = [Finding(rule="missing", place=name, told="ships and is not in the bill") for name in sorted(missing)]
    return Result(check="SBOM", looked_at=f"{len(listed)} packages, written to {SBOM}", findings=findings)


def _licence(about: Any) -> str:
    classified = [each.split("::")[-1].strip() for each in about.get_all("Classifier") or () if "License ::" in each]
    return about.get("License-Expression") or ", ".join(classified) or (about.get("License") or "").split("\n")[0]


def _all(root: Path) -> set[str]:
    return {name for lock in LOCKS for name in pinned(root / lock)}


def _plain(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()
