"""What may be sent as a body, and how a body that may not is refused: before anything is written."""

import json
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from llm_gateway.access import Dialect
from llm_gateway.domain.keys import Role
from llm_gateway.domain.strict_json import DEEPEST
from llm_gateway.endpoints import ENDPOINTS
from llm_gateway.entrypoints.json_body import BODY_BOUNDS
from llm_gateway.entrypoints.read_request import MOST_BODY_BYTES

from tests.entrypoints.access import GUARDED, cells_of, path_of
from tests.entrypoints.conftest import PROVIDER, PROVIDERS, QUERY, QUESTION, Api

_MEGABYTE = 1024 * 1024


def _asking(field: str, value: str) -> bytes:
    """A question with one more field, whose value is written as given."""
    return f'{json.dumps(QUESTION)[:-1]}, "{field}": {value}}}'.encode()


def _nested(levels: int) -> str:
    return '{"a":' * (levels - 1) + "{}" + "}" * (levels - 1)


@pytest.mark.parametrize("content", [b"", b" ", b"\n"])
@pytest.mark.parametrize(("method", "path"), [("POST", QUERY), ("POST", PROVIDERS), ("PUT", f"{PROVIDERS}/local")])
def test_a_missing_body_is_malformed(api: Api, method: str, path: str, content: bytes) -> None:
    api.refused(method, path, content=content, status=400, code="malformed_request")
    api.refused(method, path, status=400, code="malformed_request")


@pytest.mark.parametrize(
    "content",
    [
        b"{",
        b'{"messages": [}',
        b"{'messages': []}",
        b"{}{}",
        b"{} x",
        b'{"a": 01}',
        b'{"a": .5}',
        b'{"a": "\n"}',
        b"messages=x",
        b"\xff\xfe",
        b'{"a": "\xed\xa0\x80"}',
        '{"messages": []}'.encode("utf-16"),
        '{"messages": []}'.encode("utf-32-be"),
    ],
)
def test_what_is_not_json_is_malformed(api: Api, content: bytes) -> None:
    problem = api.refused("POST", QUERY, content=content, status=400, code="malformed_request")
    assert "errors" not in problem


@pytest.mark.parametrize(
    "value",
    ["NaN", "Infinity", "-Infinity", "1e999", "-1e999", "1" * 5000, r'"\ud800"', r'"\udc00x"', r'{"\ud800": 1}'],
)
@pytest.mark.parametrize("field", ["metadata", "messages", "timeout_s", "nonsense"])
def test_what_no_other_reader_would_take_is_malformed(api: Api, field: str, value: str) -> None:
    # Somewhere inside, where no schema looks.
    api.refused("POST", QUERY, content=_asking(field, f'{{"a": [{value}]}}'), status=400, code="malformed_request")
    assert api.gateway.outside.models.asked == []


@pytest.mark.parametrize("value", ['{"a": 1, "a": 1}', '[{"b": {"a": 1, "b": 2, "a": 3}}]', r'{"a": 1, "\u0061": 2}'])
def test_one_name_for_two_values_is_malformed(api: Api, value: str) -> None:
    problem = api.refused("POST", QUERY, content=_asking("metadata", value), status=400, code="malformed_request")
    assert "'a' twice" in problem["detail"]
    twice = _asking("messages", json.dumps(QUESTION["messages"]))
    assert (
        "'messages' twice" in api.refused("POST", QUERY, content=twice, status=400, code="malformed_request")["detail"]
    )
    assert api.gateway.outside.models.asked == []


def test_pairs_of_surrogates_and_a_byte_order_mark_are_text(api: Api) -> None:
    api.register()
    content = b"\xef\xbb\xbf" + _asking("metadata", r'{"face": "\ud83d\ude00", "\u00e9": "\u0000 \\ud800"}')
    answer = api.call("POST", QUERY, content=content).json()
    assert answer["metadata"] == {"face": "\N{GRINNING FACE}", "\xe9": "\0 \\ud800"}


