"""Patterns that callers write: which there are, what they find, and that none takes long."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from llm_gateway.services.output.patterns import InvalidPattern, TooMuchWork, check_pattern, matches


@pytest.mark.parametrize(
    ("pattern", "text"),
    [
        ("^(a+)+$", "aaaa"),
        ("b", "abc"),
        ("", ""),
        (r"^[\u4e00-\u9fa5]+$", "\u4e2d\u6587"),
        (r"^\\u0041$", r"\u0041"),
        (r"^\p{Lu}\d{2}$", "\u00c412"),
        (r"^\d{4}\/\d\d$", "2026/11"),
        (r"^(?<year>\d+)$", "2026"),
    ],
)
def test_found(pattern: str, text: str) -> None:
    check_pattern(pattern)
    assert matches(pattern, text)


@pytest.mark.parametrize(("pattern", "text"), [("^b", "ab"), ("^a$", "a\n"), (r"^\d$", "\u0663"), ("a.c", "a\nc")])
def test_not_found(pattern: str, text: str) -> None:
    assert not matches(pattern, text)


@pytest.mark.parametrize(
    ("pattern", "why"),
    [
        ("[", "missing"),
        ("(?=a)b", "perl operator"),
        (r"(a)\1", "escape"),
        ("a{5000}", "repetition"),
        ("((a{1,100}){1,100}){1,100}", "repetition"),
        ("a" * 100_000, "too large"),
        ("(" * 50_000 + ")" * 50_000, "nesting|too large"),
    ],
)
def test_refused(pattern: str, why: str) -> None:
    with pytest.raises(InvalidPattern, match=why):
        check_pattern(pattern)


@pytest.mark.parametrize("pattern", ["^(a+)+$", "^(a|a)*$", "(a|aa)+$", "^(a*)*b", "a*" * 20 + "b", "(.*a){12}$"])
def test_no_pattern_goes_back(pattern: str) -> None:
    """One that did would not end."""
    assert not matches(pattern, "a" * 30_000 + "!")


def test_what_would_take_long_is_not_begun() -> None:
    with pytest.raises(TooMuchWork):
        matches("(?:a?){1000}(?:a?){1000}b", "a" * 50_000)


def test_nothing_is_written_to_the_log(capfd: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(InvalidPattern):
        check_pattern("(secret[")

    assert capfd.readouterr() == ("", "")


@given(st.text(st.characters(exclude_categories=["Cs"])))
def test_any_text_is_a_pattern_or_refused(pattern: str) -> None:
    try:
        check_pattern(pattern)
    except InvalidPattern:
        return
    matches(pattern, pattern)
