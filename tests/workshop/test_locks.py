"""The locks pin every package by hash and leave it to each machine where packages come from."""

import json
import re
from pathlib import Path

import pytest

from workshop.places import CDK_CLI_SOURCE, DEV_LOCK, MODEL_SERVER_LOCK, ROOT, RUNTIME_LOCK

# What begins with a dot is made here: an environment, a cache, the state of `make run`.
PYTHON_LOCKS = sorted(
    path for path in ROOT.rglob("*.lock") if not any(part.startswith(".") for part in path.relative_to(ROOT).parts)
)
NAMES_A_HOST = re.compile(r"https?://|--index-url|--extra-index-url|--find-links|\bresolved\b", re.IGNORECASE)
PIN = re.compile(r"^([a-z0-9][a-z0-9._-]*)==(\S+)", re.MULTILINE)


def pins(lock: Path) -> dict[str, set[str]]:
    """The versions that `lock` pins of each package; several where they differ by Python version."""
    found: dict[str, set[str]] = {}
    for name, version in PIN.findall(lock.read_text()):
        found.setdefault(name, set()).add(version)
    return found


@pytest.mark.parametrize("lock", [*PYTHON_LOCKS, CDK_CLI_SOURCE / "package-lock.json"], ids=lambda path: path.name)
def test_names_no_index(lock: Path) -> None:
    assert NAMES_A_HOST.search(lock.read_text()) is None


@pytest.mark.parametrize("lock", PYTHON_LOCKS, ids=lambda path: path.relative_to(ROOT).as_posix())
@pytest.mark.holds("LLM03", "API8")
def test_every_pin_has_a_hash(lock: Path) -> None:
    blocks = re.split(r"^(?=[a-z0-9])", lock.read_text(), flags=re.MULTILINE)[1:]
    assert blocks
    assert [block.split()[0] for block in blocks if "--hash=sha256:" not in block] == []


def test_the_cdk_command_line_is_pinned_by_integrity() -> None:
    packages = json.loads((CDK_CLI_SOURCE / "package-lock.json").read_text())["packages"]
    wanted = json.loads((CDK_CLI_SOURCE / "package.json").read_text())["dependencies"]["aws-cdk"]
    assert packages["node_modules/aws-cdk"]["version"] == wanted
    assert all("integrity" in package for name, package in packages.items() if name)


@pytest.mark.parametrize("lock", [RUNTIME_LOCK, MODEL_SERVER_LOCK], ids=lambda path: path.parent.name)
def test_what_ships_is_what_developers_test_with(lock: Path) -> None:
    tested = pins(DEV_LOCK)
    shared = {name: versions for name, versions in pins(lock).items() if name in tested}
    assert shared
    assert {name: tested[name] for name in shared} == shared
