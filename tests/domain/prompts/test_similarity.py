"""Texts with the same words are similar, and texts without a common one are not."""

import pytest
from llm_gateway.domain.prompts.similarity import similarity


@pytest.mark.parametrize(
    ("one", "other", "expected"),
    [
        ("The parcel is late.", "the PARCEL, is late!", 1),
        ("late is the parcel", "the parcel is late", 1),
        ("one two", "three four", 0),
        ("a b c d", "a b", 2 * 2 / 6),
        ("a a a", "a", 2 * 1 / 4),
        ("Straße", "STRASSE", 1),
        ("", "", 1),
        ("...", "!", 1),
        ("", "a", 0),
    ],
)
def test_similarity_is_the_f1_of_words(one: str, other: str, expected: float) -> None:
    assert similarity(one, other) == similarity(other, one) == pytest.approx(expected)
