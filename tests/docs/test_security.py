"""docs/security.md claims what tests hold, and no more."""

from tests.docs.claims import CODE, MAY_HAVE_NONE, NOT_HELD, PAGE, ROOT, TABLES, holders, page


def test_the_page_says_what_the_marks_say() -> None:
    text = PAGE.read_text(encoding="utf-8")
    assert text == page(text), "run `python -m tests.docs.claims`"


def test_every_mark_is_of_a_claim_and_every_claim_has_a_test_or_says_that_it_has_none() -> None:
    claims = {claim for table in TABLES.values() for claim in table}
    held = holders()
    assert set(held) <= claims
    assert claims - set(held) == MAY_HAVE_NONE
    assert PAGE.read_text(encoding="utf-8").count(NOT_HELD) == len(MAY_HAVE_NONE)


def test_the_code_that_it_names_is_there() -> None:
    for table in TABLES.values():
        for _, _, where in table.values():
            assert (ROOT / CODE / where).exists() or (ROOT / where).exists(), where
