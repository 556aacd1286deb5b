"""Build the dependencies layer without Docker: the locked wheels for Lambda's platform, pruned and compiled ahead of time."""

import shutil
import subprocess
import sys
from pathlib import Path

from layers.bytecode import compile_tree, interpreter
from layers.cache import LAYERS, cached
from layers.tools import tool

LOCK = LAYERS / "dependencies" / "requirements.lock"
# botocore describes every AWS service, 29 MB of them; these are the ones that the gateway calls.
_SERVICES = {"dynamodb", "events", "kms", "s3", "secretsmanager", "sqs", "sts"}
# Installers' own notes. METADATA stays, because packages ask importlib.metadata for their version, and so do the licences.
_INSTALLER_NOTES = {"RECORD", "INSTALLER", "REQUESTED", "direct_url.json", "uv_cache.json"}


def build(*, python: str, architecture: str) -> Path:
    """The layer's directory for Python `python` ("3.13") on `architecture` ("arm64" or "x86_64")."""
    platform = f"{'aarch64' if architecture == 'arm64' else architecture}-manylinux_2_28"

    def fill(directory: Path) -> None:
        packages = directory / "python"
        _install(packages, python=python, platform=platform)
        prune(packages)
        compile_tree(directory, python=python)

    # A layer without bytecode must not be taken for one with it when the interpreter turns up later.
    parts = (LOCK.read_bytes(), Path(__file__).read_bytes(), python.encode(), platform.encode())
    return cached("dependencies", (*parts, str(interpreter(python) is not None).encode()), fill)


def _install(packages: Path, *, python: str, platform: str) -> None:
    # Copied, not linked: what is pruned and dated here would otherwise change in uv's own cache.
    command = [tool("uv"), "pip", "install", "--quiet", "--python", sys.executable, "--link-mode", "copy"]
    wanted = ["--python-version", python, "--python-platform", platform, "--only-binary", ":all:", "--require-hashes"]
    subprocess.run([*command, *wanted, "--target", str(packages), "-r", str(LOCK)], check=True)  # noqa: S603


def prune(packages: Path) -> None:
    """Remove from a directory of installed packages what no function needs."""
    shutil.rmtree(packages / "bin", ignore_errors=True)
    for path in (packages / "botocore" / "data").iterdir():
        if path.is_dir() and path.name not in _SERVICES:
            shutil.rmtree(path)
    for tests in [*packages.glob("*/tests"), *packages.glob("*/test")]:
        shutil.rmtree(tests)
    for path in packages.glob("*.dist-info/*"):
        if path.name in _INSTALLER_NOTES:
            path.unlink()
