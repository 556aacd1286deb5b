"""How AWS's JSON services are asked the short way: tried again as botocore would, refused as it tells it, binary both ways."""

import json
import zlib
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any

import pytest
from botocore.exceptions import (
    BotoCoreError,
    ChecksumError,
    ClientError,
    ConnectionClosedError,
    EndpointConnectionError,
    NoCredentialsError,
    ReadTimeoutError,
)
from botocore.session import Session
from llm_gateway.stores.connection import ATTEMPTS
from llm_gateway.stores.json_service import DYNAMODB, SECRETS_MANAGER, SQS, JsonProtocol, JsonService, jittered
from llm_gateway.stores.kept_connections import Answer
from llm_gateway.stores.sigv4 import Signer

URL = "http://127.0.0.1:4566"
SECRET = "a secret that signs"
DONE = Answer(200, {}, b'{"Attributes": {"a": {"S": "b"}}}')


def refusal(code: str, status: int = 400, **more: Any) -> Answer:
    return Answer(status, {}, json.dumps({"__type": f"com.amazonaws.dynamodb.v20120810#{code}", **more}).encode())


@dataclass
class Scripted:
    """A service that says one thing after the other; `sent` are the bodies it was asked with."""

    says: list[Answer | Exception]
    sent: list[Any] = field(default_factory=list)
    headers: list[dict[str, str]] = field(default_factory=list)
    pauses: int = 0
    credentials: Any = field(default_factory=lambda: SimpleNamespace(access_key="id", secret_key=SECRET, token=None))

    def exchange(self, headers: Any, body: bytes) -> Answer:
        self.headers.append(dict(headers))
        self.sent.append(json.loads(body))
        said = self.says.pop(0)
        if isinstance(said, Exception):
            raise said
        return said

    def pause(self) -> None:
        self.pauses += 1

    def service(self, protocol: JsonProtocol = DYNAMODB) -> JsonService:
        return JsonService(
            protocol,
            signer=Signer(service=protocol.service, region="eu-west-1", url=URL, content_type=protocol.content_type),
            credentials=lambda: self.credentials,
            exchange=self.exchange,
            attempts=ATTEMPTS,
            pause=self.pause,
        )


PASSING: dict[str, Answer | Exception] = {
    "throttled": refusal("ThrottlingException"),
    "too much": refusal("ProvisionedThroughputExceededException"),
    "in progress": refusal("TransactionInProgressException"),
    "written elsewhere": refusal("ReplicatedWriteConflictException", 409),
    "an error": refusal("InternalServerError", 500),
    "a gateway": Answer(502, {}, b"<html>Bad gateway</html>"),
    "too many": Answer(429, {}, b""),
    "away": EndpointConnectionError(endpoint_url=URL),
    "cut": ConnectionClosedError(endpoint_url=URL),
    "silent": ReadTimeoutError(endpoint_url=URL),
    "damaged": Answer(200, {"x-amz-crc32": "1"}, b"{}"),
    "no JSON": Answer(200, {}, b"<html>Welcome to the hotel</html>"),
    "no object": Answer(200, {}, b"[]"),
    "deep": Answer(200, {}, b"[" * 100_000),
}
LASTING: dict[str, Answer] = {
    "ValidationException": refusal("ValidationException"),
    "ConditionalCheckFailedException": refusal("ConditionalCheckFailedException"),
    "TransactionConflictException": refusal("TransactionConflictException"),
    "ExpiredTokenException": refusal("ExpiredTokenException"),
    "InvalidSignatureException": refusal("InvalidSignatureException"),
    "AccessDeniedException": refusal("AccessDeniedException"),
    "301": Answer(301, {"location": "http://169.254.169.254/"}, b""),
    "403": Answer(403, {}, b"{}"),
    "404": Answer(404, {}, b"[]"),
}


@pytest.mark.parametrize("said", PASSING.values(), ids=PASSING)
def test_what_passes_is_tried_once_more(said: Answer | Exception) -> None:
    aws = Scripted([said, DONE])
    assert aws.service().call("UpdateItem", {"TableName": "t"}) == {"Attributes": {"a": {"S": "b"}}}
    assert aws.sent == [{"TableName": "t"}] * 2
    assert aws.pauses == 1


@pytest.mark.parametrize("said", PASSING.values(), ids=PASSING)
def test_what_lasts_longer_is_told(said: Answer | Exception) -> None:
    aws = Scripted([said] * ATTEMPTS)
    with pytest.raises((BotoCoreError, ClientError)):
        aws.service().call("UpdateItem", {})
    assert len(aws.sent) == ATTEMPTS


@pytest.mark.parametrize("name", [name for name in PASSING if name != "away"])
def test_what_must_not_be_done_twice_is_sent_once(name: str) -> None:
    said = PASSING[name]
    aws = Scripted([said, DONE])
    with pytest.raises((BotoCoreError, ClientError)):
        aws.service().call("UpdateItem", {}, repeatable=False)
    assert (len(aws.sent), aws.pauses) == (1, 0)


def test_what_must_not_be_done_twice_is_tried_again_where_nobody_was_reached() -> None:
    aws = Scripted([EndpointConnectionError(endpoint_url=URL), DONE])
    assert aws.service().call("UpdateItem", {}, repeatable=False) == {"Attributes": {"a": {"S": "b"}}}
    assert (len(aws.sent), aws.pauses) == (2, 1)


