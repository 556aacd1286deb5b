"""The emulator on a developer's machine: open to programs here, closed to the pages that the developer visits."""

import base64
import gzip
import http.client
import io
import json
import ssl
import subprocess
import zipfile
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any

import boto3
import pytest

from local_aws import emulator
from local_aws.aws import LocalAws
from local_aws.processes import Process, Processes
from tests.adapters.certificates import self_signed
from tests.adapters.loopback_server import LoopbackServer
from tests.patience import PATIENCE_S
from workshop.places import VENV_BIN

SECRET = "the-pepper-of-a-developer"
FOREIGN = [
    {"Origin": "https://evil.example"},
    {"Origin": "null"},
    {"Origin": "http://localhost:3000"},
    {"Sec-Fetch-Site": "cross-site"},
    {"Sec-Fetch-Site": "same-site"},
    {"Host": "rebind.evil.example:4566"},
    {"Host": "127.0.0.1.evil.example"},
]


@pytest.fixture(scope="module")
def started(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[LocalAws, Process]]:
    scratch: Path = tmp_path_factory.mktemp("emulator")
    with Processes(logs=scratch / "logs") as processes:
        aws, process = emulator.start(processes, scratch=scratch)
        emulator.wait_for(aws, process)
        yield aws, process


@pytest.fixture
def aws(started: tuple[LocalAws, Process]) -> LocalAws:
    return started[0]


def call(
    aws: LocalAws, method: str, path: str, body: Any = None, **headers: str
) -> tuple[int, http.client.HTTPMessage, bytes]:
    connection = http.client.HTTPConnection(aws.url.removeprefix("http://"), timeout=30)
    try:
        connection.request(method, path, None if body is None else json.dumps(body), headers)
        answer = connection.getresponse()
        return answer.status, answer.headers, answer.read()
    finally:
        connection.close()


def _function() -> dict[str, Any]:
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w") as code:
        code.writestr("index.py", "def handler(event, context):\n    return 'ran'\n")
    return {
        "FunctionName": "driveby",
        "Runtime": "python3.11",
        "Role": "arn:aws:iam::000000000000:role/any",
        "Handler": "index.handler",
        "Code": {"ZipFile": base64.b64encode(archive.getvalue()).decode()},
    }


@pytest.mark.parametrize("headers", FOREIGN, ids=str)
def test_a_page_can_neither_make_a_function_nor_read_a_secret(aws: LocalAws, headers: dict[str, str]) -> None:
    # Browsers send this without asking first.
    status, _, _ = call(aws, "POST", "/2015-03-31/functions", _function(), **{"Content-Type": "text/plain"}, **headers)
    assert status == 403
    status, _, _ = call(aws, "GET", "/2015-03-31/functions/driveby")
    assert status == 404
    target = {"X-Amz-Target": "secretsmanager.ListSecrets", "Content-Type": "application/x-amz-json-1.1"}
    status, answered, body = call(aws, "POST", "/", {}, **target, **headers)
    assert status == 403
    assert not [name for name in answered if name.lower().startswith("access-control-")]
    assert b"SecretList" not in body


def test_a_page_that_asks_first_is_told_no(aws: LocalAws) -> None:
    asking = {"Origin": "https://evil.example", "Access-Control-Request-Method": "POST"}
    status, answered, _ = call(aws, "OPTIONS", "/", **asking)
    assert status == 403
    assert not [name for name in answered if name.lower().startswith("access-control-")]


def test_programs_use_it_as_they_use_aws(aws: LocalAws) -> None:
    environment = aws.environment({})
    session = boto3.Session(
        region_name=aws.region,
        aws_access_key_id=environment["AWS_ACCESS_KEY_ID"],
        aws_secret_access_key=environment["AWS_SECRET_ACCESS_KEY"],
    )
    secrets = session.client("secretsmanager", endpoint_url=aws.url)
    secrets.create_secret(Name="pepper", SecretString=SECRET)
    assert secrets.get_secret_value(SecretId="pepper")["SecretString"] == SECRET
    s3 = session.client("s3", endpoint_url=aws.url.replace("127.0.0.1", "localhost"))
    s3.create_bucket(Bucket="bodies")
    assert [bucket["Name"] for bucket in s3.list_buckets()["Buckets"]] == ["bodies"]


def test_no_answer_lets_another_site_read_it(aws: LocalAws) -> None:
    status, answered, _ = call(aws, "GET", "/_localstack/health")
    assert status == 200
    assert not [name for name in answered if name.lower().startswith("access-control-")]


def test_it_is_served_by_the_quickest_loop_that_is_installed(started: tuple[LocalAws, Process]) -> None:
    pytest.importorskip("uvloop", reason="uvloop is not installed on this system")
    mapped = Path(f"/proc/{started[1].pid}/maps")
    if not mapped.exists():
        pytest.skip("this system does not tell what a process has loaded, as Linux does in /proc")
    assert "/uvloop/" in mapped.read_text()


