"""Placeholders: `[EMAIL_1]` in the place of an address, and the address in its place again, also where it comes in pieces."""

import json
import re
from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Final

from llm_gateway.domain.pii import Found
from llm_gateway.ports.privacy import Detector

# Models that write Markdown put a backslash before what would be emphasis, and in JSON two.
_UNDERSCORE: Final = r"\\{0,2}_"
_PLACEHOLDER: Final = re.compile(rf"\[[A-Z](?:[A-Z0-9]|{_UNDERSCORE}){{0,39}}{_UNDERSCORE}[0-9]{{1,7}}\]")
_LONGEST: Final = 56
_SHORTEST_REPEATED: Final = 7
# Where a value may begin that stands by itself, and what would be more of it.
_ALONE: Final = re.compile(r"(?<![0-9A-Za-z])\S")
_GOES_ON: Final = re.compile(r"[0-9A-Za-z]")
# The beginning of one, at the end of a piece.
_BEGUN: Final = re.compile(rf"\[(?:[A-Z][A-Z0-9_\\]{{0,{_LONGEST - 3}}})?")


def placeholders_in(text: str) -> set[str]:
    """Those that stand in a text already, whoever wrote them."""
    return {found.replace("\\", "") for found in _PLACEHOLDER.findall(text)} if "[" in text else set()


def found_in(detector: Detector, text: str, name: str = "") -> Iterator[Found]:
    """What is found in a text; in a JSON member's as if its name stood before it, which may tell what it is."""
    if not name:
        yield from detector.find(text)
        return
    lead = f"{name}: "
    for found in detector.find(lead + text):
        if found.end > len(lead):
            yield Found(found.kind, max(0, found.start - len(lead)), found.end - len(lead))


class Repeats:
    """Puts what is `known` of a value in its place, wherever it stands by itself: in one pass, however many there are."""

    def __init__(self, known: Mapping[str, str]) -> None:
        self._known = known
        lengths = dict[str, set[int]]()
        for value in known:
            if len(value) >= _SHORTEST_REPEATED:
                lengths.setdefault(value[:_SHORTEST_REPEATED], set()).add(len(value))
        # The longest first: a shorter one may be its beginning.
        self._lengths = {start: sorted(found, reverse=True) for start, found in lengths.items()}

    def replaced(self, text: str) -> str:
        if not self._lengths:
            return text
        parts, copied = [], 0
        for begun in _ALONE.finditer(text):
            start = begun.start()
            end = self._end(text, start) if start >= copied else start
            if end > start:
                parts += [text[copied:start], self._known[text[start:end]]]
                copied = end
        return "".join([*parts, text[copied:]]) if parts else text

    def _end(self, text: str, start: int) -> int:
        """Where the value that begins at `start` ends; `start` where none does."""
        for length in self._lengths.get(text[start : start + _SHORTEST_REPEATED], ()):
            end = start + length
            if text[start:end] in self._known and not _GOES_ON.match(text, end):
                return end
        return start


class Mask:
    """Puts placeholders into the texts of one query: the same value has the same one in all of them.

    None of those that are `taken`, because a text has them already, is given to a value.
    """

    def __init__(self, detector: Detector, *, taken: set[str]) -> None:
        self._detector = detector
        self._taken = taken
        self._last = Counter[str]()
        self._of = dict[str, str]()
        self._repeats: Repeats | None = None
        self.counts = Counter[str]()

    @property
    def values(self) -> dict[str, str]:
        """Each placeholder's value."""
        return {placeholder: value for value, placeholder in self._of.items()}

    def text(self, text: str, _field: str = "", name: str = "") -> str:
        """`text`, or that of the JSON member `name`, with a placeholder in the place of each finding."""
        parts, copied = [], 0
        for found in found_in(self._detector, text, name):
            self.counts[found.kind] += 1
            parts += [text[copied : found.start], self._placeholder(found.kind, text[found.start : found.end])]
            copied = found.end
        return "".join([*parts, text[copied:]]) if parts else text

    def again(self, text: str, _field: str = "") -> str:
        """A text that was masked, with placeholders also for values that were found elsewhere: a number may stand near the word
        that tells what it is in one message, and without it in the next."""
        if self._repeats is None:
            self._repeats = Repeats(self._of)
        return self._repeats.replaced(text)

    def _placeholder(self, kind: str, value: str) -> str:
        if value not in self._of:
            self._of[value] = self._next(kind)
            self._repeats = None
        return self._of[value]

    def _next(self, kind: str) -> str:
        while True:
            self._last[kind] += 1
            placeholder = f"[{kind.upper()}_{self._last[kind]}]"
            if placeholder not in self._taken:
                return placeholder


def restored(text: str, values: Mapping[str, str], *, in_json: bool = False) -> str:
    """`text` with the values in the place of their placeholders. One that has none, because a model made it up, stays."""
    if "[" not in text:
        return text

    def value(found: re.Match[str]) -> str:
        own = values.get(found[0].replace("\\", ""))
        if own is None:
            return found[0]
        return json.dumps(own, ensure_ascii=False)[1:-1] if in_json else own

    return _PLACEHOLDER.sub(value, text)


class Restorer:
    """Restores a text that comes in pieces: what may be the beginning of a placeholder waits for the next piece."""

    def __init__(self, values: Mapping[str, str], *, in_json: bool) -> None:
        self._values = values
        self._in_json = in_json
        self._held = ""

    def feed(self, piece: str) -> str:
        """What can be told after this piece."""
        text = self._held + piece
        begins = text.rfind("[", max(0, len(text) - _LONGEST))
        if begins < 0 or not _BEGUN.fullmatch(text, begins):
            begins = len(text)
        self._held = text[begins:]
        return restored(text[:begins], self._values, in_json=self._in_json)

    def rest(self) -> str:
        """What was still held when the last piece had come."""
        held, self._held = self._held, ""
        return held
