"""Suites: equal ones have one hash, and others another."""

from typing import Any

from llm_gateway.domain.prompts.suites import Contains, Judged, PromptTest, suite_hash

TEST: dict[str, Any] = {"name": "greets", "variables": {"times": 1}, "assert": [{"type": "contains", "value": "hello"}]}


def test_equal_suites_have_one_hash() -> None:
    same = {"assert": TEST["assert"], "variables": {"times": 1.0}, "name": "greets"}
    assert suite_hash((TEST,)) == suite_hash((same,))


def test_whatever_differs_changes_the_hash() -> None:
    others = [
        (),
        (TEST, {**TEST, "name": "again"}),
        ({**TEST, "name": "other"},),
        ({**TEST, "variables": {}},),
        ({**TEST, "assert": [{"type": "contains", "value": "hello", "not": True}]},),
    ]
    hashes = {suite_hash(suite) for suite in others}
    assert len(hashes) == len(others)
    assert suite_hash((TEST,)) not in hashes


def test_a_test_knows_how_many_verdicts_it_asks_for() -> None:
    contains, judged = Contains(value="x"), Judged(rubric="Be kind.", provider="local")
    assert PromptTest(name="one", assertions=(contains, judged)).judges == 1
    assert PromptTest(name="none", assertions=(contains,)).judges == 0
