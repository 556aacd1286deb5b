"""Relevance: what has the question's words comes first, in every script, and the best scores 1."""

import pytest
from llm_gateway.domain.context.ranking import bm25, cosine, terms_of


def best(question: str, *passages: str) -> str:
    scores = bm25(passages, question)
    assert max(scores) == 1
    return passages[scores.index(1.0)]


@pytest.mark.parametrize(
    ("question", "answer", "other"),
    [
        ("When are refunds paid?", "Refunds are paid within two weeks.", "Parcels leave the house at noon."),
        ("Wann wird erstattet?", "Die Erstattung dauert zwei Wochen.", "Pakete verlassen das Haus am Mittag."),
        ("退款需要多久\uff1f", "退款在两周内到账。", "包裹中午发出。"),
        ("返金はいつですか。", "返金は二週間以内です。", "荷物は正午に出ます。"),
        ("ค่าธรรมเนียมเท่าไร", "ค่าธรรมเนียมคือสิบบาท", "พัสดุออกตอนเที่ยง"),
        ("वापसी कब होगी?", "वापसी दो सप्ताह में होगी।", "पार्सल दोपहर में निकलता है।"),
        ("\uff32\uff25\uff26\uff35\uff2e\uff24", "The refund is paid in two weeks.", "Parcels leave at noon."),
    ],
)
def test_the_answer_comes_first(question: str, answer: str, other: str) -> None:
    assert best(question, other, answer) == answer


def test_a_rare_word_tells_more_than_a_common_one() -> None:
    passages = ["the house of the cat", "the house of the zebra", "the house of the dog"]
    scores = bm25(passages, "the house of the zebra")
    assert scores[1] == 1
    assert scores[0] == scores[2] < 0.6


def test_a_word_counts_where_it_is_a_word() -> None:
    scores = bm25(["the cart is here", "a cat is here"], "cat")
    assert scores == [0.0, 1.0]


def test_of_two_with_the_word_the_shorter_one_is_better() -> None:
    scores = bm25(["zebra" + " and more words" * 30, "zebra alone"], "zebra")
    assert scores[1] == 1 > scores[0] > 0


def test_without_a_word_of_the_question_everything_scores_nothing() -> None:
    assert bm25(["one", "two"], "three") == [0.0, 0.0]
    assert bm25(["one", "two"], "?!") == [0.0, 0.0]
    assert bm25([], "three") == []


def test_a_question_without_end_is_searched_by_its_last_words() -> None:
    terms = terms_of(" ".join(f"word{number}" for number in range(10_000)))
    assert len(terms) <= 96
    assert b" word9999 " in terms


def test_half_of_a_pair_of_surrogates_is_no_word() -> None:
    assert bm25(["zebra \ud800", "cat"], "zebra \udfff") == [1.0, 0.0]


def test_vectors_are_compared_by_their_angle() -> None:
    assert cosine([[2.0, 0.0], [1.0, 1.0], [-1.0, 0.0], [0.0, 0.0]], [1.0, 0.0]) == [1.0, 0.7071, 0.0, 0.0]
