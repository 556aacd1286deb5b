"""How AWS is reached: what every query asks goes the short way, the rest through botocore, whose clients are made on first use;
with short timeouts, and all of their faults translated."""

import logging
import sys
from collections.abc import Callable, Mapping
from threading import RLock
from types import FunctionType
from typing import TYPE_CHECKING, Any, Final, cast
from urllib.parse import urlsplit

from botocore import xform_name
from botocore.exceptions import BotoCoreError, ClientError, EndpointConnectionError, ParamValidationError
from pynamodb.exceptions import DoesNotExist, PynamoDBException

from llm_gateway.errors import DependencyUnavailable
from llm_gateway.settings import LambdaAws, trusts_other_certificates
from llm_gateway.stores.json_service import DYNAMODB, SECRETS_MANAGER, SQS, JsonProtocol, JsonService, Service, jittered
from llm_gateway.stores.kept_connections import Connections, Exchange
from llm_gateway.stores.sigv4 import Credentials, Signer

if TYPE_CHECKING:
    from botocore.client import BaseClient
    from botocore.config import Config
    from botocore.session import Session
    from mypy_boto3_dynamodb import DynamoDBClient
    from mypy_boto3_s3 import S3Client
    from mypy_boto3_secretsmanager import SecretsManagerClient
    from mypy_boto3_sqs import SQSClient

CONNECT_TIMEOUT_S: Final = 1
READ_TIMEOUT_S: Final = 2
ATTEMPTS: Final = 2
RETRY_AFTER_S: Final = 2

PAUSE: Final = jittered(0.05)
"""Between two tries at the same."""

_OUR_OWN_FAULTS: Final = frozenset({"ValidationException", "SerializationException"})
# What AWS answers a release that has no grant for what it does, or names what the deployment does not have.
_NOT_GIVEN: Final = frozenset(
    {
        *("AccessDenied", "AccessDeniedException", "KMSAccessDeniedException", "ResourceNotFoundException"),
        *("NoSuchBucket", "QueueDoesNotExist", "AWS.SimpleQueueService.NonExistentQueue"),
    }
)
CONDITION_FAILED: Final = "ConditionalCheckFailedException"

_log = logging.getLogger(__name__)


def connections_to(url: str) -> Connections:
    return Connections(url, connect_timeout_s=CONNECT_TIMEOUT_S, read_timeout_s=READ_TIMEOUT_S)


class Aws:
    """AWS's services. Region, credentials and `AWS_ENDPOINT_URL` are found as in every AWS tool.

    `connect` makes what sends requests to an address the short way.
    """

    def __init__(self, connect: Callable[[str], Exchange] = connections_to) -> None:
        self._connect = connect
        self._clients: dict[tuple[str, int], BaseClient] = {}
        self._services: dict[str, Service] = {}
        self._made_session: Session | None = None
        self._making = RLock()
        # At DEBUG they write whole requests and answers, secrets and prompts among them.
        for name in ("botocore", "pynamodb"):
            logging.getLogger(name).setLevel(logging.INFO)

    @property
    def tables(self) -> Service:
        """DynamoDB, the short way."""
        return self._service(DYNAMODB)

    @property
    def secrets(self) -> Service:
        """Secrets Manager, the short way: the first request of a process waits for a secret."""
        return self._service(SECRETS_MANAGER)

    @property
    def queues(self) -> Service:
        """SQS, the short way: a query for later waits for it."""
        return self._service(SQS)

    @property
    def dynamodb(self) -> "DynamoDBClient":
        return cast("DynamoDBClient", self._client("dynamodb"))

    @property
    def dynamodb_once(self) -> "DynamoDBClient":
        """For a write that must not be done twice: what got no answer is not sent again."""
        return cast("DynamoDBClient", self._client("dynamodb", attempts=1))

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

    @property
    def _session(self) -> "Session":
        """One for all clients: a second client takes 3 ms to make, one of another session 50."""
        if self._made_session is None:
            with self._making:
                self._made_session = self._made_session or _new_session()
        return self._made_session

    def _client(self, service: str, *, attempts: int = ATTEMPTS) -> "BaseClient":
        made = self._clients.get((service, attempts))
        if made is not None:
            return made
        # A session must not make two clients at once.
        with self._making:
            if (service, attempts) not in self._clients:
                client = self._session.create_client(service, config=_config(attempts=attempts))
                self._clients[service, attempts] = client
            return self._clients[service, attempts]

    def _service(self, protocol: JsonProtocol) -> Service:
        made = self._services.get(protocol.service)
        if made is not None:
            return made
        with self._making:
            if protocol.service not in self._services:
                self._services[protocol.service] = self._new_service(protocol)
            return self._services[protocol.service]

    def _new_service(self, protocol: JsonProtocol) -> Service:
        told = LambdaAws.from_environment()
        if told is not None and not _is_watched():
            url = told.url(protocol.service, variable=protocol.variable)
            credentials = self._credentials if told.credentials is None else lambda: told.credentials
            return self._direct(protocol, url=url, region=told.region, credentials=credentials)
        client = self._client(protocol.service)
        url = client.meta.endpoint_url
        if _is_watched() or _stands_between(url) or self._is_told_more(url):
            return BotocoreService(client, once=self._client(protocol.service, attempts=1))
        return self._direct(protocol, url=url, region=client.meta.region_name, credentials=self._credentials)

    def _is_told_more(self, url: str) -> bool:
        """Whether AWS's own configuration names other certificates, or wants no address but the account's own."""
        told = self._session.get_config_variable
        is_secured = url.startswith("https:")
        return told("account_id_endpoint_mode") == "required" or (is_secured and bool(told("ca_bundle")))

    def _direct(
        self, protocol: JsonProtocol, *, url: str, region: str, credentials: Callable[[], Credentials | None]
    ) -> JsonService:
        return JsonService(
            protocol,
            signer=Signer(service=protocol.service, region=region, url=url, content_type=protocol.content_type),
            credentials=credentials,
            exchange=self._connect(url),
            attempts=ATTEMPTS,
            pause=PAUSE,
        )

    def _credentials(self) -> Credentials | None:
        """As they are now: botocore renews them in time."""
        found = self._session.get_credentials()
        return None if found is None else cast(Credentials, found.get_frozen_credentials())


