"""Build the dependencies layer without Docker: the locked wheels for Lambda's platform, pruned and compiled ahead of time."""

import shutil
import subprocess
import sys
from pathlib import Path

from layers.binaries import strip
from layers.bytecode import compile_tree, interpreter
from layers.cache import LAYERS, cached
from layers.tools import tool

LOCK = LAYERS / "dependencies" / "requirements.lock"
# botocore describes every AWS service, 29 MB of them; these are the ones that the gateway calls.
_SERVICES = {"dynamodb", "events", "kms", "s3", "secretsmanager", "sqs", "sts"}
# Pages, notes, measurements, stubs and old versions that no program needs.
_UNREAD = (
    "aws_lambda_powertools/event_handler/openapi/swagger_ui",
    "jsonschema/benchmarks",
    "*.dist-info/sboms",
    "botocore/data/*/*/examples-1.json",
    "**/*.pyi",
    # For models of pydantic's first version: there is none.
    "pydantic/v1",
)
# `anyio` looks into its own source for what to import; `stdnum` is to be had as it is, as its licence asks. The rest has its
# bytecode alone, half of its size: a traceback names its files and lines, and does not show them.
_WITH_SOURCE = {"anyio", "stdnum"}
# Installers' own notes. METADATA stays, because packages ask importlib.metadata for their version, and so do the licences.
_INSTALLER_NOTES = {"RECORD", "INSTALLER", "REQUESTED", "direct_url.json", "uv_cache.json"}


def build(*, python: str, architecture: str) -> Path:
    """The layer's directory for Python `python` ("3.13") on `architecture` ("arm64" or "x86_64")."""
    platform = f"{'aarch64' if architecture == 'arm64' else architecture}-manylinux_2_28"

    def fill(directory: Path) -> None:
        packages = directory / "python"
        _install(packages, python=python, platform=platform)
        prune(packages)
        for binary in [*packages.rglob("*.so"), *packages.rglob("*.so.*")]:
            strip(binary)
        compile_tree(directory, python=python, instead=lambda source: _package(source, packages) not in _WITH_SOURCE)

    # A layer without bytecode must not be taken for one with it when the interpreter turns up later.
    made_by = (Path(__file__), LAYERS / "binaries.py", LAYERS / "bytecode.py")
    parts = (LOCK.read_bytes(), *(module.read_bytes() for module in made_by), python.encode(), platform.encode())
    return cached("dependencies", (*parts, str(interpreter(python) is not None).encode()), fill)


def _install(packages: Path, *, python: str, platform: str) -> None:
    # Copied, not linked: what is pruned and dated here would otherwise change in uv's own cache.
    command = [tool("uv"), "pip", "install", "--quiet", "--python", sys.executable, "--link-mode", "copy"]
    wanted = ["--python-version", python, "--python-platform", platform, "--only-binary", ":all:", "--require-hashes"]
    subprocess.run([*command, *wanted, "--target", str(packages), "-r", str(LOCK)], check=True)  # noqa: S603


def prune(packages: Path) -> None:
    """Remove from a directory of installed packages what no function needs."""
    shutil.rmtree(packages / "bin", ignore_errors=True)
    for path in [*packages.glob("botocore/data/*"), *packages.glob("boto3/data/*")]:
        if path.is_dir() and path.name not in _SERVICES:
            shutil.rmtree(path)
    for path in [path for pattern in _UNREAD for path in packages.glob(pattern)]:
        shutil.rmtree(path) if path.is_dir() else path.unlink()
    for tests in [*packages.glob("*/tests"), *packages.glob("*/test")]:
        shutil.rmtree(tests)
    for path in packages.glob("*.dist-info/*"):
        if path.name in _INSTALLER_NOTES:
            path.unlink()


def _package(source: Path, packages: Path) -> str:
    return source.relative_to(packages).parts[0]
