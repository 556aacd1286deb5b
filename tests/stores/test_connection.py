"""Where AWS's services are, and by which way they are asked: as botocore finds them, whatever it is told."""

import os
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from functools import cache, partial, partialmethod
from pathlib import Path
from threading import Barrier
from types import SimpleNamespace
from typing import Any
from unittest.mock import patch

import pytest
from botocore.client import BaseClient
from botocore.exceptions import BotoCoreError, EndpointConnectionError, NoCredentialsError, ReadTimeoutError
from botocore.session import Session
from llm_gateway.settings import LambdaAws
from llm_gateway.stores.connection import Aws, BotocoreService
from llm_gateway.stores.json_service import DYNAMODB, SECRETS_MANAGER, SQS, JsonProtocol, JsonService
from llm_gateway.stores.kept_connections import Answer

IN_LAMBDA = {
    "AWS_LAMBDA_FUNCTION_NAME": "gateway-run_query",
    "AWS_REGION": "eu-west-1",
    "AWS_DEFAULT_REGION": "eu-west-1",
    "AWS_ACCESS_KEY_ID": "id",
    "AWS_SECRET_ACCESS_KEY": "secret",
    "AWS_SESSION_TOKEN": "token",
}
OUTSIDE = {name: value for name, value in IN_LAMBDA.items() if name != "AWS_LAMBDA_FUNCTION_NAME"}
PROTOCOLS = (DYNAMODB, SECRETS_MANAGER, SQS)
ELSEWHERE = ("cn-north-1", "us-iso-east-1", "us-isob-east-1", "eu-isoe-west-1", "eusc-de-east-1", "nowhere")


class Asked:
    """What sends requests: it notes where to, and with which headers."""

    def __init__(self) -> None:
        self.urls: list[str] = []
        self.headers: list[Mapping[str, str]] = []

    def connect(self, url: str) -> Any:
        self.urls.append(url)
        return self

    def __call__(self, headers: Mapping[str, str], _body: bytes) -> Answer:
        self.headers.append(headers)
        return Answer(200, {}, b"{}")


@cache
def session() -> Session:
    """It reads what a service is once."""
    return Session()


@pytest.fixture
def asked() -> Asked:
    return Asked()


@pytest.fixture(autouse=True)
def _nothing_of_this_machine() -> Iterator[None]:
    """Its variables may say where AWS is, and what stands between."""
    ours = ("AWS_", "REQUESTS_CA_BUNDLE", "HTTP", "NO_PROXY")
    kept = {name: value for name, value in os.environ.items() if not name.upper().startswith(ours)}
    kept |= {"AWS_EC2_METADATA_DISABLED": "true", "AWS_CONFIG_FILE": "/nowhere", "HOME": "/nowhere"}
    with patch.dict(os.environ, kept, clear=True):
        yield


def told(environment: Mapping[str, str]) -> None:
    if "AWS_LAMBDA_FUNCTION_NAME" in environment:
        os.environ.pop("AWS_CONFIG_FILE", None)
    os.environ.update(environment)


def service_of(aws: Aws, protocol: JsonProtocol) -> Any:
    return getattr(aws, {DYNAMODB: "tables", SECRETS_MANAGER: "secrets", SQS: "queues"}[protocol])


@pytest.mark.parametrize("region", sorted({*Session().get_available_regions("dynamodb"), "us-gov-west-1", *ELSEWHERE}))
def test_the_short_way_finds_every_service_where_botocore_does(region: str) -> None:
    found = LambdaAws.from_environment(IN_LAMBDA | {"AWS_DEFAULT_REGION": region})
    assert (found is None) == (region in ELSEWHERE)
    for protocol in PROTOCOLS if found else ():
        client = session().create_client(
            protocol.service, region, aws_access_key_id="id", aws_secret_access_key="secret"
        )
        assert found.url(protocol.service, variable=protocol.variable) == client.meta.endpoint_url


