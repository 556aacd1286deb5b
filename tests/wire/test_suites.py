"""Suites: what a test may hold, what it becomes, and which field is wrong where one is."""

from decimal import Decimal
from typing import Any

import pytest
from llm_gateway.domain.prompts import suites
from llm_gateway.entrypoints.validation import validated
from llm_gateway.errors import ValidationFailed
from llm_gateway.wire.schema import Incoming
from llm_gateway.wire.suites import Tests, parsed_suite


class _Body(Incoming):
    tests: Tests


def case(*assertions: dict[str, Any], **members: Any) -> dict[str, Any]:
    return {"name": "greets", "assert": list(assertions) or [{"type": "contains", "value": "x"}], **members}


def refused(*tests: Any) -> tuple[str, str]:
    with pytest.raises(ValidationFailed) as caught:
        validated(_Body, {"tests": list(tests)})
    error = caught.value.errors[0]
    return error.field, error.message


@pytest.mark.parametrize(
    ("sent", "meant"),
    [
        ({"type": "equals", "value": "yes"}, suites.Equals(value="yes")),
        ({"type": "equals", "value": {"a": [1, None]}}, suites.Equals(value={"a": [1, None]})),
        ({"type": "contains", "value": "x", "not": True}, suites.Contains(value="x", negated=True)),
        ({"type": "regex", "value": "^a+$"}, suites.MatchesRegex(value="^a+$")),
        (
            {"type": "json_schema", "value": {"type": "object"}, "not": False},
            suites.MatchesSchema(value={"type": "object"}),
        ),
        ({"type": "json_path", "path": "$.a"}, suites.HasAtPath(path="$.a")),
        ({"type": "json_path", "path": "$.a", "value": None}, suites.HasAtPath(path="$.a", compared=True)),
        ({"type": "json_path", "path": "$.a", "value": 3}, suites.HasAtPath(path="$.a", value=3, compared=True)),
        ({"type": "max_tokens", "value": 10}, suites.MaxTokens(value=10)),
        ({"type": "max_latency_ms", "value": 900}, suites.MaxLatency(value=900)),
        ({"type": "max_cost_usd", "value": "0.002"}, suites.MaxCost(value=Decimal("0.002"))),
        ({"type": "similar", "value": "Hello you"}, suites.Similar(value="Hello you")),
        (
            {"type": "similar", "value": "Hello", "threshold": 1, "by": "words"},
            suites.Similar(value="Hello", threshold=1),
        ),
        (
            {"type": "similar", "value": "Hello", "by": "embeddings", "model": "openai/small"},
            suites.Similar(value="Hello", by="embeddings", model="openai/small"),
        ),
        (
            {"type": "judge", "rubric": "Be kind.", "provider": "local/smol", "threshold": 0.5},
            suites.Judged(rubric="Be kind.", provider="local/smol", threshold=0.5),
        ),
    ],
)
def test_each_assertion_means_what_it_says(sent: dict[str, Any], meant: suites.Assertion) -> None:
    [test] = parsed_suite([case(sent)])
    assert test.assertions == (meant,)


def test_a_test_reads_back_as_it_was_sent() -> None:
    sent = case(
        {"type": "contains", "value": "x", "not": True},
        {"type": "json_path", "path": "$.a", "value": None},
        variables={"tone": "formal"},
        messages=[{"role": "user", "content": [{"type": "text", "text": "Hello?"}]}],
    )
    body = validated(_Body, {"tests": [sent]})
    assert [test.as_sent() for test in body.tests] == [sent]
    assert parsed_suite([test.as_sent() for test in body.tests]) == parsed_suite([sent])


