"""How often the passage that answers a question is among the first five, by strategy: questions and passages in four languages.

`bench/retrieval/` has a file for each language, with a line for each passage and, after `?`, for each question: the name of the
passage that answers it, and the text.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from llm_gateway.domain.context.ranking import bm25

FOUND_AMONG: Final = 5
LANGUAGES: Final = ("en", "de", "zh", "ja")

_FOLDER: Final = Path(__file__).parent / "retrieval"


@dataclass(frozen=True, slots=True, kw_only=True)
class Labelled:
    """A passage, or a question with the name of the passage that answers it. Names are of one language."""

    language: str
    name: str
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class RetrievalSet:
    passages: Sequence[Labelled]
    questions: Sequence[Labelled]


def retrieval_set() -> RetrievalSet:
    """All passages and questions. Raises ValueError for a question whose answer is not there."""
    passages, questions = list[Labelled](), list[Labelled]()
    for language in LANGUAGES:
        for line in (_FOLDER / f"{language}.txt").read_text(encoding="utf-8").splitlines():
            name, _, text = line.removeprefix("? ").partition(": ")
            into = questions if line.startswith("? ") else passages
            into.append(Labelled(language=language, name=name, text=text))
    names = {(passage.language, passage.name) for passage in passages}
    if unanswered := [question.text for question in questions if (question.language, question.name) not in names]:
        raise ValueError(f"nothing answers {unanswered}")
    return RetrievalSet(passages=passages, questions=questions)


def recall(strategy: str, found: RetrievalSet, *, language: str | None = None) -> float:
    """The share of the questions whose passage is among the first five that `strategy` takes of all passages."""
    asked = [question for question in found.questions if language in (None, question.language)]
    return sum(_finds(question, found.passages, _RANKED[strategy]) for question in asked) / len(asked)


def _finds(question: Labelled, passages: Sequence[Labelled], ranked: "Ranked") -> bool:
    best = ranked(question.text, [passage.text for passage in passages])[:FOUND_AMONG]
    wanted = question.language, question.name
    return any((passages[number].language, passages[number].name) == wanted for number in best)


Ranked = Callable[[str, Sequence[str]], Sequence[int]]
"""The numbers of the texts in the order in which a strategy takes them."""


def _by_score(question: str, texts: Sequence[str]) -> Sequence[int]:
    scores = bm25(texts, question)
    return sorted(range(len(texts)), key=lambda number: -scores[number])


_RANKED: Final[Mapping[str, Ranked]] = {
    "relevance": _by_score,
    "recent": lambda _, texts: range(len(texts) - 1, -1, -1),
    "head": lambda _, texts: range(len(texts)),
}
STRATEGIES: Final = tuple(_RANKED)
