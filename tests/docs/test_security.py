"""docs/security.md claims what tests hold, and no more."""

from tests.docs.claims import CODE, PAGE, ROOT, TABLES, holders, page


def test_the_page_says_what_the_marks_say() -> None:
    text = PAGE.read_text(encoding="utf-8")
    assert text == page(text), "run `python -m tests.docs.claims`"


def test_every_mark_is_of_a_claim_and_every_claim_has_a_test() -> None:
    assert set(holders()) == {claim for table in TABLES.values() for claim in table}


def test_the_code_that_it_names_is_there() -> None:
    for table in TABLES.values():
        for _, _, where in table.values():
            assert (ROOT / CODE / where).exists() or (ROOT / where).exists(), where
