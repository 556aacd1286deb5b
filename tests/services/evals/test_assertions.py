"""Assertions: each holds an answer against what it must be, and negated against what it must not be."""

from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest
from llm_gateway.domain.prompts.runs import Finding
from llm_gateway.domain.prompts.suites import (
    Assertion,
    Contains,
    Equals,
    HasAtPath,
    Judged,
    MatchesRegex,
    MatchesSchema,
    MaxCost,
    MaxLatency,
    MaxTokens,
    Similar,
)
from llm_gateway.services.evals.assertions import Checker, Observed, Verdict

from tests.adapters.clock import FakeClock

JSON = '```json\n{"name": "Ada", "age": 36, "tags": ["a", null]}\n```'
OBJECT: dict[str, Any] = {"type": "object", "required": ["name"], "properties": {"age": {"maximum": 40}}}


def observed(text: str = "Hello, you!", **changes: Any) -> Observed:
    answer = Observed(text=text, output_tokens=5, latency_ms=640, cost_usd=Decimal("0.002"))
    return replace(answer, **changes)


def check(assertion: Assertion, answer: Observed, *, verdict: Verdict | None = None) -> Finding:
    def ask(_: Judged) -> Verdict:
        assert verdict is not None
        return verdict

    return Checker(clock=FakeClock()).check(assertion, answer, ask=ask)


@pytest.mark.parametrize(
    ("assertion", "answer", "holds"),
    [
        (Equals(value="Hello, you!"), observed("  Hello, you!\n"), True),
        (Equals(value="Hello"), observed(), False),
        (Equals(value={"age": 36.0, "name": "Ada", "tags": ["a", None]}), observed(JSON), True),
        (Equals(value={"name": "Ada"}), observed(JSON), False),
        (Equals(value=3), observed("3"), True),
        (Equals(value=True), observed("1"), False),
        (Equals(value=None), observed("null"), True),
        (Contains(value="lo, y"), observed(), True),
        (Contains(value="hello"), observed(), False),
        (MatchesRegex(value="(?i)^hello"), observed(), True),
        (MatchesRegex(value="^you"), observed(), False),
        (MatchesSchema(value=OBJECT), observed(JSON), True),
        (MatchesSchema(value=OBJECT), observed('{"name": 1, "age": 50}'), False),
        (HasAtPath(path="$.tags[1]"), observed(JSON), True),
        (HasAtPath(path="$.tags[2]"), observed(JSON), False),
        (HasAtPath(path="$.age", value=36.0, compared=True), observed(JSON), True),
        (HasAtPath(path="$.tags[*]", value=None, compared=True), observed(JSON), True),
        (HasAtPath(path="$.name", value="Eve", compared=True), observed(JSON), False),
        (HasAtPath(path="$.nothing", value=None, compared=True), observed(JSON), False),
        (MaxTokens(value=5), observed(), True),
        (MaxTokens(value=4), observed(), False),
        (MaxLatency(value=640), observed(), True),
        (MaxLatency(value=639), observed(), False),
        (MaxCost(value=Decimal("0.002")), observed(), True),
        (MaxCost(value=Decimal("0.0019")), observed(), False),
        (Similar(value="you, hello", threshold=1), observed(), True),
        (Similar(value="good bye", threshold=0.1), observed(), False),
    ],
    ids=str,
)
def test_an_assertion_passes_where_it_holds_and_negated_where_it_does_not(
    assertion: Assertion, answer: Observed, holds: bool
) -> None:
    found, negated = check(assertion, answer), check(replace(assertion, negated=True), answer)
    assert (found.passed, negated.passed) == (holds, not holds)
    assert found.detail == negated.detail
    assert found.detail


@pytest.mark.parametrize("negated", [False, True])
def test_what_cannot_be_told_does_not_pass(negated: bool) -> None:
    unpriced = check(MaxCost(value=Decimal(1), negated=negated), observed(cost_usd=None))
    assert (unpriced.passed, unpriced.detail) == (False, "the cost is not known")
    judged = Judged(rubric="Is it kind?", provider="local", negated=negated)
    unjudged = check(judged, observed(), verdict=Verdict(holds=None, measured="the judge gave no verdict"))
    assert not unjudged.passed
    long = check(MatchesRegex(value="a{500}b{500}c{500}", negated=negated), observed("x" * 1_000_000))
    assert (long.passed, long.detail) == (False, "it takes too long to check")


@pytest.mark.parametrize("assertion", [Equals(value={}), MatchesSchema(value={}), HasAtPath(path="$")])
def test_text_is_no_json(assertion: Assertion) -> None:
    found = check(assertion, observed())
    assert not found.passed
    assert found.detail is not None
    assert "is not JSON" in found.detail
    assert check(replace(assertion, negated=True), observed()).passed


@pytest.mark.parametrize(
    ("holds", "negated", "passed"), [(True, False, True), (True, True, False), (False, True, True)]
)
def test_a_judges_verdict_counts(holds: bool, negated: bool, passed: bool) -> None:
    judged = Judged(rubric="Is it kind?", provider="local", negated=negated)
    assert check(judged, observed(), verdict=Verdict(holds=holds, measured="scored 0.9")).passed is passed


@pytest.mark.parametrize(
    ("assertion", "answer", "detail"),
    [
        (Contains(value="bye"), observed(), "it is not so that the answer contains 'bye'"),
        (Equals(value="bye"), observed("Hi"), "the answer is 'Hi'"),
        (MatchesSchema(value=OBJECT), observed('{"age": 50}'), "'name' is a required property"),
        (HasAtPath(path="$.age", value=1, compared=True), observed(JSON), "at $.age there is 36"),
        (MaxTokens(value=4), observed(), "5 output tokens, of 4 at most"),
        (MaxCost(value=Decimal("0.001")), observed(), "it cost 0.002 USD, of 0.001 at most"),
        (Similar(value="hello"), observed(), "the similarity is 0.67, of 0.7 at least"),
    ],
    ids=str,
)
def test_the_detail_says_what_was_found(assertion: Assertion, answer: Observed, detail: str) -> None:
    found = check(assertion, answer)
    assert found.detail is not None
    assert detail in found.detail


def test_a_detail_is_short_whatever_the_answer_is() -> None:
    found = check(Equals(value="x"), observed("y" * 100_000))
    assert found.detail is not None
    assert len(found.detail) < 200
