"""Twice the items take at most two and a half times the steps, and the memory is bounded by the text."""

import sys
import tracemalloc
from collections.abc import Callable
from itertools import count
from typing import Any

import pytest
from llm_gateway.domain.query_context import ContextItem, ContextWish

from bench.contexts import QUESTION, made_up
from tests.adapters.contexts import assembler, fitted, window


def fit(items: tuple[ContextItem, ...], *, strategy: Any = "relevance") -> None:
    wish = ContextWish(items=items, strategy=strategy, max_tokens=8_000)
    fitted(wish, question=QUESTION, profile=window(100_000), by=assembler())


def steps_of(work: Callable[[], None]) -> int:
    """The functions called, Python's and C's."""
    steps = count()

    def note(_: Any, event: str, __: Any) -> None:
        if event in ("call", "c_call"):
            next(steps)

    sys.setprofile(note)
    try:
        work()
    finally:
        sys.setprofile(None)
    return next(steps)


def test_steps_grow_with_the_items() -> None:
    one, two = made_up(1_000, length=200), made_up(2_000, length=200)
    fit(one[:1])
    assert steps_of(lambda: fit(two)) <= 2.5 * steps_of(lambda: fit(one))


@pytest.mark.parametrize("strategy", ["recent", "head", "tail", "middle_out"])
def test_so_they_do_whatever_the_strategy(strategy: str) -> None:
    one, two = made_up(400, length=200), made_up(800, length=200)
    fit(one[:1], strategy=strategy)
    assert steps_of(lambda: fit(two, strategy=strategy)) <= 2.5 * steps_of(lambda: fit(one, strategy=strategy))


def test_steps_grow_with_an_items_length() -> None:
    short, long = made_up(1, length=200_000), made_up(1, length=400_000)
    fit(short)
    assert steps_of(lambda: fit(long)) <= 2.5 * steps_of(lambda: fit(short))


def test_items_that_share_their_sentences_are_not_all_compared() -> None:
    footer = "This mail is meant for the one it was sent to and for nobody else in the whole wide world. " * 3

    def alike(number: int) -> tuple[ContextItem, ...]:
        return tuple(ContextItem(id=item.id, text=item.text + footer) for item in made_up(number, length=300))

    one, two = alike(250), alike(500)
    assert steps_of(lambda: fit(two)) <= 2.5 * steps_of(lambda: fit(one))


def test_memory_stays_below_ten_times_the_text() -> None:
    for items in (made_up(200, length=2_000), made_up(1, length=400_000), made_up(2, length=200_000)):
        fit(items[:1])
        tracemalloc.start()
        fit(items)
        _, peak = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        assert peak < 10 * sum(len(item.text.encode()) for item in items)
