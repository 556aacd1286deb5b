"""The command line that tells a query's life from the logs."""

import json
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import boto3
import pytest
from llm_gateway.entrypoints.trace import cloudwatch, files, life_of, main
from moto import mock_aws
from ulid import ULID

QUERY = "qry_01M8NBTCNV0000000000000004"
REQUEST = "req_01M8NBTCER8SQ6C397MVC8PG80"
READING = "req_01M8NBTCR4AKTWV8W57ZHZEM4M"
OTHER = "qry_01M8NBTCRQ0000000000000007"
MS = 1_796_013_371_852


def line(message: str, at_ms: int, **said: Any) -> str:
    stamp = {"_aws": {"Timestamp": at_ms, "CloudWatchMetrics": []}}
    return json.dumps({**stamp, "message": message, "kind": "request", **said})


ACCEPTED = line("request", MS, request_id=REQUEST, query_id=QUERY, key_id="key_1", status=202)
NOT_YET = line("not_done", MS + 2000, request_id=REQUEST, query_id=QUERY)
ENDED = line("query", MS + 3000, request_id=REQUEST, query_id=QUERY, status="succeeded", attempts=["a:ok"], error=None)
READ = line("request", MS + 4000, request_id=READING, query_id=QUERY, status=200)
# About the request alone: nobody knew the query's id yet.
BEFORE = line("unexpected_error", MS - 1, request_id=REQUEST)
STRANGERS = [
    line("request", MS, request_id="req_01M8NBTCWG1NS7Z03HQZC9TF3J", query_id=OTHER),
    line("query", MS, query_id=OTHER, note=f"not about {QUERY}"),
    f"a line of another program with {QUERY}",
    f'["{QUERY}"]',
    f'{{"{QUERY}": ',
]
GATEWAY, WORKER = [*STRANGERS, READ, ACCEPTED, BEFORE], [ENDED, NOT_YET]
LIFE = ["unexpected_error", "request", "not_done", "query", "request"]


@pytest.fixture
def logs(tmp_path: Path) -> Path:
    (tmp_path / "gateway.log").write_text("\n".join(GATEWAY))
    (tmp_path / "worker.log").write_text("\n".join(WORKER))
    (tmp_path / "notes.txt").write_text(ENDED)
    return tmp_path


