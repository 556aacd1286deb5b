"""Suites: equal ones have one hash, and others another."""

from dataclasses import replace
from decimal import Decimal

from llm_gateway.domain.chat import Message, MessageRole, TextPart
from llm_gateway.domain.prompts.suites import Contains, Equals, Judged, MaxCost, PromptTest, suite_hash

TEST = PromptTest(
    name="greets",
    variables={"tone": "formal", "times": 1},
    messages=(Message(role=MessageRole.USER, content=(TextPart(text="Hello?"),)),),
    assertions=(Contains(value="hello"), MaxCost(value=Decimal("0.01")), Judged(rubric="Be kind.", provider="local")),
)


def test_equal_suites_have_one_hash() -> None:
    same = replace(TEST, variables={"times": 1.0, "tone": "formal"})
    assert suite_hash((TEST,)) == suite_hash((same,))


def test_whatever_differs_changes_the_hash() -> None:
    others = [
        (),
        (TEST, replace(TEST, name="again")),
        (replace(TEST, name="other"),),
        (replace(TEST, variables={"tone": "formal"}),),
        (replace(TEST, messages=()),),
        (replace(TEST, assertions=(Contains(value="hello"),)),),
        (replace(TEST, assertions=(Contains(value="hello", negated=True),)),),
        (replace(TEST, assertions=(Equals(value="hello"),)),),
        (replace(TEST, assertions=(MaxCost(value=Decimal("0.02")),)),),
    ]
    hashes = {suite_hash(suite) for suite in others}
    assert len(hashes) == len(others)
    assert suite_hash((TEST,)) not in hashes


def test_a_test_knows_how_many_verdicts_it_asks_for() -> None:
    assert TEST.judges == 1
    assert replace(TEST, assertions=(Contains(value="x"),)).judges == 0