def test_nesting_has_an_end(api: Api) -> None:
    api.register()
    assert api.call("POST", QUERY, content=_asking("metadata", _nested(DEEPEST - 1))).status_code == 200
    for levels in (DEEPEST, 300, 1000, 100_000):
        api.refused("POST", QUERY, content=_asking("metadata", _nested(levels)), status=400, code="malformed_request")
        array = "[" * levels + "]" * levels
        api.refused("POST", QUERY, content=_asking("stop", array), status=400, code="malformed_request")


def test_members_and_values_have_an_end(api: Api) -> None:
    api.register()
    for content, bound in (
        (
            _asking("metadata", json.dumps(dict.fromkeys(map(str, range(10_001)), ""))),
            BODY_BOUNDS.members_of_one_object,
        ),
        (_asking("messages", "[" + "0," * 400_000 + "0]"), BODY_BOUNDS.values),
    ):
        problem = api.refused("POST", QUERY, content=content, status=400, code="malformed_request")
        assert f"{bound} at most" in problem["detail"]
    text = _asking("system", json.dumps("0,[{" * 150_000))
    assert api.call("POST", QUERY, content=text).json().get("code") != "malformed_request"


def test_a_name_that_comes_again_among_many_is_found(api: Api) -> None:
    many = ",".join(f'"{number:x}":0' for number in range(9_999))
    problem = api.refused(
        "POST", QUERY, content=_asking("metadata", f'{{{many},"1":0}}'), status=400, code="malformed_request"
    )
    assert "'1' twice" in problem["detail"]


@pytest.mark.parametrize("body", [None, [], "text", 5, True, [{"messages": []}]])
def test_a_body_is_an_object(api: Api, body: Any) -> None:
    problem = api.refused("POST", QUERY, content=json.dumps(body).encode(), status=422, code="validation_failed")
    assert problem["errors"][0]["field"] == "body"


@pytest.mark.parametrize(
    "media_type",
    [
        "text/plain",
        "application/x-www-form-urlencoded",
        "multipart/form-data; boundary=x",
        "application/jsonx",
        "json",
        "",
    ],
)
def test_other_media_types_are_not_taken(api: Api, media_type: str) -> None:
    headers = {"Content-Type": media_type}
    content = json.dumps(QUESTION).encode()
    api.refused("POST", QUERY, content=content, headers=headers, status=415, code="unsupported_media_type")


@pytest.mark.parametrize("media_type", ["application/json; charset=utf-8", "Application/JSON", "application/json;x=y"])
def test_json_is_taken_however_it_is_written(api: Api, media_type: str) -> None:
    api.register()
    assert api.call("POST", QUERY, QUESTION, headers={"Content-Type": media_type}).status_code == 200


def _padded(size: int) -> bytes:
    content = json.dumps(PROVIDER).encode()
    return content + b" " * (size - len(content))


def _in_pieces(content: bytes) -> Iterator[bytes]:
    for start in range(0, len(content), 65_536):
        yield content[start : start + 65_536]


@pytest.mark.parametrize("encoding", ["gzip", "deflate", "br", "identity, gzip", "x"])
def test_a_packed_body_is_not_taken(api: Api, encoding: str) -> None:
    problem = api.refused(
        "POST", QUERY, QUESTION, headers={"Content-Encoding": encoding}, status=415, code="unsupported_media_type"
    )
    assert "Content-Encoding" in problem["detail"]


def test_a_body_may_say_that_it_is_not_packed(api: Api) -> None:
    api.register()
    assert api.call("POST", QUERY, QUESTION, headers={"Content-Encoding": "Identity"}).status_code == 200


@pytest.mark.parametrize("content", [b'{"reason": "x"}', b"[]", b"null", b"x"])
@pytest.mark.parametrize("row", [row for row in GUARDED if cells_of(row).body is None], ids=lambda row: row.name)
def test_a_body_that_nobody_reads_is_refused(api: Api, row: Any, content: bytes) -> None:
    problem = api.refused(row.method, path_of(row), content=content, status=422, code="validation_failed")
    told = problem["detail"] if row.dialect is Dialect.NATIVE else problem["error"]["message"]
    assert told == "body: must be empty: this route takes none"


