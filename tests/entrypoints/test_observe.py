"""What a request leaves in the log: one line that says who, what and how long, and not a word of its content."""

import json
import logging
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from aws_lambda_powertools.logging.formatter import LambdaPowertoolsFormatter
from llm_gateway.access import SERVER_ERRORS, metrics_namespace
from llm_gateway.domain import faults
from llm_gateway.domain.chat import ChatAnswer, FinishReason, TextDelta, Usage
from llm_gateway.domain.keys import Role
from llm_gateway.entrypoints.observe import log_unexpected, logger
from llm_gateway.errors import AnswerLost, AnswerWithheld, DeadlineExceeded, DependencyUnavailable
from starlette.applications import Starlette
from starlette.types import Receive, Scope, Send

from tests.adapters.in_process import client_of
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


@pytest.mark.parametrize(("body", "status"), [(QUESTION, 503), (QUESTION | {"mode": "nonsense"}, 422)])
def test_a_server_may_leave_out_where_the_app_is_mounted(
    api: Api, app: Starlette, body: dict[str, Any], status: int
) -> None:
    """ASGI has the root path empty where it is absent."""

    async def without_root_path(scope: Scope, receive: Receive, send: Send) -> None:
        await app({name: value for name, value in scope.items() if name != "root_path"}, receive, send)

    with client_of(without_root_path) as client:
        answer = client.post(QUERY, json=body, headers={"X-Api-Key": api.secret(Role.CALLER)})
    assert answer.status_code == status
    assert answer.json()["type"].startswith("/errors")


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
    assert_counted(line)


def assert_counted(line: dict[str, Any]) -> None:
    """CloudWatch counts it by the function, for its alarm, and by the version, for its release."""
    directives = line["_aws"]["CloudWatchMetrics"]
    assert [directive["Dimensions"] for directive in directives] == [[["function"]], [["function", "version"]]]
    for directive in directives:
        assert directive["Namespace"] == metrics_namespace("llm-gateway-prod")
        assert directive["Metrics"] == [{"Name": SERVER_ERRORS, "Unit": "Count"}]
    assert (line["function"], line["version"], line[SERVER_ERRORS]) == ("llm-gateway-prod-run_query", "7", 1)


def without_a_grant() -> Exception:
    error = DependencyUnavailable("The store of queries cannot be reached right now.")
    error.by_release = True
    return error


@pytest.mark.parametrize(
    ("meets", "status", "code"),
    [
        (AnswerLost(), 500, "answer_lost"),
        (AnswerWithheld(), 500, "answer_withheld"),
        (without_a_grant(), 503, "dependency_unavailable"),
    ],
)
def test_a_release_answers_for_what_is_its_own_fault_though_foreseen(
    api: Api, lines: Lines, monkeypatch: pytest.MonkeyPatch, meets: Exception, status: int, code: str
) -> None:
    monkeypatch.setenv("AWS_LAMBDA_FUNCTION_NAME", "llm-gateway-prod-run_query")
    monkeypatch.setenv("AWS_LAMBDA_FUNCTION_VERSION", "7")
    api.register()
    api.gateway.outside.models.script.append(meets)
    assert api.call("POST", QUERY, QUESTION).status_code == status
    (line,) = lines.named("own_fault")
    assert (line["error_code"], line["kind"]) == (code, "error")
    assert_counted(line)


