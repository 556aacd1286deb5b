"""The retrieval set is large enough to mean something, and relevance finds what answers."""

from collections import Counter

import pytest

from bench.recall import LANGUAGES, STRATEGIES, recall, retrieval_set

FOUND = retrieval_set()


def test_the_set_is_as_large_as_is_promised() -> None:
    assert len(FOUND.questions) >= 80
    assert len(FOUND.passages) >= 400
    assert min(Counter(question.language for question in FOUND.questions).values()) >= 20
    assert {passage.language for passage in FOUND.passages} == set(LANGUAGES)
    assert len({passage.text for passage in FOUND.passages}) == len(FOUND.passages)


def test_relevance_finds_what_answers() -> None:
    assert recall("relevance", FOUND) >= 0.85


@pytest.mark.parametrize("language", LANGUAGES)
def test_it_does_in_each_language(language: str) -> None:
    assert recall("relevance", FOUND, language=language) >= 0.8


def test_other_strategies_do_not_read_the_question() -> None:
    for strategy in set(STRATEGIES) - {"relevance"}:
        assert recall(strategy, FOUND) < 0.1