class TlsProxy(BaseHTTPRequestHandler):
    """What stands between here and a registry."""

    def do_GET(self) -> None:
        self.send_response(204)
        self.end_headers()

    def log_message(self, *_: Any) -> None:
        """A test's output is its own."""


def proxy_with(certificate: Path) -> LoopbackServer:
    server = LoopbackServer(TlsProxy)
    tls = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    tls.load_cert_chain(certificate)
    server.socket = tls.wrap_socket(server.socket, server_side=True)
    return server


_REACH = """
Promise.all(process.argv.slice(1).map(url => fetch(url))).then(
    answers => console.log(answers.map(answer => answer.status).join(" ")),
    error => console.log(error.cause?.code ?? error),
)
"""


def reached(env: dict[str, str], *urls: str) -> str:
    command = [VENV_BIN / "node", "-e", _REACH, *urls]
    return subprocess.check_output(command, env=env, text=True, timeout=PATIENCE_S).strip()


def test_node_trusts_the_emulator_and_what_it_has_trusted_before(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The CDK calls the emulator, and npm a registry, perhaps through a proxy with a certificate of its own."""
    own, others, scratch = (tmp_path / name for name in ("own", "others", "scratch"))
    for folder in (own, others, scratch):
        folder.mkdir()
    certificate, trusted = self_signed(own), self_signed(others, name="proxy")
    # Not every file ends with a line.
    certificate.write_text(certificate.read_text().rstrip())
    trusted.write_text(trusted.read_text().rstrip())
    monkeypatch.setenv("NODE_EXTRA_CA_CERTS", str(trusted))
    proxy = proxy_with(trusted)
    proxy.start()
    try:
        with Processes(logs=tmp_path / "logs") as processes:
            started, process = emulator.start(processes, scratch=scratch, certificate=certificate)
            emulator.wait_for(started, process)
            given = LocalAws(url=started.url, certificates=certificate)
            found, _ = emulator.given_or_started(given, processes, scratch=scratch)
            for aws in (started, found):
                urls = (f"{aws.url}/_localstack/health", f"https://{proxy.address}")
                assert reached(aws.environment(), *urls) == "200 204"
                assert scratch in Path(aws.environment()["NODE_EXTRA_CA_CERTS"]).parents
    finally:
        proxy.stop()


TABLE = {
    "TableName": "things",
    "KeySchema": [{"AttributeName": "id", "KeyType": "HASH"}],
    "AttributeDefinitions": [{"AttributeName": "id", "AttributeType": "S"}],
    "BillingMode": "PAY_PER_REQUEST",
}
THING = {"TableName": "things", "Item": {"id": {"S": "a"}, "n": {"N": "1"}}}


@pytest.mark.parametrize(
    ("operation", "request_body"),
    [
        ("DescribeTable", {"TableName": "things"}),
        ("PutItem", THING),
        ("PutItem", {**THING, "ConditionExpression": "attribute_not_exists(id)"}),
        ("GetItem", {"TableName": "things", "Key": {"id": {"S": "a"}}}),
        ("GetItem", {"TableName": "nothing", "Key": {"id": {"S": "a"}}}),
        ("GetItem", {"TableName": "things", "Key": {"id": {"S": "é 世界"}}}),
        ("NoSuchThing", {}),
        ("GetItem", "no JSON"),
        ("GetItem", "[]"),
    ],
)
@pytest.mark.parametrize("account", ["111111111111", "222222222222"])
def test_dynamodb_answers_at_once_what_it_answers_by_the_emulators_own_way(
    aws: LocalAws, operation: str, request_body: Any, account: str
) -> None:
    def answer(operation: str, body: Any, *, packed: bool) -> tuple[int, str | None, str | None, Any]:
        sent = (body if isinstance(body, str) else json.dumps(body)).encode()
        scope = f"{account}/20260101/eu-west-1/dynamodb/aws4_request"
        signed = f"AWS4-HMAC-SHA256 Credential={scope}, SignedHeaders=host, Signature=0"
        headers = {"X-Amz-Target": f"DynamoDB_20120810.{operation}", "Authorization": signed}
        if packed:
            # One that is packed goes the emulator's own way.
            sent, headers["Content-Encoding"] = gzip.compress(sent), "gzip"
        connection = http.client.HTTPConnection(aws.url.removeprefix("http://"), timeout=30)
        try:
            connection.request("POST", "/", sent, headers)
            got = connection.getresponse()
            if got.status < 500:
                assert got.headers["x-amzn-requestid"]
                assert ("x-amz-id-2" in got.headers) == packed, "the emulator's own way has this besides"
            return got.status, got.headers["content-type"], got.headers["x-amz-crc32"], json.loads(got.read())
        finally:
            connection.close()

    # Only the first account has the table: the second one asks, and finds none.
    if account.startswith("1"):
        answer("CreateTable", TABLE, packed=False)
        answer("PutItem", THING, packed=False)
    at_once, own = (answer(operation, request_body, packed=packed) for packed in (False, True))
    assert at_once == own
    if operation == "GetItem" and isinstance(request_body, dict) and request_body["TableName"] == "things":
        assert (at_once[0] == 200) == account.startswith("1")