@pytest.mark.parametrize("environment", [IN_LAMBDA, OUTSIDE], ids=["in Lambda", "outside"])
@pytest.mark.parametrize("protocol", PROTOCOLS, ids=lambda protocol: protocol.service)
@pytest.mark.parametrize(
    ("variables", "url"),
    [
        ({}, None),
        ({"AWS_ENDPOINT_URL": "http://127.0.0.1:4566"}, "http://127.0.0.1:4566"),
        ({"AWS_ENDPOINT_URL": "http://127.0.0.1:1", "AWS_ENDPOINT_URL_{}": "http://127.0.0.1:2"}, "http://127.0.0.1:2"),
        ({"AWS_USE_FIPS_ENDPOINT": "true"}, "https://{}-fips.us-east-1.amazonaws.com"),
        (
            {"AWS_ENDPOINT_URL": "http://127.0.0.1:1", "AWS_IGNORE_CONFIGURED_ENDPOINT_URLS": "true"},
            None,
        ),
    ],
)
def test_an_address_is_the_one_that_every_tool_of_aws_finds(
    asked: Asked, environment: dict[str, str], protocol: JsonProtocol, variables: dict[str, str], url: str | None
) -> None:
    told(environment | {"AWS_DEFAULT_REGION": "us-east-1"})
    told({name.format(protocol.variable): value for name, value in variables.items()})
    service_of(Aws(asked.connect), protocol).call("X", {})
    wanted = (url or "https://{}.us-east-1.amazonaws.com").format(protocol.service)
    assert asked.urls == [wanted]
    assert asked.headers[0]["host"] == wanted.partition("//")[2]
    assert f"/us-east-1/{protocol.service}/aws4_request" in asked.headers[0]["authorization"]


def test_in_lambda_botocore_need_not_be_asked(asked: Asked) -> None:
    told(IN_LAMBDA | {"HTTPS_PROXY": "", "AWS_CA_BUNDLE": ""})
    aws = Aws(asked.connect)
    aws.tables.call("GetItem", {})
    assert aws._made_session is None
    assert "Credential=id/" in asked.headers[0]["authorization"]
    assert asked.headers[0]["x-amz-security-token"] == "token"


def test_a_copy_of_a_snapshot_asks_for_its_credentials_and_for_nothing_else(asked: Asked) -> None:
    signing = ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN")
    told({name: value for name, value in IN_LAMBDA.items() if name not in signing})
    aws = Aws(asked.connect)
    aws._session.set_credentials("asked for", "s", "its token")
    aws.tables.call("GetItem", {})
    assert "Credential=asked for/" in asked.headers[0]["authorization"]
    assert asked.headers[0]["x-amz-security-token"] == "its token"
    assert aws._clients == {}


def test_without_any_credentials_nothing_is_asked(asked: Asked) -> None:
    told({name: value for name, value in IN_LAMBDA.items() if name != "AWS_SECRET_ACCESS_KEY"})
    del os.environ["AWS_ACCESS_KEY_ID"]
    with pytest.raises(NoCredentialsError):
        Aws(asked.connect).tables.call("GetItem", {})
    assert asked.headers == []


def test_a_service_is_connected_to_once(asked: Asked) -> None:
    told(IN_LAMBDA)
    aws = Aws(asked.connect)
    assert aws.tables is aws.tables
    assert len(asked.urls) == 1


def test_threads_that_begin_at_once_have_one_session() -> None:
    told(OUTSIDE)
    aws, together = Aws(), Barrier(8)

    def session_of(_: int) -> Session:
        together.wait(10)
        return aws._session

    with ThreadPoolExecutor(8) as pool:
        assert len({id(each) for each in [*pool.map(session_of, range(8))]}) == 1


def test_credentials_are_as_botocore_has_them_now(asked: Asked) -> None:
    told(OUTSIDE)
    aws = Aws(asked.connect)
    aws.tables.call("GetItem", {})
    renewed = SimpleNamespace(access_key="renewed", secret_key="s", token=None)
    aws._session.set_credentials("renewed", renewed.secret_key)
    aws.tables.call("GetItem", {})
    assert "Credential=renewed/" in asked.headers[1]["authorization"]


@pytest.mark.parametrize(
    "variables",
    [
        {"HTTPS_PROXY": "http://127.0.0.1:9"},
        {"https_proxy": "http://127.0.0.1:9"},
        {"AWS_CA_BUNDLE": "/etc/ssl/certs/own.pem"},
        {"REQUESTS_CA_BUNDLE": "/etc/ssl/certs/own.pem"},
    ],
)
@pytest.mark.parametrize("environment", [IN_LAMBDA, OUTSIDE], ids=["in Lambda", "outside"])
def test_through_a_proxy_and_with_other_certificates_botocore_asks(
    asked: Asked, environment: dict[str, str], variables: dict[str, str]
) -> None:
    told(environment | variables)
    assert isinstance(Aws(asked.connect).tables, BotocoreService)
    assert asked.urls == []


