"""What a caller reads of a wrong request: which field, and what it must be."""

from typing import Any

import pytest
from llm_gateway.access import Endpoint

from tests.entrypoints.access import GUARDED, cells_of, path_of
from tests.entrypoints.conftest import PROVIDERS, QUERY, QUESTION, Api
from tests.entrypoints.contract import told_in


@pytest.mark.parametrize(
    ("changes", "field", "message"),
    [
        ({"xyzzy": 1}, "xyzzy", "is not a known field"),
        ({"mesages": []}, "mesages", "is not a known field: did you mean 'messages'?"),
        ({"temperature": 1}, "temperature", "is not a known field here: it is parameters.temperature"),
        ({"max_tokens": 9}, "max_tokens", "is not a known field here: it is parameters.max_output_tokens"),
        (
            {"temprature": 1},
            "temprature",
            "is not a known field: did you mean 'temperature'? It is parameters.temperature",
        ),
        (
            {"stream": True},
            "stream",
            "is not a known field here: ask at /query/stream for an answer that comes as it is written",
        ),
        (
            {"response_format": {"type": "text"}},
            "response_format",
            'is not a known field here: it is output, like {"type": "json_schema", "schema": {…}}',
        ),
        (
            {"parameters": {"max_tokens": 9}},
            "parameters.max_tokens",
            "is not a known field here: it is max_output_tokens",
        ),
        (
            {"tools": [{"type": "function", "name": "f", "function": {"name": "f"}}]},
            "tools[0].name",
            "is not a known field here: it is function.name",
        ),
        (
            {"messages": [{"role": "user", "content": "x", "user": "me"}]},
            "messages[0].user",
            "is not a known field",
        ),
        (
            {"messages": [{"role": "user", "content": [{"type": "text", "text": "x", "txt": "y"}]}]},
            "messages[0].content[0].txt",
            "is not a known field: did you mean 'text'?",
        ),
        ({"system": "be nice"}, "system", 'must be an object like {"text": "…"}'),
        ({"messages": None}, "messages", "must be a list"),
        ({"messages": []}, "messages", "must have at least 1 item(s)"),
        ({"messages": ["hello"]}, "messages[0]", "must be an object"),
        ({"messages": [{"content": "x"}]}, "messages[0].role", "is required"),
        (
            {"messages": [{"role": "king", "content": "x"}]},
            "messages[0].role",
            "must be one of 'system', 'developer', 'user', 'assistant', 'tool'",
        ),
        ({"messages": [{"role": "user"}]}, "messages[0].content", "is required"),
        (
            {"messages": [{"role": "user", "content": 5}]},
            "messages[0].content",
            "must be a string or a list of parts",
        ),
        ({"system": {"text": 5}}, "system.text", "must be a string"),
        ({"model": ""}, "model", "must have at least 1 character(s)"),
        ({"parameters": {"temperature": "hot"}}, "parameters.temperature", "must be a number"),
        ({"parameters": {"temperature": 3}}, "parameters.temperature", "must be at most 2"),
        ({"parameters": {"top_p": 0}}, "parameters.top_p", "must be more than 0"),
        ({"parameters": {"max_output_tokens": 1.5}}, "parameters.max_output_tokens", "must be a whole number"),
        ({"tools": [{"function": {"name": "f", "strict": 1}}]}, "tools[0].function.strict", "must be true or false"),
        ({"tool_choice": "required"}, "tool_choice", "asks for a tool to be called: send tools too"),
        ({"output": {"type": "json_schema"}}, "output.schema", "is required where type is 'json_schema'"),
        ({"cache": "maybe"}, "cache", "must be 'auto', 'force', 'bypass' or 'refresh'"),
        ({"timeout_s": 60}, "timeout_s", "a sync query waits at most 28 s; ask async or as a stream"),
    ],
)
def test_a_fault_says_what_must_be(api: Api, changes: dict[str, Any], field: str, message: str) -> None:
    problem = api.refused("POST", QUERY, QUESTION | changes, status=422, code="validation_failed")
    assert problem["errors"] == [{"field": field, "message": message}]
    assert problem["detail"] == f"{field}: {message}"


@pytest.mark.parametrize("body", [[], "x", 5, None])
def test_a_body_that_is_no_object_is_told_so(api: Api, body: Any) -> None:
    problem = api.refused(
        "POST", QUERY, body, content=b"null" if body is None else None, status=422, code="validation_failed"
    )
    assert problem["errors"] == [{"field": "body", "message": "must be an object"}]


@pytest.mark.parametrize(
    ("parameters", "message"), [("limit=x", "must be a whole number"), ("limit=0", "must be at least 1")]
)
def test_a_parameter_is_named_without_its_place(api: Api, parameters: str, message: str) -> None:
    problem = api.refused("GET", f"{PROVIDERS}?{parameters}", status=422, code="validation_failed")
    assert problem["errors"] == [{"field": "limit", "message": message}]


@pytest.mark.parametrize("row", GUARDED, ids=lambda row: row.name)
@pytest.mark.parametrize("parameter", ["wait", "Limit", "mode", "api_key", ""])
def test_a_parameter_that_nobody_reads_is_refused(api: Api, row: Endpoint, parameter: str) -> None:
    path, body = path_of(row), cells_of(row).body
    problem = api.refused(row.method, f"{path}?{parameter}=5", body, status=422, code="validation_failed")
    assert told_in(problem) == f"{parameter or 'query'}: is not a known parameter of this route"
    assert api.gateway.outside.provider_store.page(limit=10, cursor=None).items == ()
    assert api.gateway.outside.models.asked == []


def test_a_parameter_has_one_value(api: Api) -> None:
    problem = api.refused("GET", f"{PROVIDERS}?limit=1&limit=2", status=422, code="validation_failed")
    assert problem["errors"] == [{"field": "limit", "message": "must be there once"}]


@pytest.mark.parametrize("path", ["/health", "/docs", "/openapi.json"])
def test_what_is_public_takes_any_parameter(api: Api, path: str) -> None:
    assert api.call("GET", f"{path}?now=1", role=None).status_code == 200


def test_the_first_faults_are_told_and_the_rest_counted(api: Api) -> None:
    problem = api.refused("POST", QUERY, QUESTION | dict.fromkeys("abcde"), status=422, code="validation_failed")
    assert len(problem["errors"]) == 5
    assert problem["detail"].endswith("c: is not a known field; and 2 more")
