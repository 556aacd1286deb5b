"""What fitting a context takes: its time, and its memory as a multiple of the text."""

import random
import time
import tracemalloc
from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path

from llm_gateway.domain.chat import ChatRequest, Message, MessageRole, TextPart
from llm_gateway.domain.model_table import OPENAI_FAMILIES
from llm_gateway.domain.queries import QueryRequest
from llm_gateway.domain.query_context import ContextItem, ContextWish
from llm_gateway.instruments.segmenter import UnicodeSegmenter
from llm_gateway.instruments.tokens import TiktokenCounter
from llm_gateway.services.context.assembling import Assembler
from llm_gateway.services.context.fitted import Fitted

QUESTION = "How many days may a customer keep what was sent by mistake?"
_MODEL = OPENAI_FAMILIES["gpt-4.1"]


def made_up(count: int, *, length: int) -> tuple[ContextItem, ...]:
    """Texts of so many characters, from one vocabulary; the same ones each time."""
    chance = random.Random(count)  # noqa: S311
    return tuple(ContextItem(id=f"item-{number}", text=_text(chance, length)) for number in range(count))


def fit(items: Sequence[ContextItem], *, max_tokens: int, rank_files: Path) -> Fitted:
    """What one query does, with nothing in memory yet but the tokenizer."""
    message = Message(role=MessageRole.USER, content=(TextPart(text=QUESTION),))
    wish = ContextWish(items=tuple(items), max_tokens=max_tokens)
    prepared = Assembler(UnicodeSegmenter(), _counter(rank_files)).prepare(QueryRequest(messages=(message,)), wish)
    chat = ChatRequest(model="gpt-4.1", messages=(message,))
    return prepared.fit(chat, _MODEL, output_tokens=4_096)


def times_ms(items: Sequence[ContextItem], *, max_tokens: int, rank_files: Path, runs: int) -> list[float]:
    fit(items, max_tokens=max_tokens, rank_files=rank_files)
    figures: list[float] = []
    for _ in range(runs):
        started_s = time.perf_counter()
        fit(items, max_tokens=max_tokens, rank_files=rank_files)
        figures.append((time.perf_counter() - started_s) * 1000)
    return figures


def memory_of_text(items: Sequence[ContextItem], *, max_tokens: int, rank_files: Path) -> float:
    """The most memory that it takes at once, as a multiple of the text's bytes."""
    fit(items[:1], max_tokens=max_tokens, rank_files=rank_files)
    tracemalloc.start()
    try:
        fit(items, max_tokens=max_tokens, rank_files=rank_files)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    return peak / sum(len(item.text.encode()) for item in items)


@lru_cache
def _counter(rank_files: Path) -> TiktokenCounter:
    return TiktokenCounter(rank_files)


@lru_cache
def _vocabulary() -> list[str]:
    chance = random.Random(0)  # noqa: S311
    words = [
        "".join(chance.choices("etaoinshrdlucmfwyp", k=chance.choice((2, 3, 3, 4, 5, 6, 8, 11)))) for _ in range(8_000)
    ]
    return [*words, *QUESTION.lower().rstrip("?").split()]


def _text(chance: random.Random, length: int) -> str:
    words: list[str] = []
    size = 0
    while size < length:
        words.append(chance.choice(_vocabulary()) + chance.choice(("", "", "", "", "", "", ",", ".", ".\n\n")))
        size += len(words[-1]) + 1
    return " ".join(words)[:length]