@pytest.mark.parametrize(
    ("mode", "way"), [("required", BotocoreService), ("preferred", JsonService), ("disabled", JsonService)]
)
@pytest.mark.parametrize("environment", [IN_LAMBDA, OUTSIDE], ids=["in Lambda", "outside"])
def test_where_no_address_but_an_accounts_own_will_do_botocore_asks(
    asked: Asked, environment: dict[str, str], mode: str, way: type
) -> None:
    """It makes that address anew for each request, of the account of its credentials."""
    told(environment | {"AWS_ACCOUNT_ID_ENDPOINT_MODE": mode, "AWS_ACCOUNT_ID": "123456789012"})
    assert isinstance(Aws(asked.connect).tables, way)


@pytest.mark.parametrize(
    ("url", "way"), [("https://127.0.0.1:1", BotocoreService), ("http://127.0.0.1:1", JsonService)]
)
def test_with_other_certificates_of_the_configuration_botocore_asks(
    asked: Asked, tmp_path: Path, url: str, way: type
) -> None:
    (tmp_path / "config").write_text("[profile inspected]\nca_bundle = /etc/ssl/certs/own.pem\n")
    told(OUTSIDE | {"AWS_CONFIG_FILE": str(tmp_path / "config"), "AWS_PROFILE": "inspected", "AWS_ENDPOINT_URL": url})
    assert isinstance(Aws(asked.connect).tables, way)


@pytest.mark.parametrize(
    "variables",
    [
        {"HTTPS_PROXY": "http://127.0.0.1:9", "NO_PROXY": ".amazonaws.com"},
        {"HTTP_PROXY": "http://127.0.0.1:9"},
        {"AWS_CA_BUNDLE": "/etc/ssl/certs/own.pem", "AWS_ENDPOINT_URL": "http://127.0.0.1:4566"},
    ],
)
def test_what_does_not_concern_an_address_changes_nothing(asked: Asked, variables: dict[str, str]) -> None:
    told(OUTSIDE | variables)
    assert isinstance(Aws(asked.connect).tables, JsonService)


def test_what_watches_botocore_sees_these_calls_too(asked: Asked, monkeypatch: pytest.MonkeyPatch) -> None:
    told(IN_LAMBDA)
    seen: list[str] = []

    class Watching:
        """As instruments wrap a method: an object in its place."""

        def __get__(self, client: Any, _: object) -> Any:
            return partial(self._see, client)

        def _see(self, client: Any, operation: str, request: dict[str, Any]) -> dict[str, Any]:
            seen.append(operation)
            return request

    monkeypatch.setattr(BaseClient, "_make_api_call", Watching())
    tables = Aws(asked.connect).tables
    assert tables.call("GetItem", {"TableName": "t"}) == {"TableName": "t"}
    assert tables.call("UpdateItem", {"TableName": "t"}, repeatable=False) == {"TableName": "t"}
    assert seen == ["GetItem", "UpdateItem"]


@pytest.mark.parametrize(
    ("fault", "sent"),
    [
        (EndpointConnectionError(endpoint_url="http://127.0.0.1:1"), 2),
        (ReadTimeoutError(endpoint_url="http://127.0.0.1:1"), 1),
    ],
)
def test_what_must_not_be_done_twice_is_tried_again_where_nobody_was_reached(
    asked: Asked, monkeypatch: pytest.MonkeyPatch, fault: BotoCoreError, sent: int
) -> None:
    told(IN_LAMBDA)
    seen: list[str] = []

    def fail(_: object, operation: str, __: object) -> None:
        seen.append(operation)
        raise fault

    monkeypatch.setattr(BaseClient, "_make_api_call", partialmethod(fail))
    tables = Aws(asked.connect).tables
    assert isinstance(tables, BotocoreService)
    with pytest.raises(type(fault)):
        tables.call("UpdateItem", {"TableName": "t"}, repeatable=False)
    assert seen == ["UpdateItem"] * sent


def test_what_signs_is_in_no_description() -> None:
    found = LambdaAws.from_environment(
        IN_LAMBDA | {"AWS_SECRET_ACCESS_KEY": "what signs", "AWS_SESSION_TOKEN": "with it"}
    )
    assert found is not None
    assert "what signs" not in repr(found)
    assert "with it" not in repr(found)
