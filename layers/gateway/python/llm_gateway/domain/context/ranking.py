"""Relevance by BM25: how well a passage's words match those of the question.

The formula is Robertson and Zaragoza's, "The Probabilistic Relevance Framework: BM25 and Beyond" (2009), equation 3.15, with
Lucene's inverse document frequency ln(1 + (N - n + 0.5) / (n + 0.5)), which is never negative:

    score = sum over terms of idf * tf * (k1 + 1) / (tf + k1 * (1 - b + b * length / average length))

A term is a word of the question, its first five letters (inflections and compounds share them), or two neighbouring characters
where a script writes no blanks. Lengths are in bytes of UTF-8: the one measure that compares English with Chinese.
"""

from collections.abc import Iterable, Sequence
from math import log, sqrt
from typing import Final

from llm_gateway.domain.context.scripts import folded, runs

_K1: Final = 1.2
_B: Final = 0.75
_STEM: Final = 5
_MOST_TERMS: Final = 96


def terms_of(question: str) -> tuple[bytes, ...]:
    """What to look for in a passage made by `prepared`; of a very long question, its last words."""
    found: dict[bytes, None] = {}
    for run, is_unspaced in reversed(list(runs(folded(question)))):
        for term in _pairs(run) if is_unspaced else _forms(run):
            found.setdefault(term.encode())
        if len(found) >= _MOST_TERMS:
            break
    return tuple(found)[:_MOST_TERMS]


def prepared(passage: str) -> bytes:
    """A passage as it is searched: its words between blanks."""
    return b" " + folded(passage).encode() + b" "


def bm25(passages: Iterable[str], question: str) -> list[float]:
    """A score for each passage, from 0 to 1 for the best; all 0 where none has a word of the question."""
    terms = terms_of(question)
    lengths: list[int] = []
    found: list[list[tuple[int, int]]] = [[] for _ in terms]
    for number, passage in enumerate(passages):
        text = prepared(passage)
        lengths.append(len(text))
        for places, term in zip(found, terms, strict=True):
            if times := text.count(term):
                places.append((number, times))
    return _normalised(_summed(found, lengths))


def _summed(found: Sequence[Sequence[tuple[int, int]]], lengths: Sequence[int]) -> list[float]:
    count, scores = len(lengths), [0.0] * len(lengths)
    average = sum(lengths) / count if count else 1
    for places in found:
        idf = log(1 + (count - len(places) + 0.5) / (len(places) + 0.5))
        for number, times in places:
            norm = _K1 * (1 - _B + _B * lengths[number] / average)
            scores[number] += idf * times * (_K1 + 1) / (times + norm)
    return scores


def cosine(vectors: Sequence[Sequence[float]], question: Sequence[float]) -> list[float]:
    """A score for each passage's vector, from 0 to 1 for the best."""
    return _normalised(
        [max(0.0, _dot(vector, question) / (_length(vector) * _length(question) or 1)) for vector in vectors]
    )


def _normalised(scores: list[float]) -> list[float]:
    best = max(scores, default=0)
    return [round(score / best, 4) for score in scores] if best > 0 else [0.0] * len(scores)


def _forms(word: str) -> tuple[str, ...]:
    """The word itself, and the beginning that it shares with its relatives."""
    return (f" {word} ", f" {word[:_STEM]}") if len(word) > _STEM else (f" {word} ",)


def _pairs(run: str) -> list[str]:
    return [run[at : at + 2] for at in range(len(run) - 1)] or [run]


def _dot(one: Sequence[float], other: Sequence[float]) -> float:
    return sum(a * b for a, b in zip(one, other, strict=True))


def _length(vector: Sequence[float]) -> float:
    return sqrt(_dot(vector, vector))
