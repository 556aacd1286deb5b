"""Cuts are at the best border near the limit, and never within what people see as one character."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from llm_gateway.domain.context.cutting import head, tail
from llm_gateway.instruments.segmenter import UnicodeSegmenter

PIECES = UnicodeSegmenter().pieces
TWO_PARAGRAPHS = (
    "Money is paid back within two weeks. Keep the receipt.\n\nA second paragraph begins here. It has two sentences."
)


def characters(text: str) -> int:
    return len(text)


def cut(text: str, room: int, *, spare: int = 0) -> str:
    return head(text, room, characters, PIECES, spare=spare)


def cut_before(text: str, room: int, *, spare: int = 0) -> str:
    return tail(text, room, characters, PIECES, spare=spare)


@pytest.mark.parametrize(
    ("room", "spare", "kept"),
    [
        (60, 20, "Money is paid back within two weeks. Keep the receipt.\n\n"),
        (45, 20, "Money is paid back within two weeks. "),
        (44, 0, "Money is paid back within two weeks. Keep "),
        (8, 0, "Money is"),
        (3, 0, ""),
        (0, 0, ""),
        (500, 0, TWO_PARAGRAPHS),
    ],
)
def test_a_head_ends_with_a_paragraph_else_a_sentence_else_a_word(room: int, spare: int, kept: str) -> None:
    assert cut(TWO_PARAGRAPHS, room, spare=spare) == kept


@pytest.mark.parametrize(
    ("room", "spare", "kept"),
    [
        (60, 20, "A second paragraph begins here. It has two sentences."),
        (40, 20, "It has two sentences."),
        (30, 0, "here. It has two sentences."),
        (4, 0, ""),
        (500, 0, TWO_PARAGRAPHS),
    ],
)
def test_a_tail_begins_with_a_paragraph_else_a_sentence_else_a_word(room: int, spare: int, kept: str) -> None:
    assert cut_before(TWO_PARAGRAPHS, room, spare=spare).lstrip() == kept


def test_scripts_without_blanks_are_cut_at_sentences() -> None:
    text = "敏捷的狐狸跳过了懒狗。今天天气很好\uff01你要去哪里\uff1f我们明天再见。"
    assert cut(text, 22, spare=8) == "敏捷的狐狸跳过了懒狗。今天天气很好\uff01"
    assert cut_before(text, 14, spare=6) == "我们明天再见。"


def test_a_row_of_a_table_and_a_line_of_code_stay_whole() -> None:
    table = "| name | price |\n|---|---|\n| returns | 4.90 |\n| shipping | 6.50 |\n"
    assert cut(table, len(table) - 5, spare=20) == table[: table.index("| shipping")]
    code = "```python\nfirst = 1\nsecond = first + 1\nthird = second + first\n```\n"
    assert cut(code, len(code) - 10, spare=25) == code[: code.index("third")]


@pytest.mark.parametrize("character", ["🇩🇪", "👩‍👩‍👧", "e\u0301", "👍🏽"])
def test_no_character_is_parted(character: str) -> None:
    text = character * 40
    for room in range(len(character) * 20, len(character) * 20 + 7):
        assert len(cut(text, room)) % len(character) == 0
        assert len(cut_before(text, room)) % len(character) == 0
        assert cut(text, room) or character[0].isalpha()


def test_what_is_too_long_for_a_word_is_cut_all_the_same() -> None:
    blob = "x" * 400
    assert len(cut(blob, 200)) == 200
    assert 180 <= len(cut_before(blob, 200)) <= 200


@given(st.text(max_size=300), st.integers(0, 300), st.integers(0, 20))
def test_a_cut_is_an_end_of_the_text_that_fits(text: str, room: int, spare: int) -> None:
    for kept, is_end in (
        (cut(text, room, spare=spare), text.startswith),
        (cut_before(text, room, spare=spare), text.endswith),
    ):
        assert is_end(kept)
        assert len(kept) <= room
