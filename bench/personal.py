"""How well personal data is found in a labelled set, and how fast in texts that are made to be slow.

`bench/personal_data/` has a file for each country, one for disguises, and `none.txt` for texts that look like personal data
and are none. What is to be found stands in a text as `{{kind|value}}`.
"""

import re
import time
import tracemalloc
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from llm_gateway.domain.pii import Found
from llm_gateway.ports.privacy import Detector

_FOLDER: Final = Path(__file__).parent / "personal_data"
_LABEL: Final = re.compile(r"\{\{(\w+)\|(.*?)\}\}")
NO_CHECKSUM: Final = frozenset(
    {"email", "phone", "ip_address", "date_of_birth", "us_ssn", "gb_nino", "in_pan", "dk_cpr"}
)
"""Kinds whose shape and neighbourhood are all there is to know them by."""

HOSTILE: Final[Mapping[str, str]] = {
    "prose": "The quick brown fox jumps over the lazy dog, and then it sleeps. ",
    "digits": "1",
    "digits and spaces": "1 ",
    "groups of four": "4111 1111 1111 1112 ",
    "dots": "1.",
    "IP addresses": "1.2.3.4 ",
    "letters": "a",
    "a@": "a@",
    "a@a.": "a@a.",
    "e-mail addresses": "a@b.de ",
    "colons": "a:",
    "wrong IBANs": "DE89 3704 0044 0532 0130 01 ",
    "phones": "+49 30 901820 ",
    "numbers by a word": "tel 030 901821 SSN 123456789 nhs ",
    "words alone": "born ssn nhs tel ",
    "dates of birth": "born 1980-01-01 ",
    "escapes": "\\u0031",
    "line breaks in JSON": "\\n",
    "backslashes": "\\",
    "zero-width": "1\u200b",
    "percent": "%31",
    "full-width": "\uff14",
}
"""A piece of each family: a text is so many of them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """A text, and what is to be found in it."""

    country: str
    text: str
    labels: tuple[Found, ...]


@dataclass(slots=True, kw_only=True)
class Score:
    """Of one kind: what was found and is there, what was found and is not, and what was missed."""

    right: int = 0
    wrong: int = 0
    missed: int = 0

    @property
    def recall(self) -> float:
        return self.right / max(1, self.right + self.missed)

    @property
    def precision(self) -> float:
        return self.right / max(1, self.right + self.wrong)


def lines() -> tuple[Line, ...]:
    return tuple(_lines())


def _lines() -> Iterator[Line]:
    for path in sorted(_FOLDER.glob("*.txt")):
        for line in path.read_text(encoding="utf-8").splitlines():
            yield _labelled(line, country=path.stem)


def _labelled(line: str, *, country: str) -> Line:
    text, labels, copied = "", list[Found](), 0
    for label in _LABEL.finditer(line):
        text += line[copied : label.start()]
        labels.append(Found(label[1], len(text), len(text) + len(label[2])))
        text += label[2]
        copied = label.end()
    return Line(country=country, text=text + line[copied:], labels=tuple(labels))


def scores(detector: Detector, among: Sequence[Line]) -> dict[str, Score]:
    """By kind. What is found counts where it is the same place and the same kind."""
    found_of: dict[str, Score] = {}
    for line in among:
        found, wanted = Counter(detector.find(line.text)), Counter(line.labels)
        for each in found | wanted:
            score = found_of.setdefault(each.kind, Score())
            both = min(found[each], wanted[each])
            score.right += both
            score.wrong += found[each] - both
            score.missed += wanted[each] - both
    return found_of


def together(parts: Sequence[Score]) -> Score:
    return Score(
        right=sum(part.right for part in parts),
        wrong=sum(part.wrong for part in parts),
        missed=sum(part.missed for part in parts),
    )


def of_family(piece: str, *, size_bytes: int) -> str:
    """A text of about that many bytes."""
    return piece * (size_bytes // len(piece.encode()))


def took_s(detector: Detector, text: str) -> float:
    """Of the processor's time."""
    since = time.process_time()
    for _ in detector.find(text):
        pass
    return time.process_time() - since


def memory_of_text(detector: Detector, text: str) -> float:
    """The most memory that was taken, in sizes of the text."""
    tracemalloc.start()
    try:
        for _ in detector.find(text):
            pass
        return tracemalloc.get_traced_memory()[1] / len(text.encode())
    finally:
        tracemalloc.stop()
