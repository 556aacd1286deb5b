"""What a request leaves in the log: one line that says who, what and how long, and not a word of its content."""

import json
from typing import Any

import pytest
from llm_gateway.access import METRICS_NAMESPACE, SERVER_ERRORS
from llm_gateway.domain import faults
from llm_gateway.domain.keys import Role
from llm_gateway.entrypoints.observe import log_unexpected

from tests.entrypoints.conftest import CREDENTIAL, PROVIDER, PROVIDERS, QUERY, QUESTION, Api, Lines


def test_every_request_leaves_one_line(api: Api, lines: Lines) -> None:
    response = api.call("GET", PROVIDERS, role=Role.CALLER)
    (line,) = lines.named("request")
    assert line["request_id"] == response.headers["X-Request-Id"]
    assert line["endpoint"] == "list_providers"
    assert line["status"] == 200
    assert line["key_id"] == f"key_{api.secret(Role.CALLER).split('_')[1]}"
    assert line["duration_ms"] >= 0
    assert line.get("error_code") is None


@pytest.mark.parametrize(
    ("call", "status", "code", "endpoint"),
    [
        (("GET", "/nope"), 404, "route_not_found", None),
        (("GET", f"{PROVIDERS}/nope"), 404, "provider_not_found", "get_provider"),
        (("POST", PROVIDERS, {"name": 5}), 422, "validation_failed", "create_provider"),
    ],
)
def test_a_failure_is_named(
    api: Api, lines: Lines, call: tuple[Any, ...], status: int, code: str, endpoint: str | None
) -> None:
    api.call(*call)
    (line,) = lines.named("request")
    assert (line["status"], line["error_code"], line.get("endpoint")) == (status, code, endpoint)


def test_nobody_is_named_who_was_not_let_in(api: Api, lines: Lines) -> None:
    api.call("GET", PROVIDERS, role=None, headers={"X-Api-Key": api.secret(Role.ADMIN) + "x"})
    (line,) = lines.named("request")
    assert line.get("key_id") is None


def test_no_line_tells_what_was_sent_or_answered(api: Api, lines: Lines) -> None:
    api.register()
    api.call("PUT", f"{PROVIDERS}/local", PROVIDER | {"nonsense": "UNSEEN"})
    api.call("POST", QUERY, QUESTION | {"metadata": {"customer": "UNSEEN"}, "system": {"text": "UNSEEN"}})
    api.call("POST", QUERY, content=b'{"UNSEEN": ')
    api.call("POST", QUERY, QUESTION | {"UNSEEN": 1})
    api.call("GET", f"{PROVIDERS}?cursor=UNSEEN", headers={"User-Agent": "UNSEEN"})
    api.gateway.outside.models.script.append(RuntimeError(f"UNSEEN {CREDENTIAL}"))
    api.call("POST", QUERY, QUESTION)
    text = "\n".join(lines.written)
    assert len(lines.named("request")) == 7
    for unseen in ("UNSEEN", CREDENTIAL, "Hello!", api.secret(Role.ADMIN), api.gateway.outside.pepper.value().decode()):
        assert unseen not in text


def test_an_unexpected_error_leaves_its_type_and_place(lines: Lines) -> None:
    try:
        raise ValueError("UNSEEN")
    except ValueError as error:
        log_unexpected(error)
    (line,) = lines.named("unexpected_error")
    assert line["error_type"] == "ValueError"
    assert "test_observe.py" in line["where"][-1]
    assert "UNSEEN" not in json.dumps(line)


def test_what_nobody_foresaw_is_counted_by_the_release_that_did_it(
    api: Api, lines: Lines, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The metric on which a release is taken back, from a request that was answered with 500."""
    monkeypatch.setenv("AWS_LAMBDA_FUNCTION_NAME", "llm-gateway-prod-run_query")
    monkeypatch.setenv("AWS_LAMBDA_FUNCTION_VERSION", "7")
    api.register()
    api.gateway.outside.models.script.append(RuntimeError("UNSEEN"))
    assert api.call("POST", QUERY, QUESTION).status_code == 500
    (line,) = lines.named("unexpected_error")
    (directive,) = line["_aws"]["CloudWatchMetrics"]
    assert directive["Namespace"] == METRICS_NAMESPACE
    assert directive["Dimensions"] == [["function", "version"]]
    assert directive["Metrics"] == [{"Name": SERVER_ERRORS, "Unit": "Count"}]
    assert (line["function"], line["version"], line[SERVER_ERRORS]) == ("llm-gateway-prod-run_query", "7", 1)


def test_what_a_provider_did_is_not_counted_as_the_releases(
    api: Api, lines: Lines, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_LAMBDA_FUNCTION_NAME", "llm-gateway-prod-run_query")
    monkeypatch.setenv("AWS_LAMBDA_FUNCTION_VERSION", "7")
    api.register()
    api.gateway.outside.models.script.append(faults.ProviderFailed("It failed."))
    assert api.call("POST", QUERY, QUESTION).status_code == 502
    assert SERVER_ERRORS not in "".join(lines.written)
