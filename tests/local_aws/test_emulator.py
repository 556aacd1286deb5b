"""The emulator on a developer's machine: open to programs here, closed to the pages that the developer visits."""

import base64
import http.client
import io
import json
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import boto3
import pytest

from local_aws import emulator
from local_aws.aws import LocalAws
from local_aws.processes import Processes

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
def aws(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalAws]:
    scratch: Path = tmp_path_factory.mktemp("emulator")
    with Processes(logs=scratch / "logs") as processes:
        aws, process = emulator.start(processes, scratch=scratch)
        emulator.wait_for(aws, process)
        yield aws


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
