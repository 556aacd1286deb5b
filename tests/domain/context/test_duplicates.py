"""Near-identical texts are found, and those that only look alike are not."""

import random

import pytest
from llm_gateway.domain.context.duplicates import are_same, duplicates

from tests.adapters.contexts import words_of

PROSE = (
    "What you bought may be sent back within a month of its arrival. We refund the full price to the card that paid. The parcel"
    " label is free inside the country. From abroad the customer pays the postage and tells us the number of the parcel. Opened"
    " cosmetics cannot be given back once the seal has been broken, and neither can goods that were made to measure for you."
)


def found(*texts: str, pinned: tuple[int, ...] = ()) -> dict[int, int]:
    return duplicates(texts, pinned=[number in pinned for number in range(len(texts))])


def test_the_same_text_is_sent_once() -> None:
    assert found(PROSE, "another text", PROSE, PROSE) == {2: 0, 3: 0}


@pytest.mark.parametrize(
    "changed",
    [
        PROSE.replace("the full price", "the whole price"),
        PROSE.upper(),
        PROSE.replace(" ", "  "),
        f"{PROSE} Thank you.",
    ],
)
def test_a_text_that_hardly_differs_is_the_same(changed: str) -> None:
    assert found(PROSE, changed) == {1: 0}


def test_what_differs_in_a_number_is_not_the_same() -> None:
    invoice = PROSE + " Invoice 1001, to be paid in 14 days."
    assert not are_same(invoice, invoice.replace("1001", "1002"))


def test_what_is_alike_in_part_is_not_the_same() -> None:
    half = PROSE[: len(PROSE) // 2]
    assert found(PROSE, half) == {}
    assert found(PROSE, half + words_of(random.Random(1), 40)) == {}  # noqa: S311


def test_scripts_without_blanks_are_compared_by_characters() -> None:
    text = (
        "商品签收后三十天内可以退货须未使用且配件齐全我们退还全部货款国内退货的运单免费从国外寄回时邮费由顾客承担并请告知运单号。"
        * 2
    )
    assert are_same(text, text.replace("免费", "免錢", 1))
    assert not are_same(text, "退款原路返回付款的银行卡一般在仓库验收后五个工作日到账。" * 5)


def test_a_pinned_one_stays_and_takes_the_place_of_an_earlier_one() -> None:
    assert found(PROSE, PROSE, pinned=(1,)) == {0: 1}
    assert found(PROSE, PROSE, pinned=(0, 1)) == {}


def test_long_texts_are_compared_by_their_sentences() -> None:
    chance = random.Random(2)  # noqa: S311
    long = " ".join(words_of(chance, 12) + "." for _ in range(1_500))
    assert len(long) > 65_536
    assert are_same(long, long.replace(".", "!", 3))
    assert not are_same(long, " ".join(words_of(chance, 12) + "." for _ in range(1_500)))


def test_a_text_of_nothing_but_signs_is_compared_too() -> None:
    assert found("???", "???", "!!!") == {1: 0}
    assert found("", " ") == {}
