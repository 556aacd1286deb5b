"""Contexts, assembled: each strategy keeps what it says, what must stay stays, and the report tells of every item."""

from dataclasses import replace
from typing import Any

import pytest
from llm_gateway.domain.chat import MessageRole, ReasoningItem
from llm_gateway.domain.model_table import O200K
from llm_gateway.domain.query_context import ContextItem, ContextWish
from llm_gateway.domain.tokens import TokenRange, without_tokenizer
from llm_gateway.errors import ContextWindowExceeded

from tests.adapters.contexts import assembler, fitted, item, items, said, window

PAGES = (
    "Parcels leave our house on every working day before noon.",
    "What you send back within thirty days is refunded in full.",
    "The pool is open from six, and on Sundays from eight.",
    "A zebra is a horse with stripes, and lives in Africa.",
)
ASKED = "Is what I send back refunded?"


def outcomes(found: Any) -> dict[str, str]:
    return {told.id: told.outcome for told in found.report.items}


def chosen(strategy: Any, *, max_tokens: int, texts: tuple[str, ...] = PAGES) -> str:
    found = fitted(ContextWish(items=items(*texts), strategy=strategy, max_tokens=max_tokens), question=ASKED)
    assert found.report.tokens <= max_tokens
    return found.chat.system or ""


def test_what_fits_is_sent_whole_and_in_order() -> None:
    found = fitted(ContextWish(items=items(*PAGES)), question=ASKED, system="Be brief.")
    system = found.chat.system or ""
    assert system.startswith("Be brief.\n\n")
    places = [system.index(page) for page in PAGES]
    assert places == sorted(places)
    assert found.report.ids("included") == ("doc-0", "doc-1", "doc-2", "doc-3")
    assert found.chat.messages == (said(ASKED),)


def test_relevance_keeps_what_answers() -> None:
    system = chosen("relevance", max_tokens=120)
    assert PAGES[1] in system
    assert PAGES[3] not in system


def test_scores_are_told_and_the_best_is_one() -> None:
    report = fitted(ContextWish(items=items(*PAGES)), question=ASKED).report
    scores = {told.id: told.score for told in report.items}
    assert scores["doc-1"] == 1
    assert 0 <= (scores["doc-3"] or 0) < 0.1


def test_recent_keeps_whole_items_from_the_end() -> None:
    found = fitted(ContextWish(items=items(*PAGES), strategy="recent", max_tokens=170))
    assert outcomes(found) == {"doc-0": "dropped", "doc-1": "dropped", "doc-2": "included", "doc-3": "included"}
    assert {told.reason for told in found.report.items if told.outcome == "dropped"} == {"no_room"}
    assert all(told.score is None for told in found.report.items)


def test_head_keeps_the_beginning_and_tail_the_end() -> None:
    assert PAGES[0] in chosen("head", max_tokens=130)
    assert PAGES[3] not in chosen("head", max_tokens=130)
    assert PAGES[3] in chosen("tail", max_tokens=130)
    assert PAGES[0] not in chosen("tail", max_tokens=130)


def test_middle_out_keeps_both_ends() -> None:
    text = "First of all, the beginning. " + "Nobody reads the middle of it. " * 60 + "Last of all, the end."
    system = chosen("middle_out", max_tokens=300, texts=(text,))
    assert "First of all, the beginning." in system
    assert "Last of all, the end." in system
    assert "[…]" in system


def test_a_long_item_is_sent_by_its_best_passages() -> None:
    text = "\n\n".join(["Nothing of interest is said in this part of the text. " * 12] * 12 + [PAGES[1]])
    found = fitted(ContextWish(items=items(text), max_tokens=400), question=ASKED)
    assert PAGES[1] in (found.chat.system or "")
    assert outcomes(found) == {"doc-0": "truncated"}
    assert found.report.items[0].reason == "no_room"
    assert 0 < found.report.items[0].tokens <= 400


def test_pinned_items_stay_whole_and_come_first() -> None:
    wish = ContextWish(items=(*items(*PAGES), item("rules", "Zebras are not refunded.", pinned=True)), max_tokens=170)
    found = fitted(wish, question=ASKED)
    system = found.chat.system or ""
    assert outcomes(found)["rules"] == "included"
    assert system.index("Zebras are not refunded.") < system.index(PAGES[1])


def test_pinned_items_that_do_not_fit_are_refused() -> None:
    wish = ContextWish(items=(item("rules", "Zebras are not refunded. " * 40, pinned=True),), max_tokens=100)
    with pytest.raises(ContextWindowExceeded, match=r"pinned items of the context take \d+ tokens") as refused:
        fitted(wish)
    assert [error.field for error in refused.value.errors] == ["context.items"]