def test_what_was_sent_after_a_failed_connect_is_not_sent_again() -> None:
    aws = Scripted([EndpointConnectionError(endpoint_url=URL), ReadTimeoutError(endpoint_url=URL), DONE])
    with pytest.raises(ReadTimeoutError):
        aws.service().call("UpdateItem", {}, repeatable=False)


@pytest.mark.parametrize("code", LASTING)
def test_a_refusal_is_told_at_once_and_by_its_code(code: str) -> None:
    aws = Scripted([LASTING[code]])
    with pytest.raises(ClientError) as caught:
        aws.service().call("UpdateItem", {})
    assert caught.value.response["Error"]["Code"] == code
    assert caught.value.operation_name == "UpdateItem"


def test_a_refusal_has_what_the_service_says_beside_its_code() -> None:
    said = refusal(
        "ConditionalCheckFailedException", message="The conditional request failed", Item={"b": {"B": "AAE="}}
    )
    with pytest.raises(ClientError) as caught:
        Scripted([said]).service().call("UpdateItem", {})
    told: Any = caught.value.response
    assert told["Item"] == {"b": {"B": b"\x00\x01"}}
    assert told["Error"]["Message"] == "The conditional request failed"


def test_a_code_may_stand_in_a_header() -> None:
    said = Answer(400, {"x-amzn-errortype": "LimitExceeded:http://internal.amazon.com/coral/"}, b"{}")
    with pytest.raises(ClientError) as caught:
        Scripted([said]).service().call("GetItem", {})
    assert caught.value.response["Error"]["Code"] == "LimitExceeded"


def test_an_answer_with_its_checksum_is_taken() -> None:
    said = Answer(200, {"x-amz-crc32": str(zlib.crc32(b'{"a":1}'))}, b'{"a":1}')
    assert Scripted([said]).service().call("GetItem", {}) == {"a": 1}


@pytest.mark.parametrize("told", ["1", "", "nonsense", "-1"])
def test_an_answer_with_another_checksum_is_not(told: str) -> None:
    with pytest.raises(ChecksumError):
        Scripted([Answer(200, {"x-amz-crc32": told}, b"{}")]).service().call("GetItem", {}, repeatable=False)


def test_binary_values_are_bytes_on_both_sides() -> None:
    item = {
        "a": {"B": b"\x00\xff"},
        "B": {"S": "B"},
        "l": {"L": [{"B": b""}]},
        "s": {"BS": [b"x"]},
        "BS": {"M": {"B": {"N": "1"}}},
    }
    told = {
        "a": {"B": "AP8="},
        "B": {"S": "B"},
        "l": {"L": [{"B": ""}]},
        "s": {"BS": ["eA=="]},
        "BS": {"M": {"B": {"N": "1"}}},
    }
    aws = Scripted([Answer(200, {}, json.dumps({"Item": told}).encode())])
    assert aws.service().call("PutItem", {"Item": item}) == {"Item": item}
    assert aws.sent == [{"Item": told}]


def test_what_is_no_value_is_our_own_fault() -> None:
    aws = Scripted([])
    with pytest.raises(TypeError, match="object is no value"):
        aws.service().call("PutItem", {"Item": object()})
    assert aws.sent == []


def test_without_credentials_nothing_is_sent() -> None:
    aws = Scripted([], credentials=None)
    with pytest.raises(NoCredentialsError):
        aws.service().call("GetItem", {})
    assert (aws.sent, aws.pauses) == ([], 0)


def test_credentials_that_were_renewed_sign_the_next_try() -> None:
    aws = Scripted([ConnectionClosedError(endpoint_url=URL), DONE])
    service = aws.service()
    pause = service._pause

    def renew() -> None:
        pause()
        aws.credentials = SimpleNamespace(access_key="new", secret_key=SECRET, token="token")

    service._pause = renew
    service.call("GetItem", {})
    old, new = aws.headers
    assert "x-amz-security-token" not in old
    assert new["x-amz-security-token"] == "token"
    assert "Credential=new/" in new["authorization"]


@pytest.mark.parametrize("said", [*PASSING.values(), *LASTING.values()])
def test_no_fault_says_what_signs_or_what_was_sent(said: Answer | Exception) -> None:
    aws = Scripted([said] * ATTEMPTS)
    with pytest.raises((BotoCoreError, ClientError)) as caught:
        aws.service().call("PutItem", {"Item": {"a": {"S": "the words of a query"}}})
    told = f"{caught.value!r} {caught.value} {vars(caught.value)}"
    assert SECRET not in told
    assert "the words" not in told
    assert aws.headers[0]["authorization"] not in told


@pytest.mark.parametrize("protocol", [DYNAMODB, SECRETS_MANAGER, SQS])
def test_a_service_is_asked_as_botocore_asks_it(protocol: JsonProtocol) -> None:
    model = Session().get_service_model(protocol.service)
    assert protocol.target("X") == f"{model.metadata['targetPrefix']}.X"
    assert protocol.version == model.metadata["jsonVersion"]
    assert protocol.variable == str(model.service_id).replace(" ", "_").upper()
    aws = Scripted([DONE])
    aws.service(protocol).call("X", {})
    assert aws.headers[0]["content-type"] == f"application/x-amz-json-{model.metadata['jsonVersion']}"


def test_those_who_were_refused_together_do_not_come_back_together() -> None:
    slept: list[float] = []
    pause = jittered(0.05, sleep=slept.append)
    for _ in range(20):
        pause()
    assert len(set(slept)) > 1
    assert all(0.05 <= each <= 0.075 for each in slept)
