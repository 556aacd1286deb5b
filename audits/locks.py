"""The locks, and what of them ships: in the layers, in the image of the local model, and beside the Python client."""

import re
import tomllib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import Final

from packaging.requirements import Requirement

SHIPPED: Final = (
    "layers/dependencies/requirements.lock",
    "container-local-model/requirements.lock",
    # Of this one the image holds the model that the package carries.
    "container-local-model/model.lock",
)
# The client names ranges: these are the versions that it is tested with.
CLIENTS: Final = "requirements-dev.lock"
CLIENT: Final = "clients/python/pyproject.toml"
LOCKS: Final = (
    *SHIPPED, CLIENTS, "container-local-model/build.lock", "tests/localstack/requirements.lock", "workshop/audit.lock",
    "workshop/clients.lock", "workshop/docs.lock", "workshop/profile.lock", "workshop/uv.lock",
)  # fmt: skip
# With the image's Python.
_SHIPS_TO: Final = {
    "sys_platform": "linux", "platform_system": "Linux", "os_name": "posix",
    "python_version": "3.13", "python_full_version": "3.13.0",
}  # fmt: skip
_PINNED: Final = re.compile(r"^([A-Za-z0-9._-]+)==([^ ;\\\n]+)[^\n]*(?:\n[ \t][^\n]*)*", re.MULTILINE)


@dataclass(frozen=True, slots=True, kw_only=True)
class Pin:
    """`text` is what the lock says of it: version, marker, hashes, and who wants it."""

    name: str
    version: str
    text: str

    def ships(self) -> bool:
        """Whether it is installed where it ships to: locks have pins for other platforms and other Pythons, too."""
        return _holds(Requirement(self.text.splitlines()[0].rstrip(" \\")))


def pins(lock: Path) -> list[Pin]:
    found = _PINNED.finditer(lock.read_text(encoding="utf-8"))
    return [Pin(name=plain(each[1]), version=each[2], text=each[0]) for each in found]


def shipped(root: Path) -> list[Pin]:
    """Every package that ships, once in each version. Raises ValueError where the client needs one that is not locked."""
    found = [pin for lock in SHIPPED for pin in pins(root / lock) if pin.ships()]
    wanted = with_dependencies(needs_of_the_client(root))
    of_the_client = [pin for pin in pins(root / CLIENTS) if pin.name in wanted and pin.ships()]
    if unlocked := wanted - {pin.name for pin in of_the_client}:
        raise ValueError(f"the client needs what {CLIENTS} has not: {', '.join(sorted(unlocked))}")
    once = {(pin.name, pin.version): pin for pin in (*of_the_client, *found)}
    return [once[key] for key in sorted(once)]


def needs_of_the_client(root: Path) -> list[Requirement]:
    """What it says that it needs, by itself and for each of its extras."""
    project = tomllib.loads((root / CLIENT).read_text(encoding="utf-8"))["project"]
    extras = project.get("optional-dependencies", {}).values()
    return [Requirement(each) for each in (*project["dependencies"], *(each for extra in extras for each in extra))]


def with_dependencies(wanted: Iterable[Requirement]) -> set[str]:
    """The names of those that are wanted, and of all that they need. What is not installed here tells of nothing else."""
    seen: set[str] = set()
    waiting = list(wanted)
    while waiting:
        each = waiting.pop()
        if _holds(each) and (reached := f"{plain(each.name)}[{','.join(sorted(each.extras))}]") not in seen:
            seen.add(reached)
            waiting += _needs(each)
    return {each.partition("[")[0] for each in seen}


def _needs(wanted: Requirement) -> Iterator[Requirement]:
    try:
        told = metadata.requires(wanted.name) or []
    except metadata.PackageNotFoundError:
        return
    for need in map(Requirement, told):
        if any(_holds(need, extra) for extra in ("", *wanted.extras)):
            # Its marker holds for the extra, which nobody asks about again.
            need.marker = None
            yield need


def _holds(wanted: Requirement, extra: str = "") -> bool:
    return wanted.marker is None or wanted.marker.evaluate(_SHIPS_TO | {"extra": extra})


def plain(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()