def test_what_a_provider_did_is_not_counted_as_the_releases(
    api: Api, lines: Lines, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_LAMBDA_FUNCTION_NAME", "llm-gateway-prod-run_query")
    monkeypatch.setenv("AWS_LAMBDA_FUNCTION_VERSION", "7")
    api.register()
    api.gateway.outside.models.script.append(faults.ProviderFailed("It failed."))
    assert api.call("POST", QUERY, QUESTION).status_code == 502
    api.gateway.outside.models.script.append(DependencyUnavailable("DynamoDB is away."))
    assert api.call("POST", QUERY, QUESTION).status_code == 503
    assert SERVER_ERRORS not in "".join(lines.written)


TRACE = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"


def test_a_request_is_a_part_of_its_callers_trace(api: Api, lines: Lines) -> None:
    api.call("GET", PROVIDERS, headers={"traceparent": TRACE})
    api.call("GET", PROVIDERS, headers={"traceparent": "nonsense"})
    api.call("GET", PROVIDERS)
    told = [line["trace_id"] for line in lines.named("request")]
    assert told[0] == TRACE[3:35]
    assert len(set(told)) == 3


@pytest.mark.parametrize(
    ("meets", "status", "error_class", "kind"),
    [
        (RuntimeError(), 500, "gateway", "error"),
        (faults.ProviderFailed("It failed."), 502, "provider", "error"),
        (DeadlineExceeded("Too late."), 504, "time", "error"),
        (DependencyUnavailable("It cannot be reached."), 503, "dependency", "error"),
    ],
)
def test_a_failure_is_counted_by_whose_part_it_was(
    api: Api, lines: Lines, meets: Exception, status: int, error_class: str, kind: str
) -> None:
    api.register()
    api.gateway.outside.models.script.append(meets)
    assert api.call("POST", QUERY, QUESTION).status_code == status
    line = lines.named("request")[-1]
    assert (line["error_class"], line["Errors"], line["kind"]) == (error_class, 1, kind)
    (directive,) = line["_aws"]["CloudWatchMetrics"]
    assert directive["Dimensions"] == [["error_class"]]


@pytest.mark.parametrize(
    ("path", "role", "error_class", "kind"),
    [
        (f"{PROVIDERS}/nope", Role.ADMIN, "caller", "request"),
        (PROVIDERS, None, "access", "security"),
        ("/api/v1/llm/keys", Role.CALLER, "access", "security"),
    ],
)
def test_what_a_caller_did_is_no_error_of_ours(
    api: Api, lines: Lines, path: str, role: Role | None, error_class: str, kind: str
) -> None:
    api.call("GET", path, role=role)
    line = lines.named("request")[-1]
    assert (line["error_class"], line["kind"]) == (error_class, kind)


def test_a_stream_that_breaks_off_is_an_error_though_its_status_was_200(api: Api, lines: Lines) -> None:
    def breaking(*_: Any, **__: Any) -> Any:
        yield TextDelta(text="Hel")
        raise faults.ProviderFailed("It broke off.")

    api.register()
    api.gateway.outside.models = Streaming(breaking)
    response = api.call("POST", f"{QUERY}/stream", QUESTION)
    line = lines.named("request")[-1]
    assert (response.status_code, line["status"], line["error_class"], line["kind"]) == (200, 200, "provider", "error")
    assert line["query_id"] == response.headers["X-Gateway-Query-Id"]


def test_the_lines_of_other_floors_are_lines_too(api: Api, lines: Lines, capsys: pytest.CaptureFixture[str]) -> None:
    """In the form of the doors' own, with the request that they are about, also from the thread that tells a stream."""

    def heard(*_: Any, **__: Any) -> Any:
        logging.getLogger("llm_gateway.providers.transport").warning("Something is odd.")
        yield TextDelta(text="Hello")
        usage = Usage(input_tokens=1, output_tokens=1)
        yield ChatAnswer(text="Hello", finish_reason=FinishReason.STOP, model="small", usage=usage)

    api.register()
    api.gateway.outside.models = Streaming(heard)
    response = api.call("POST", f"{QUERY}/stream", QUESTION)
    (line,) = lines.named("Something is odd.")
    assert (line["kind"], line["level"]) == ("error", "WARNING")
    assert line["request_id"] == response.headers["X-Request-Id"]
    assert line["query_id"] == response.headers["X-Gateway-Query-Id"]


def _failure() -> Any:
    try:
        raise ValueError("UNSEEN")
    except ValueError:
        return sys.exc_info()


@pytest.mark.parametrize(
    "said",
    [
        {"msg": "request", "status": 200, "error_code": None, "kind": "security", "levelname": "INFO"},
        {"msg": "%s of %d", "args": ("one", 2), "where": [{"a": None}], "levelname": "WARNING"},
        {"msg": "failed", "exc_info": _failure(), "levelname": "ERROR"},
    ],
)
def test_a_line_has_the_members_that_powertools_gives_it(monkeypatch: pytest.MonkeyPatch, said: dict[str, Any]) -> None:
    monkeypatch.setenv("_X_AMZN_TRACE_ID", "Root=1-5759e988-bd862e3fe1be46a994272793;Parent=53995c3f42cd8ad8;Sampled=1")
    record = logging.makeLogRecord({"funcName": "run", "lineno": 5, **said})
    theirs = json.loads(LambdaPowertoolsFormatter(service="llm-gateway").format(record))
    line = json.loads(logger().registered_formatter.format(record))
    assert line["kind"] == {"INFO": "security"}.get(record.levelname, "error")
    assert line == {**theirs, "kind": line["kind"]}
    assert line["xray_trace_id"] == "1-5759e988-bd862e3fe1be46a994272793"


def test_lambdas_own_handler_does_not_write_our_lines_again(monkeypatch: pytest.MonkeyPatch) -> None:
    done = subprocess.run(
        [sys.executable, "-c", LAMBDA],
        env={
            "PYTHONPATH": "layers/gateway/python",
            "AWS_LAMBDA_FUNCTION_NAME": "f",
            "AWS_LAMBDA_FUNCTION_VERSION": "1",
        },
        cwd=Path(__file__).parents[2],
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
    assert done.stderr == "another's\n"
    (line,) = done.stdout.splitlines()
    assert json.loads(line)["message"] == "ours"


# As Lambda's runtime has it: a handler of the root's, before anything of ours is imported.
LAMBDA = """
import logging, sys
logging.basicConfig(format="%(message)s", stream=sys.stderr)
from llm_gateway.entrypoints.observe import logger
logger()
logging.getLogger("llm_gateway.stores.gates").warning("ours")
logging.getLogger("another").warning("another's")
"""


class Streaming:
    """Providers that stream what a test says."""

    def __init__(self, stream: Any) -> None:
        self.stream = stream

    def open(self, *_: Any) -> "Streaming":
        return self
