"""AWS's services that speak JSON, by the shortest way there is: an operation and its request go in, the answer comes out.

What botocore does for any service, protocol and option, it does anew for every request: 650 microseconds of the processor where
these take 60. What is asked seldom goes through botocore all the same, and so does everything where a proxy stands between.
"""

import json
import time
import zlib
from base64 import b64decode, b64encode
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from random import random
from typing import Any, Final, Protocol

from botocore.exceptions import (
    BotoCoreError,
    ChecksumError,
    ClientError,
    EndpointConnectionError,
    HTTPClientError,
    NoCredentialsError,
)

from llm_gateway.stores.kept_connections import Answer, Exchange
from llm_gateway.stores.sigv4 import Credentials, Signer

Pause = Callable[[], None]

_TOO_BUSY: Final = frozenset({429, 500, 502, 503, 504, 509})
# As botocore has them for DynamoDB, for SQS, and for every service.
_TRY_AGAIN: Final = frozenset(
    {
        "ProvisionedThroughputExceededException",
        "ReplicatedWriteConflictException",
        "RequestThrottled",
        "RequestThrottledException",
        "ThrottledException",
        "Throttling",
        "ThrottlingException",
        "TransactionInProgressException",
    }
)


@dataclass(frozen=True, slots=True, kw_only=True)
class JsonProtocol:
    """How a service wants to be asked: what stands before an operation's name, and its version of the JSON protocol.

    `variable` ends the name of the environment's variable with another address of it.
    """

    service: str
    variable: str
    target_prefix: str
    version: str

    def target(self, operation: str) -> str:
        return f"{self.target_prefix}.{operation}"

    @property
    def content_type(self) -> str:
        return f"application/x-amz-json-{self.version}"


DYNAMODB: Final = JsonProtocol(
    service="dynamodb", variable="DYNAMODB", target_prefix="DynamoDB_20120810", version="1.0"
)
SECRETS_MANAGER: Final = JsonProtocol(
    service="secretsmanager", variable="SECRETS_MANAGER", target_prefix="secretsmanager", version="1.1"
)
SQS: Final = JsonProtocol(service="sqs", variable="SQS", target_prefix="AmazonSQS", version="1.0")


class Service(Protocol):
    """A service of AWS's. Binary values are bytes on both sides, as botocore has them."""

    def call(self, operation: str, request: Mapping[str, Any], *, repeatable: bool = True) -> dict[str, Any]:
        """The answer. Raises ClientError for what the service refuses, and another BotoCoreError where no answer came.

        What is not `repeatable` is sent once, answered or not. A service that cannot be connected to was sent nothing.
        """
        ...


class JsonService:
    """A `Service` without botocore in between."""

    def __init__(
        self,
        protocol: JsonProtocol,
        *,
        signer: Signer,
        credentials: Callable[[], Credentials | None],
        exchange: Exchange,
        attempts: int,
        pause: Pause,
    ) -> None:
        self._protocol = protocol
        self._signer = signer
        self._credentials = credentials
        self._exchange = exchange
        self._attempts = attempts
        self._pause = pause

    def call(self, operation: str, request: Mapping[str, Any], *, repeatable: bool = True) -> dict[str, Any]:
        body = _ENCODER.encode(request).encode()
        for _ in range(self._attempts - 1):
            try:
                return self._once(operation, body)
            except EndpointConnectionError:
                """Nobody was reached: nothing was sent, so that nothing can be done twice."""
            except ClientError as fault:
                if not repeatable or not _is_passing(fault):
                    raise
            except NoCredentialsError:
                raise
            except BotoCoreError:
                # The line was cut, or silent, or its answer was damaged on the way.
                if not repeatable:
                    raise
            self._pause()
        return self._once(operation, body)

    def _once(self, operation: str, body: bytes) -> dict[str, Any]:
        credentials = self._credentials()
        if credentials is None:
            raise NoCredentialsError
        headers = self._signer.headers(credentials, target=self._protocol.target(operation), body=body)
        answer = self._exchange(headers, body)
        document = _document(answer)
        if answer.status >= 300:
            raise ClientError(_refusal(answer, document), operation)  # type: ignore[arg-type]
        if document is None:
            raise HTTPClientError(error="an answer that is no JSON")
        return document


def jittered(pause_s: float, *, sleep: Callable[[float], None] = time.sleep) -> Pause:
    """Waits so long and half as long again at most, so that those who were refused together do not come back together."""
    return lambda: sleep(pause_s * (1 + random() / 2))  # noqa: S311


def _is_passing(refusal: ClientError) -> bool:
    told: Any = refusal.response
    return told["ResponseMetadata"]["HTTPStatusCode"] in _TOO_BUSY or told["Error"]["Code"] in _TRY_AGAIN


def _document(answer: Answer) -> dict[str, Any] | None:
    """What a body says; None where it is no JSON object. Raises ChecksumError for one that was damaged on its way."""
    told = answer.headers.get("x-amz-crc32")
    if told is not None and told != str(found := zlib.crc32(answer.body)):
        raise ChecksumError(checksum_type="crc32", expected_checksum=told, actual_checksum=str(found))
    # Most answers have nothing binary in them, and need not be looked through for it.
    hook = with_bytes if b'"B"' in answer.body or b'"BS"' in answer.body else None
    try:
        document = json.loads(answer.body.decode(), object_hook=hook)
    except (ValueError, RecursionError):
        return None
    return document if isinstance(document, dict) else None


def with_bytes(value: dict[str, Any]) -> dict[str, Any]:
    """A value of DynamoDB's that is binary is a text in JSON. Only binary values have a member `B` that is text."""
    match value:
        case {"B": str(text)}:
            return {"B": b64decode(text)}
        case {"BS": [*texts]}:
            return {"BS": [b64decode(text) for text in texts]}
    return value


def _refusal(answer: Answer, document: dict[str, Any] | None) -> dict[str, Any]:
    """As botocore tells it: the service's own code, and beside it what else it says, as the item that a condition met."""
    told = document or {}
    code = str(told.get("__type") or answer.headers.get("x-amzn-errortype") or answer.status)
    return {
        **told,
        "Error": {
            "Code": code.partition(":")[0].rpartition("#")[2],
            "Message": str(told.get("message") or told.get("Message") or ""),
        },
        "ResponseMetadata": {"HTTPStatusCode": answer.status, "HTTPHeaders": dict(answer.headers)},
    }


def _text_of(value: object) -> str:
    if isinstance(value, bytes | bytearray):
        return b64encode(value).decode()
    raise TypeError(f"{type(value).__name__} is no value of AWS's")


# No request has itself in it, and to look for that takes a seventh of the time.
_ENCODER: Final = json.JSONEncoder(separators=(",", ":"), default=_text_of, check_circular=False)
