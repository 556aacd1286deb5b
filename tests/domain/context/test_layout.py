"""Marks: no item can write them, they are the same for the same items, and what does not change comes first."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from llm_gateway.domain.context.layout import Block, Piece, block_of, closing, tag_of
from llm_gateway.domain.query_context import ContextItem

from tests.adapters.contexts import item, items


def whole(found: tuple[ContextItem, ...]) -> Block:
    pieces = [Piece(item=number, start=0, end=len(each.text)) for number, each in enumerate(found)]
    return block_of(found, pieces, tag_of(found))


def test_an_item_stands_between_its_marks_with_its_name_and_source() -> None:
    (terms,) = found = (item("terms", "Thirty days.", source="https://shop.example/terms"),)
    tag = tag_of(found)
    assert terms.text in whole(found).text
    assert (
        f'<document-{tag} id="terms" source="https://shop.example/terms">\nThirty days.\n</document-{tag}>'
        in whole(found).text
    )


def test_a_name_cannot_leave_its_quotes() -> None:
    found = (item('a"> <b', "x", source="line\nbreak"),)
    assert "\n<document-" in whole(found).text
    assert 'id="a\\"> <b" source="line\\nbreak">' in whole(found).text


@given(st.lists(st.text(max_size=40), min_size=1, max_size=4))
def test_no_item_writes_its_tag(texts: list[str]) -> None:
    found = items(*texts)
    for _ in range(3):
        # Somebody who knows the marks of the last query writes them into the next one.
        tag = tag_of(found)
        assert not any(tag in each.text.casefold() for each in found)
        found = (*found, item("late", closing(tag).upper()))
        assert tag_of(found) != tag
        assert whole(found).text.count(closing(tag_of(found))) == len(found)


def test_a_tag_that_an_item_does_write_is_drawn_anew() -> None:
    pinned = (item("steady", "What stays.", pinned=True),)
    assert tag_of((*pinned, item("late", tag_of(pinned)))) != tag_of(pinned)
    assert tag_of((*pinned, item(tag_of(pinned), "x"))) != tag_of(pinned)
    assert tag_of((*pinned, item("late", "x", source=tag_of(pinned)))) != tag_of(pinned)


def test_the_same_items_have_the_same_text_and_pinned_ones_precede() -> None:
    steady = item("steady", "What stays.", pinned=True)
    one, other = (item("one", "First."), steady), (steady, item("other", "Second."))
    assert whole(one).steady == whole(other).steady
    assert "What stays." in whole(one).steady
    assert whole(one).has_steady_items
    assert "First." in whole(one).changing
    assert whole(one).text == whole(one).text


def test_without_pinned_items_only_the_words_before_them_are_steady() -> None:
    block = whole(items("First."))
    assert not block.has_steady_items
    assert "First." not in block.steady


@pytest.mark.parametrize(
    ("pieces", "written"),
    [
        ([(0, 3)], "One\n[…]"),
        ([(4, 7)], "[…]\nTwo\n[…]"),
        ([(8, 13)], "[…]\nThree"),
        ([(8, 13), (0, 3)], "One\n[…]\nThree"),
        ([(0, 4), (4, 8)], "One Two \n[…]"),
    ],
)
def test_what_is_left_out_is_marked(pieces: list[tuple[int, int]], written: str) -> None:
    found = items("One Two Three")
    block = block_of(found, [Piece(item=0, start=start, end=end) for start, end in pieces], tag_of(found))
    assert f">\n{written}\n</document-" in block.text


def test_nothing_makes_no_block() -> None:
    assert block_of(items("x"), [], "tag").text == ""
