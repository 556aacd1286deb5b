"""What samples say: which packages and functions held the interpreter, by themselves and with all that they called."""

import re
import sys
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Final

from workshop.places import ROOT

_LINE: Final = re.compile(r"^(?P<stack>.+) (?P<count>\d+)$")
_FRAME: Final = re.compile(r"^(?P<function>.+) \((?P<file>[^()]+?)(?::\d+)?\)$")
_THREADS: Final = re.compile(r"^(thread|process) ")
# Where packages are: an environment's, a layer's as it is mounted or as it is built, Python's own, and this repository's.
_ROOTS: Final = re.compile(r"^.*/(?:site-packages|runtime-client|opt/python|layers/[^/]+/python|lib/python3\.\d+)/")
STANDARD: Final = "Python's own"
OWN: Final = ("llm_gateway", "functions")


@dataclass(frozen=True, slots=True, kw_only=True)
class Frame:
    """A function in a file, and the area that it belongs to."""

    function: str
    file: str

    @property
    def area(self) -> str:
        """The package; of the gateway's own, which of its layers; and one name for the standard library."""
        first, *rest = self.file.removesuffix(".py").split("/")
        if first in OWN:
            return f"{first}.{rest[0]}" if first == "llm_gateway" and rest else first
        return STANDARD if first in sys.stdlib_module_names or first.startswith("<") else first

    def __str__(self) -> str:
        return f"{self.function} ({self.file})"


@dataclass(slots=True)
class Profile:
    """Samples: of each area and function, in how many it was at work itself, and in how many it, or something it called."""

    samples: int = 0
    areas: Counter[str] = field(default_factory=Counter)
    areas_with_called: Counter[str] = field(default_factory=Counter)
    functions: Counter[Frame] = field(default_factory=Counter)
    functions_with_called: Counter[Frame] = field(default_factory=Counter)

    def add(self, frames: list[Frame], count: int) -> None:
        """A stack, outermost first."""
        self.samples += count
        self.areas[frames[-1].area] += count
        self.functions[frames[-1]] += count
        for area in {frame.area for frame in frames}:
            self.areas_with_called[area] += count
        for frame in set(frames):
            self.functions_with_called[frame] += count

    def share(self, count: int) -> float:
        """Of all samples."""
        return count / self.samples if self.samples else 0.0


def profile_of(lines: Iterable[str]) -> Profile:
    """What stacks as py-spy writes them add up to: `outer (file:line);inner (file:line) count`."""
    profile = Profile()
    for line in lines:
        found = _LINE.match(line.strip())
        frames = list(_frames(found["stack"])) if found else []
        if found and frames:
            profile.add(frames, int(found["count"]))
    return profile


def _frames(stack: str) -> Iterator[Frame]:
    for text in stack.split(";"):
        found = _FRAME.match(text)
        if found and not _THREADS.match(text):
            yield Frame(function=found["function"], file=_within_its_root(found["file"]))


def _within_its_root(file: str) -> str:
    return _ROOTS.sub("", file).removeprefix(f"{ROOT}/")