def test_a_querys_life_is_told_in_the_order_of_time(logs: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([QUERY, "--logs", str(logs)]) == 0
    shown = capsys.readouterr().out.splitlines()
    assert shown[:3] == [f"query_id    {QUERY}", f"request_id  {REQUEST} {READING}", "key_id      key_1"]
    assert [text.split()[3] for text in shown[3:]] == LIFE
    assert shown[6].startswith("2026-11-30 04:36:14.852  request      query ")
    assert shown[6].endswith('status=succeeded attempts=["a:ok"]')


def test_from_a_request_every_line_of_its_query_is_found(logs: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([REQUEST, "--logs", str(logs / "gateway.log"), str(logs / "worker.log"), "--json"]) == 0
    documents = [json.loads(text) for text in capsys.readouterr().out.splitlines()]
    assert [document["message"] for document in documents] == LIFE


def test_what_nobody_knows_is_said(logs: Path, capsys: pytest.CaptureFixture[str]) -> None:
    unknown = "qry_01J00000000000000000000000"
    assert main([unknown, "--logs", str(logs)]) == 1
    assert capsys.readouterr().err == f"No line is about {unknown}.\n"


@pytest.mark.parametrize(
    ("where", "said"), [("nothing", "There is no log in"), ("gateway.log/x", "cannot be read: Not a directory")]
)
def test_logs_that_cannot_be_read_are_named(
    tmp_path: Path, logs: Path, where: str, said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "nothing").mkdir()
    assert main([QUERY, "--logs", str(logs / where)]) == 2
    assert said in capsys.readouterr().err


API_REQUEST = "6f5902ac-a9fa-4d51-8d2e-3d4c0a7b9c11"
# As API Gateway writes it: it knows no id of ours.
ACCESS = {
    "request_id": API_REQUEST,
    "ip": "203.0.113.7",
    "time": str(MS - 5),
    "route": "/api/v1/llm/query",
    "status": "202",
}


def test_what_api_gateway_calls_a_request_leads_to_all_of_it(logs: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """It is in the answers that API Gateway gives by itself, and in its own log."""
    (logs / "access.log").write_text(json.dumps(ACCESS))
    (logs / "gateway.log").write_text(
        "\n".join([*STRANGERS, READ, BEFORE, ACCEPTED[:-1] + f', "api_request_id": "{API_REQUEST}"}}'])
    )
    assert main([API_REQUEST, "--logs", str(logs)]) == 0
    shown = capsys.readouterr().out
    assert f"api_request_id {API_REQUEST}\n" in shown
    lines = [text for text in shown.splitlines() if text.startswith("2026-")]
    assert [text.split()[3] for text in lines] == ["access", *LIFE]
    assert "ip=203.0.113.7" in lines[0]
    assert "status=202" in lines[0]


def test_a_request_that_reached_no_function_has_api_gateways_line_alone(tmp_path: Path) -> None:
    (tmp_path / "access.log").write_text(json.dumps(ACCESS | {"status": "500", "error": "INTEGRATION_FAILURE"}))
    (line,) = life_of(API_REQUEST, files([tmp_path]))
    assert (line.at_ms, line.document["error"]) == (MS - 5, "INTEGRATION_FAILURE")


@pytest.mark.parametrize("prefix", ["run_", "ers_"])
def test_what_else_is_queued_has_a_life_too(tmp_path: Path, prefix: str, capsys: pytest.CaptureFixture[str]) -> None:
    id_ = prefix + QUERY.partition("_")[2]
    delivery = line("delivery", MS + 2000, request_id=REQUEST, query_id=id_)
    (tmp_path / "worker.log").write_text("\n".join([BEFORE, delivery]))
    assert main([id_, "--logs", str(tmp_path)]) == 0
    assert main([REQUEST, "--logs", str(tmp_path)]) == 0
    assert capsys.readouterr().out.count("  delivery\n") == 2


@pytest.mark.parametrize(
    "text", ["", "qry_1", "qry_01M8NBTCNV0000000000000004\n", 'qry_" ?"', "key_01M8NBTCNV0000000000000004"]
)
def test_what_is_no_id_is_not_looked_for(text: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main([text])
    assert ended.value.code == 2
    assert "is no id of a query" in capsys.readouterr().err


def test_a_terminal_is_not_given_orders(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    log = tmp_path / "a.log"
    log.write_text(line("\x1b[2J", MS, query_id=QUERY, said="\x1b]0;x\x07\n", long="x" * 1000))
    assert main([QUERY, "--logs", str(log)]) == 0
    out = capsys.readouterr().out
    assert "\x1b" not in out
    assert len(out.splitlines()[1]) < 400


def test_lines_of_the_doors_and_of_the_journal_share_one_time(tmp_path: Path) -> None:
    """The logger writes when it is; the line with the words of a query has no time, and comes right after the query's."""
    words = json.dumps({"message": "query_bodies", "query_id": QUERY})
    door = json.dumps({"message": "delivery", "query_id": QUERY, "timestamp": "2026-11-30 04:36:14,900+0000"})
    (tmp_path / "worker.log").write_text("\n".join([ENDED, words, door]))
    life = life_of(QUERY, files([tmp_path]))
    assert [each.document["message"] for each in life] == ["query", "query_bodies", "delivery"]


@mock_aws
def test_in_cloudwatch_the_groups_of_the_deployment_are_looked_through() -> None:
    client = boto3.client("logs", region_name="eu-west-1")
    # CloudWatch takes no lines of long ago, and is asked for none from before the query was made.
    now_ms, query_id = int(time.time() * 1000), f"qry_{ULID()}"
    groups = {
        "llm-gateway-prod-queries-Log1": GATEWAY,
        "llm-gateway-prod-worker-Log2": WORKER,
        "llm-gateway-dev-queries-Log1": [line("elsewhere", now_ms, query_id=query_id)],
    }
    for group, texts in groups.items():
        client.create_log_group(logGroupName=group)
        client.create_log_stream(logGroupName=group, logStreamName="stream")
        events = [{"timestamp": now_ms, "message": text.replace(QUERY, query_id)} for text in texts]
        client.put_log_events(logGroupName=group, logStreamName="stream", logEvents=events)
    life = life_of(query_id, cloudwatch("llm-gateway-prod", client))
    assert [each.document["message"] for each in life] == LIFE


@mock_aws
def test_a_deployment_that_is_not_there_is_named(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("AWS_DEFAULT_REGION", "eu-west-1")
    assert main([QUERY, "--deployment", "nobodys"]) == 2
    assert "There is no log group whose name begins with nobodys-" in capsys.readouterr().err


def test_a_cloudwatch_that_does_not_answer_is_told(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:1")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "eu-west-1")
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "x")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "x")
    monkeypatch.setenv("AWS_MAX_ATTEMPTS", "1")
    assert main([QUERY, "--deployment", "llm-gateway-prod"]) == 2
    assert "CloudWatch cannot be asked" in capsys.readouterr().err


def test_it_runs_as_a_module(logs: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "llm_gateway.entrypoints.trace", QUERY, "--logs", str(logs)],
        capture_output=True,
        text=True,
        timeout=60,
        env={"PYTHONPATH": "layers/gateway/python", "PATH": ""},
        cwd=Path(__file__).parents[2],
    )
    assert (done.returncode, len(done.stdout.splitlines())) == (0, 3 + len(LIFE)), done.stderr
