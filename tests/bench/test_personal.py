"""The labelled set of personal data, and what the detector finds in it."""

import sys
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest
from llm_gateway.instruments.personal_data.detector import PatternDetector

from bench import personal

LINES = personal.lines()
SCORES = personal.scores(PatternDetector(), LINES)


def test_the_set_is_large_and_of_many_countries() -> None:
    kinds = Counter(label.kind for line in LINES for label in line.labels)
    countries = {line.country for line in LINES} - {"none", "disguised"}
    assert len(LINES) >= 600
    assert len(kinds) >= 12
    assert len(countries) >= 6
    assert min(kinds.values()) >= 5
    assert sum(not line.labels for line in LINES) >= 150
    assert len({line.text for line in LINES}) == len(LINES)


@pytest.mark.parametrize("kind", sorted(set(SCORES) - personal.NO_CHECKSUM))
def test_what_has_a_checksum_is_found(kind: str) -> None:
    assert SCORES[kind].recall >= 0.98
    assert SCORES[kind].precision >= 0.98


@pytest.mark.parametrize("kind", sorted(set(SCORES) & personal.NO_CHECKSUM))
def test_what_has_none_is_mostly_found(kind: str) -> None:
    assert SCORES[kind].recall >= 0.95
    assert SCORES[kind].precision >= 0.95


def test_all_together() -> None:
    found = personal.together([score for kind, score in SCORES.items() if kind not in personal.NO_CHECKSUM])
    assert (found.recall >= 0.98, found.precision >= 0.98) == (True, True)


@contextmanager
def counting(calls: list[int]) -> Iterator[None]:
    """Counts the functions that are called, Python's own too."""
    count = 0

    def note(_frame: object, event: str, _argument: object) -> None:
        nonlocal count
        count += event in ("call", "c_call")

    before = sys.getprofile()
    sys.setprofile(note)
    try:
        yield
    finally:
        sys.setprofile(before)
        calls.append(count)


@pytest.mark.parametrize("piece", personal.HOSTILE.values(), ids=personal.HOSTILE.keys())
def test_twice_the_text_takes_twice_the_steps(piece: str) -> None:
    detector, calls = PatternDetector(), list[int]()
    consume: Callable[[str], int] = lambda text: sum(1 for _ in detector.find(text))  # noqa: E731
    consume(piece * 50)
    for size_bytes in (24_600, 49_200):
        text = personal.of_family(piece, size_bytes=size_bytes)
        with counting(calls):
            consume(text)
    once, twice = calls
    assert twice <= 2.5 * once


@pytest.mark.parametrize("piece", personal.HOSTILE.values(), ids=personal.HOSTILE.keys())
def test_memory_stays_small(piece: str) -> None:
    detector = PatternDetector()
    personal.memory_of_text(detector, piece * 50)
    assert personal.memory_of_text(detector, personal.of_family(piece, size_bytes=100_000)) < 10