class BotocoreService:
    """A `Service` that botocore asks: through a proxy, with certificates of one's own, or for instruments that watch it."""

    def __init__(self, client: "BaseClient", *, once: "BaseClient") -> None:
        self._client = client
        self._once = once

    def call(self, operation: str, request: Mapping[str, Any], *, repeatable: bool = True) -> dict[str, Any]:
        ask: Callable[..., dict[str, Any]] = getattr(self._client if repeatable else self._once, xform_name(operation))
        try:
            return ask(**request)
        except EndpointConnectionError:
            if repeatable:
                raise
            # Nobody was reached: nothing was sent, so that nothing can be done twice.
            PAUSE()
            return ask(**request)


def _new_session() -> "Session":
    # Its modules import each other: threads that all begin with this one wait for each other, where others find half a module.
    import botocore.session
    from botocore.handlers import add_expect_header

    session = botocore.session.Session()
    # It waits for S3's leave before it sends a body: a round trip that pays for gigabytes, not for what we store.
    session.unregister("before-call.s3", cast(Any, add_expect_header))
    return session


def _config(*, attempts: int) -> "Config":
    from botocore.config import Config

    return Config(
        connect_timeout=CONNECT_TIMEOUT_S,
        read_timeout=READ_TIMEOUT_S,
        # In this mode a second try follows after 50 ms for DynamoDB; in the `standard` mode after up to a second.
        retries={"mode": "legacy", "total_max_attempts": attempts},
        max_pool_connections=128,
        tcp_keepalive=True,
        # botocore's own is composed anew for each request, and takes a twentieth of the time of one.
        user_agent="llm-gateway",
        # PynamoDB and typed calls build the requests: checking each again costs more than it finds.
        parameter_validation=False,
        # `bucket.localhost` need not resolve to an emulator; AWS takes both forms.
        s3={"addressing_style": "path"},
    )


def _is_watched() -> bool:
    """Whether something has put itself around botocore's calls, as instruments do: it is to see them all."""
    loaded: Any = sys.modules.get("botocore.client")
    return loaded is not None and not isinstance(vars(loaded.BaseClient)["_make_api_call"], FunctionType)


def _stands_between(url: str) -> bool:
    """Whether a proxy does, or a server with certificates that botocore does not bring."""
    from botocore.utils import get_environ_proxies

    scheme = urlsplit(url).scheme
    return scheme in get_environ_proxies(url) or (scheme == "https" and trusts_other_certificates())


class ConditionFailed(Exception):
    """A conditional write found another state than it asked for, and wrote nothing."""


class reaching:  # noqa: N801 - it reads as the function that it is used as.
    """Around calls to AWS: raises `ConditionFailed`, or `DependencyUnavailable` naming `dependency`, for what they raise.

    An item that does not exist and a request that is malformed by our own fault are raised as they are.
    """

    __slots__ = ("_dependency",)

    def __init__(self, dependency: str) -> None:
        self._dependency = dependency

    def __enter__(self) -> None:
        """A generator would take longer, and a query comes here six times."""

    def __exit__(self, _kind: object, fault: BaseException | None, _traceback: object) -> None:
        if isinstance(fault, PynamoDBException | ClientError | BotoCoreError) and not isinstance(fault, DoesNotExist):
            raised = _as_told(fault, self._dependency)
            if raised is not None:
                raise raised from fault


def _as_told(fault: Exception, dependency: str) -> Exception | None:
    """What is raised in the place of `fault`; None where it is raised itself."""
    code = error_code(fault)
    if code == CONDITION_FAILED:
        return ConditionFailed()
    if isinstance(_cause(fault), ParamValidationError) or code in _OUR_OWN_FAULTS:
        return None
    # Callers are told no more than that; operators need to know whether it was a permission, a limit or the network.
    _log.warning("The store of %s cannot be reached: %s", dependency, code or type(_cause(fault)).__name__)
    detail = f"The store of {dependency} cannot be reached right now."
    unavailable = DependencyUnavailable(detail, retry_after_s=RETRY_AFTER_S)
    unavailable.by_release = code in _NOT_GIVEN
    return unavailable


def error_code(fault: Exception) -> str | None:
    """AWS's own code of a fault, or None where no answer came."""
    cause = _cause(fault)
    return cause.response.get("Error", {}).get("Code") if isinstance(cause, ClientError) else None


def _cause(fault: Exception) -> Exception:
    """PynamoDB wraps what botocore raised."""
    return (isinstance(fault, PynamoDBException) and fault.cause) or fault