def test_an_empty_object_is_no_body(api: Api) -> None:
    api.refused("POST", f"{QUERY}/qry_1/cancel", {}, status=404, code="query_not_found")


def test_four_megabytes_are_taken(api: Api) -> None:
    assert api.call("POST", PROVIDERS, content=_padded(MOST_BODY_BYTES)).status_code == 201
    assert api.call("PUT", f"{PROVIDERS}/local", content=_in_pieces(_padded(MOST_BODY_BYTES))).status_code == 200


@pytest.mark.parametrize("size", [MOST_BODY_BYTES + 1, 5 * _MEGABYTE])
def test_more_than_four_megabytes_are_not_taken(api: Api, size: int) -> None:
    api.refused("POST", PROVIDERS, content=_padded(size), status=413, code="payload_too_large")
    api.refused("POST", PROVIDERS, content=_in_pieces(_padded(size)), status=413, code="payload_too_large")
    assert api.gateway.outside.provider_store.all() == ()


@pytest.mark.parametrize("row", ENDPOINTS, ids=lambda row: row.name)
def test_no_endpoint_reads_more_than_four_megabytes(api: Api, row: Any) -> None:
    api.refused(
        row.method, path_of(row), content=_padded(5 * _MEGABYTE), role=None, status=413, code="payload_too_large"
    )


def test_a_declared_length_is_believed_only_where_it_is_too_long(api: Api) -> None:
    for length in (str(5 * _MEGABYTE), "9" * 5000):
        headers = {"Content-Length": length}
        api.refused("POST", QUERY, content=b"{}", headers=headers, status=413, code="payload_too_large")
    for length in ("0", "-1", "many", ""):
        headers = {"Content-Length": length}
        api.refused("POST", QUERY, content=b"{}", headers=headers, status=422, code="validation_failed")


def test_a_problem_stays_small_however_much_is_wrong(api: Api) -> None:
    problem = api.refused("POST", QUERY, {"messages": [{}] * 2000}, status=422, code="validation_failed")
    assert len(problem["errors"]) == 100
    assert "and 1997 more" in problem["detail"]
    many = {f"unknown_{number}": number for number in range(5000)}
    problem = api.refused("POST", QUERY, many, status=422, code="validation_failed")
    told = "has 5000 members; 'unknown_0' is the first that is not known"
    assert problem["errors"] == [{"field": "body", "message": told}]
    for text in ("a" * 3 * _MEGABYTE, "\U0001f600" * (_MEGABYTE // 4)):
        for body in ({text: 1}, {"messages": [{"role": text}]}, {"mode": text}, {"tool_choice": text}):
            response = api.call("POST", QUERY, body)
            assert response.status_code == 422
            assert len(response.content) < 20_000


_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(st.characters(), max_size=20),
    lambda children: st.lists(children, max_size=4) | st.dictionaries(st.text(max_size=10), children, max_size=4),
    max_leaves=12,
)
_FIELDS = [*PROVIDER, *QUESTION, "metadata", "parameters", "tools", "output", "models", "limits", "mode", "revision"]


@settings(max_examples=150)
@given(changes=st.dictionaries(st.sampled_from(_FIELDS), _JSON, max_size=4), path=st.sampled_from([PROVIDERS, QUERY]))
def test_no_body_makes_the_gateway_fail(api: Api, changes: dict[str, Any], path: str) -> None:
    body = (PROVIDER if path == PROVIDERS else QUESTION) | changes
    response = api.call("POST", path, content=json.dumps(body).encode(), role=Role.ADMIN)
    assert response.status_code in (200, 201, 400, 404, 409, 422, 503), response.text


@settings(max_examples=100)
@given(content=st.binary(max_size=60))
def test_no_bytes_make_the_gateway_fail(api: Api, content: bytes) -> None:
    assert api.call("POST", QUERY, content=content).status_code in (400, 422)