def test_what_another_item_says_is_sent_once() -> None:
    found = fitted(ContextWish(items=(*items(PAGES[0]), item("again", PAGES[0]), item("blank", "  \n"))))
    assert (found.chat.system or "").count(PAGES[0]) == 1
    again, blank = found.report.items[1:]
    assert (again.outcome, again.reason, again.duplicate_of) == ("dropped", "duplicate", "doc-0")
    assert (blank.outcome, blank.reason, blank.tokens) == ("dropped", "empty", 0)


def test_without_items_nothing_is_added() -> None:
    found = fitted(ContextWish(), system="Be brief.")
    assert found.chat.system == "Be brief."
    assert found.report.tokens == 0


def test_the_window_bounds_what_nothing_else_does() -> None:
    many = items(*(f"{page} Page {number}." for number in range(40) for page in PAGES))
    assert fitted(ContextWish(items=many), profile=window(None)).report.ids("dropped") == ()
    assert fitted(ContextWish(items=many), profile=window(1_000)).report.ids("dropped")


def test_what_is_kept_for_the_answer_is_free() -> None:
    many = items(*(f"{page} Page {number}." for number in range(40) for page in PAGES))
    little = fitted(ContextWish(items=many), profile=window(4_000), output_tokens=200)
    much = fitted(ContextWish(items=many), profile=window(4_000), output_tokens=1_900)
    assert much.report.tokens <= 2_100 < little.report.tokens <= 3_800


def test_a_model_that_keeps_its_whole_output_free_has_a_window_of_its_own_for_input() -> None:
    many = items(*(f"{page} Page {number}." for number in range(40) for page in PAGES))
    profile = replace(window(100_000), max_input_tokens=800)
    assert fitted(ContextWish(items=many), profile=profile).report.tokens <= 800


def test_counts_by_the_models_own_tokenizer_are_told_to_be_exact() -> None:
    def by_words(text: str, _: str) -> TokenRange:
        return TokenRange(least=len(text.split()), most=len(text.split()))

    wish = ContextWish(items=items(*PAGES))
    assert fitted(wish, profile=window(9_000, tokenizer=O200K), by=assembler(by_words)).report.exact
    assert not fitted(wish, profile=window(9_000)).report.exact


def test_a_long_conversation_is_cut_to_its_latest_turns() -> None:
    talk = tuple(
        said(f"Turn {number} of a long talk.", MessageRole.USER if number % 2 == 0 else MessageRole.ASSISTANT)
        for number in range(9)
    )
    found = fitted(ContextWish(history_tokens=60), question=talk)
    assert found.chat.messages == talk[-len(found.chat.messages) :]
    assert 1 < len(found.chat.messages) < 9
    left_out = 9 - len(found.chat.messages)
    assert found.report.warnings == (f"{left_out} earlier messages were left out (context.history.max_tokens: 60).",)
    assert fitted(ContextWish(history_tokens=9_000), question=talk).report.warnings == ()


def test_the_border_for_the_providers_cache_is_after_the_pinned_items() -> None:
    def border(*found: ContextItem, cache: bool = True) -> tuple[str, str]:
        chat = fitted(ContextWish(items=found, cache=cache), system="Be brief.").chat
        system = chat.system or ""
        return system[: chat.cached_system_chars], system[chat.cached_system_chars :]

    pinned = item("rules", "Zebras are not refunded.", pinned=True)
    steady, changing = border(pinned, item("page", PAGES[0]))
    assert steady.startswith("Be brief.")
    assert "Zebras" in steady
    assert PAGES[0] in changing
    assert border(pinned, item("other", PAGES[1]))[0] == steady
    assert border(pinned, cache=False)[0] == ""
    assert border(item("page", PAGES[0]))[0] == ""


def test_the_same_context_is_worked_out_once() -> None:
    by = assembler(without_tokenizer)
    wish = ContextWish(items=items(*(f"{page} Page {number}. " * 9 for number in range(20) for page in PAGES)))
    profile = window(2_000, tokenizer=O200K)
    first = fitted(wish, question=ASKED, profile=profile, by=by)
    worked_out = len(by.counter.texts)  # type: ignore[attr-defined]
    assert fitted(wish, question=ASKED, profile=profile, by=by) == first
    assert len(by.counter.texts) - worked_out < worked_out / 4  # type: ignore[attr-defined]
    assert by.memory.weight > 0
    other = fitted(wish, question="Where do zebras live?", profile=profile, by=by)
    assert other.chat.system != first.chat.system


def test_thoughts_that_come_back_may_follow_other_words_than_before() -> None:
    thought = ReasoningItem(vendor="anthropic", item={"type": "thinking"})
    turn = replace(said("An owl.", MessageRole.ASSISTANT), reasoning=(thought,))
    for answered, recomposed in ((turn, True), (replace(turn, reasoning=()), False)):
        talk = (said("What is it?"), answered, said(ASKED))
        found = fitted(ContextWish(items=items(*PAGES)), question=talk)
        assert found.chat.is_recomposed == recomposed