@pytest.mark.parametrize(
    ("assertion", "field", "message"),
    [
        ({"type": "contains"}, "tests[0].assert[0].value", "is required"),
        ({"type": "contain", "value": "x"}, "tests[0].assert[0].type", "must be one of"),
        ({"value": "x"}, "tests[0].assert[0].type", "is required"),
        ({"type": "contains", "value": "x", "nto": True}, "tests[0].assert[0].nto", "did you mean 'not'?"),
        ({"type": "contains", "value": "x", "not": 1}, "tests[0].assert[0].not", "must be true or false"),
        ({"type": "contains", "value": ""}, "tests[0].assert[0].value", "at least 1 character"),
        ({"type": "contains", "value": "x" * 20_001}, "tests[0].assert[0].value", "at most 20000 character"),
        ({"type": "regex", "value": "(a)\\1"}, "tests[0].assert[0].value", "RE2"),
        ({"type": "regex", "value": "a" * 2001}, "tests[0].assert[0].value", "at most 2000"),
        ({"type": "json_schema", "value": {"type": "objekt"}}, "tests[0].assert[0].value", "is not a JSON schema"),
        ({"type": "json_schema", "value": {"$ref": "#"}}, "tests[0].assert[0].value", "without end"),
        ({"type": "json_path", "path": "$..a"}, "tests[0].assert[0].path", "at character 2"),
        ({"type": "max_tokens", "value": 0}, "tests[0].assert[0].value", "at least 1"),
        ({"type": "max_tokens", "value": "5"}, "tests[0].assert[0].value", "must be a whole number"),
        ({"type": "max_cost_usd", "value": 0.5}, "tests[0].assert[0].value", "must be a string"),
        ({"type": "max_cost_usd", "value": "-1"}, "tests[0].assert[0].value", "at least 0"),
        ({"type": "max_cost_usd", "value": "NaN"}, "tests[0].assert[0].value", ""),
        ({"type": "similar", "value": "x", "threshold": 1.1}, "tests[0].assert[0].threshold", "at most 1"),
        ({"type": "similar", "value": "x", "by": "embeddings"}, "tests[0].assert[0].model", "is required"),
        ({"type": "similar", "value": "x", "model": "m"}, "tests[0].assert[0].model", "not with 'words'"),
        ({"type": "similar", "value": "x", "by": "sound"}, "tests[0].assert[0].by", "must be 'words' or"),
        ({"type": "judge", "rubric": "Kind?"}, "tests[0].assert[0].provider", "is required"),
    ],
)
def test_what_is_wrong_with_an_assertion_is_told_with_its_field(
    assertion: dict[str, Any], field: str, message: str
) -> None:
    found_field, found_message = refused(case(assertion))
    assert found_field == field
    assert message in found_message


@pytest.mark.parametrize(
    ("tests", "field", "message"),
    [
        ([{"name": "x"}], "tests[0].assert", "is required"),
        ([{"name": "x", "assert": []}], "tests[0].assert", "at least 1 item"),
        ([case(*[{"type": "contains", "value": "x"}] * 21)], "tests[0].assert", "at most 20 item"),
        ([case(), case()], "tests", "two tests named 'greets'"),
        ([case(name=str(number)) for number in range(101)], "tests", "at most 100 item"),
        ([case(name=" ")], "tests[0].name", "must not be blank"),
        ([case(variables={"x": "y" * 140_000})], "tests", "is too large: 128 KiB"),
        ([case(messages=[{"role": "king", "content": "x"}])], "tests[0].messages[0].role", "must be one of"),
        ([case(messages=[{"role": "user", "content": "x"}] * 51)], "tests[0].messages", "at most 50 item"),
        ([case(asserts=[])], "tests[0].asserts", "did you mean 'assert'?"),
        (["greets"], "tests[0]", "must be an object"),
    ],
)
def test_what_is_wrong_with_a_suite_is_told_with_its_field(tests: list[Any], field: str, message: str) -> None:
    found_field, found_message = refused(*tests)
    assert found_field == field
    assert message in found_message


def test_a_suite_that_is_nested_too_deeply_is_refused_before_it_is_read() -> None:
    value: Any = 1
    for _ in range(150):
        value = [value]
    assert refused(case({"type": "equals", "value": value})) == ("tests", "is nested too deeply: 100 levels at most")
