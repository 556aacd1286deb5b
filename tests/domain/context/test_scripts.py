"""Words of all scripts."""

import pytest
from llm_gateway.domain.context.scripts import folded, is_within_word, runs


def test_a_text_is_folded_to_its_words() -> None:
    assert folded("Größe: \uff21\uff22\uff23—don't!").split() == ["grösse", "abc", "don", "t"]
    assert folded("“quoted”…").split() == ["quoted"]


def test_a_mark_stays_with_its_letter() -> None:
    assert folded("हिन्दी ค่า").split() == ["हिन्दी", "ค่า"]


def test_many_kinds_of_signs_are_left_out_as_few_are() -> None:
    signs = "".join(map(chr, range(0x2200, 0x2300)))
    assert folded(f"a{signs}b").split() == ["a", "b"]


def test_scripts_without_blanks_make_runs_of_their_own() -> None:
    assert list(runs(folded("Der Preis von 商品 ist 5元。"))) == [
        ("der", False), ("preis", False), ("von", False), ("商品", True), ("ist", False), ("5", False), ("元", True),
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("text", "at", "within"),
    [
        ("word", 2, True),
        ("a b", 1, False),
        ("word", 0, False),
        ("word", 4, False),
        ("商品", 1, False),
        ("5元", 1, False),
    ],
)
def test_a_cut_within_a_word_is_known(text: str, at: int, within: bool) -> None:
    assert is_within_word(text, at) is within
