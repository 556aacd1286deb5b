"""How AWS is reached: one client per service, made on first use, with short timeouts; and all of their faults, translated."""

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from threading import Lock
from typing import TYPE_CHECKING, Any, Final, cast

from botocore.client import BaseClient
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError, ParamValidationError
from botocore.handlers import add_expect_header
from botocore.session import Session
from pynamodb.exceptions import DoesNotExist, PynamoDBException

from llm_gateway.errors import DependencyUnavailable

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient
    from mypy_boto3_s3 import S3Client
    from mypy_boto3_secretsmanager import SecretsManagerClient
    from mypy_boto3_sqs import SQSClient

CONNECT_TIMEOUT_S: Final = 1
READ_TIMEOUT_S: Final = 2
ATTEMPTS: Final = 2
RETRY_AFTER_S: Final = 2

_CONFIG: Final = Config(
    connect_timeout=CONNECT_TIMEOUT_S,
    read_timeout=READ_TIMEOUT_S,
    # In this mode a second try follows after 50 ms for DynamoDB; in the `standard` mode after up to a second.
    retries={"mode": "legacy", "total_max_attempts": ATTEMPTS},
    max_pool_connections=128,
    tcp_keepalive=True,
    # botocore's own is composed anew for each request, and takes a twentieth of the time of one.
    user_agent="llm-gateway",
    # PynamoDB and typed calls build the requests: checking each again costs more than it finds.
    parameter_validation=False,
    # `bucket.localhost` need not resolve to an emulator; AWS takes both forms.
    s3={"addressing_style": "path"},
)
_ONCE: Final = _CONFIG.merge(Config(retries={"mode": "legacy", "total_max_attempts": 1}))
_OUR_OWN_FAULTS: Final = frozenset({"ValidationException", "SerializationException"})
CONDITION_FAILED: Final = "ConditionalCheckFailedException"

_log = logging.getLogger(__name__)


class Aws:
    """AWS's clients. Region, credentials and `AWS_ENDPOINT_URL` are found as in every AWS tool."""

    def __init__(self) -> None:
        # One session for all of them: a second client takes 3 ms to make, one of another session 50.
        self._session = Session()
        # It waits for S3's leave before it sends a body: a round trip that pays for gigabytes, not for what we store.
        self._session.unregister("before-call.s3", cast(Any, add_expect_header))
        self._clients: dict[tuple[str, Config], BaseClient] = {}
        self._making = Lock()
        # At DEBUG they write whole requests and answers, secrets and prompts among them.
        for name in ("botocore", "pynamodb"):
            logging.getLogger(name).setLevel(logging.INFO)

    @property
    def dynamodb(self) -> "DynamoDBClient":
        return cast("DynamoDBClient", self._client("dynamodb"))

    @property
    def dynamodb_once(self) -> "DynamoDBClient":
        """For a write that must not be done twice: what got no answer is not sent again."""
        return cast("DynamoDBClient", self._client("dynamodb", _ONCE))

    @property
    def s3(self) -> "S3Client":
        return cast("S3Client", self._client("s3"))

    @property
    def secrets_manager(self) -> "SecretsManagerClient":
        return cast("SecretsManagerClient", self._client("secretsmanager"))

    @property
    def sqs(self) -> "SQSClient":
        return cast("SQSClient", self._client("sqs"))

    @property
    def events(self) -> Any:
        """EventBridge. It has no types of its own: one call is all that is asked of it."""
        return self._client("events")

    @property
    def kms(self) -> Any:
        """The key service. Two calls are asked of it: it has no types of its own."""
        return self._client("kms")

    def _client(self, service: str, config: Config = _CONFIG) -> BaseClient:
        if (service, config) not in self._clients:
            # A session must not make two clients at once.
            with self._making:
                if (service, config) not in self._clients:
                    self._clients[service, config] = self._session.create_client(service, config=config)
        return self._clients[service, config]


class ConditionFailed(Exception):
    """A conditional write found another state than it asked for, and wrote nothing."""


@contextmanager
def reaching(dependency: str) -> Iterator[None]:
    """Around calls to AWS: raises `ConditionFailed`, or `DependencyUnavailable` naming `dependency`, for what they raise.

    An item that does not exist and a request that is malformed by our own fault are raised as they are.
    """
    try:
        yield
    except DoesNotExist:
        raise
    except (PynamoDBException, ClientError, BotoCoreError) as fault:
        if error_code(fault) == CONDITION_FAILED:
            raise ConditionFailed from fault
        if isinstance(_cause(fault), ParamValidationError) or error_code(fault) in _OUR_OWN_FAULTS:
            raise
        # Callers are told no more than that; operators need to know whether it was a permission, a limit or the network.
        _log.warning(
            "The store of %s cannot be reached: %s", dependency, error_code(fault) or type(_cause(fault)).__name__
        )
        detail = f"The store of {dependency} cannot be reached right now."
        raise DependencyUnavailable(detail, retry_after_s=RETRY_AFTER_S) from fault


def error_code(fault: Exception) -> str | None:
    """AWS's own code of a fault, or None where no answer came."""
    cause = _cause(fault)
    return cause.response.get("Error", {}).get("Code") if isinstance(cause, ClientError) else None


def _cause(fault: Exception) -> Exception:
    """PynamoDB wraps what botocore raised."""
    return (isinstance(fault, PynamoDBException) and fault.cause) or fault
