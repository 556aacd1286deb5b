"""The environment, read once: which tables, bucket, queues and secrets this deployment has."""

import os
import re
from collections.abc import Mapping
from dataclasses import field
from datetime import timedelta
from pathlib import Path
from typing import Final

from llm_gateway.access import metrics_namespace
from llm_gateway.values import dataclass

LONGEST_LEASE_S: Final = 900
LONGEST_SILENCE_S: Final = 15

_FOREVER: Final = "forever"
_ADDRESS: Final = "AWS_ENDPOINT_URL"
_SIGNED_WITH: Final = ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY")
_HAVE_A_SAY: Final = frozenset(
    {
        *("ALL_PROXY", "HTTP_PROXY", "HTTPS_PROXY", "AWS_CA_BUNDLE", "REQUESTS_CA_BUNDLE"),
        *("AWS_CONFIG_FILE", "AWS_DEFAULT_PROFILE", "AWS_PROFILE", "AWS_SHARED_CREDENTIALS_FILE"),
        *("AWS_IGNORE_CONFIGURED_ENDPOINT_URLS", "AWS_USE_DUALSTACK_ENDPOINT", "AWS_USE_FIPS_ENDPOINT"),
        "AWS_ACCOUNT_ID_ENDPOINT_MODE",
    }
)
# Those whose services are at `SERVICE.REGION.amazonaws.com`.
_COMMON_REGION: Final = re.compile(r"(?:us|eu|ap|sa|ca|me|af|il|mx)-\w+-\d+|us-gov-\w+-\d+", re.ASCII)
# As a browser writes it: in lower case, without a path, and without a port that is understood.
_ORIGIN: Final = re.compile(
    r"(https://[a-z0-9]([a-z0-9.-]*[a-z0-9])?|http://(localhost|127\.0\.0\.1|\[::1\]))(:(?P<port>[1-9]\d{0,4}))?"
)
_DEFAULT_PORTS: Final = {"https": 443, "http": 80}
_MOST_ORIGINS: Final = 20
# Without a name and a password, a query or a fragment.
_WEB_ADDRESS: Final = re.compile(r"https?://(\[[0-9a-fA-F:.]+\]|[A-Za-z0-9._-]+)(:\d{1,5})?(/[A-Za-z0-9._~/-]*)?")


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """Where things are, as the CDK stacks name them; a name is empty where a function was not granted the thing.

    `lease_s` is how long a worker on a query may be silent before another takes it up: at most what SQS can delay a message.
    `keep_alive_s` is how long a stream may be silent: at most what its readers are promised.
    `seal` says that what is asked and answered is sealed once more, for its key, before it is stored.
    `local_model_url` is where the deployment's own model is, if it has one: it alone may be private, and is shown signatures.
    `cors_origins` are the other origins whose pages may call the API from a browser, with commas between them.
    `otlp_endpoint` is where spans are sent, with the words of queries where `otlp_content`; empty where nobody traces.
    """

    keys_table: str
    providers_table: str
    queries_table: str
    limits_table: str
    cache_table: str
    bodies_bucket: str
    usage_table: str
    prompts_table: str
    evals_table: str
    audit_table: str
    seals_table: str
    audit_bucket: str
    queue_url: str
    high_queue_url: str
    dead_letters_url: str
    event_bus: str
    pepper_secret_id: str
    credentials_prefix: str
    kms_key_id: str | None
    seal: bool
    retention_days: int
    usage_retention_days: int
    audit_retention: timedelta | None
    cache_ttl_s: int
    lease_s: int
    keep_alive_s: int
    allow_private_addresses: bool
    allow_bedrock: bool
    local_model_url: str
    rank_files: Path
    cors_origins: str
    otlp_endpoint: str
    otlp_content: bool

    @classmethod
    def from_environment(cls, environment: Mapping[str, str] = os.environ) -> "Settings":
        """Read `environment`. Raises ValueError naming a variable that has no such value."""
        return cls(
            keys_table=environment.get("KEYS_TABLE", ""),
            providers_table=environment.get("PROVIDERS_TABLE", ""),
            queries_table=environment.get("QUERIES_TABLE", ""),
            limits_table=environment.get("LIMITS_TABLE", ""),
            cache_table=environment.get("CACHE_TABLE", ""),
            bodies_bucket=environment.get("BODIES_BUCKET", ""),
            usage_table=environment.get("USAGE_TABLE", ""),
            prompts_table=environment.get("PROMPTS_TABLE", ""),
            evals_table=environment.get("EVALS_TABLE", ""),
            audit_table=environment.get("AUDIT_TABLE", ""),
            seals_table=environment.get("SEALS_TABLE", ""),
            audit_bucket=environment.get("AUDIT_BUCKET", ""),
            queue_url=environment.get("QUEUE_URL", ""),
            high_queue_url=environment.get("HIGH_QUEUE_URL", ""),
            dead_letters_url=environment.get("DEAD_LETTERS_URL", ""),
            event_bus=environment.get("EVENT_BUS", ""),
            pepper_secret_id=environment.get("PEPPER_SECRET_ID", ""),
            credentials_prefix=environment.get("CREDENTIALS_PREFIX", ""),
            kms_key_id=environment.get("KMS_KEY_ID") or None,
            seal=environment.get("SEAL", "") == "on",
            retention_days=_whole_number(environment, "RETENTION_DAYS", default=30),
            usage_retention_days=_whole_number(environment, "USAGE_RETENTION_DAYS", default=400),
            audit_retention=_audit_retention(environment),
            cache_ttl_s=_whole_number(environment, "CACHE_TTL_S", default=3600),
            lease_s=_whole_number(environment, "LEASE_S", default=60, most=LONGEST_LEASE_S),
            keep_alive_s=_whole_number(environment, "KEEP_ALIVE_S", default=12, most=LONGEST_SILENCE_S),
            allow_private_addresses=environment.get("ALLOW_PRIVATE_ADDRESSES", "") == "true",
            allow_bedrock=environment.get("BEDROCK", "") == "on",
            local_model_url=environment.get("LOCAL_MODEL_URL", ""),
            rank_files=Path(environment.get("TIKTOKEN_CACHE_DIR", "")),
            cors_origins=",".join(cors_origins(environment)),
            otlp_endpoint=otlp_endpoint(environment),
            otlp_content=environment.get("OTLP_CONTENT") == "on",
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Release:
    """Which version of which Lambda this process is."""

    function: str
    version: str

    @classmethod
    def from_environment(cls, environment: Mapping[str, str] = os.environ) -> "Release | None":
        """None where this is no Lambda."""
        function = environment.get("AWS_LAMBDA_FUNCTION_NAME")
        version = environment.get("AWS_LAMBDA_FUNCTION_VERSION")
        return cls(function=function, version=version) if function and version else None


@dataclass(frozen=True, slots=True, kw_only=True)
class LambdaCredentials:
    """What a function signs requests to AWS with, as long as its process lives."""

    access_key: str
    secret_key: str = field(repr=False)
    token: str | None = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class LambdaAws:
    """What Lambda tells a function of AWS: its region, and addresses other than AWS's own.

    A copy of a snapshot is told no `credentials`: it has to ask for them, and to renew them.
    """

    region: str
    credentials: LambdaCredentials | None
    addresses: Mapping[str, str]

    @classmethod
    def from_environment(cls, environment: Mapping[str, str] = os.environ) -> "LambdaAws | None":
        """None where this is no Lambda, or where more than this has a say: only botocore knows all that may have."""
        region = environment.get("AWS_DEFAULT_REGION", "")
        is_plain = _COMMON_REGION.fullmatch(region) and "AWS_LAMBDA_FUNCTION_NAME" in environment
        if not is_plain or any(name.upper() in _HAVE_A_SAY for name, value in environment.items() if value):
            return None
        addresses = {name: environment[name] for name in environment if name.startswith(_ADDRESS)}
        return cls(region=region, credentials=_lambda_credentials(environment), addresses=addresses)

    def url(self, service: str, *, variable: str) -> str:
        """Where `service` ("dynamodb") is; `variable` ends the name of the one that says so ("DYNAMODB")."""
        told = self.addresses.get(f"{_ADDRESS}_{variable}") or self.addresses.get(_ADDRESS)
        return told or f"https://{service}.{self.region}.amazonaws.com"


def starts_from_snapshot(environment: Mapping[str, str] = os.environ) -> bool:
    """Whether Lambda takes a snapshot of this process once it is initialized, and starts copies of it."""
    return environment.get("AWS_LAMBDA_INITIALIZATION_TYPE") == "snap-start"


def otlp_endpoint(environment: Mapping[str, str] = os.environ) -> str:
    """Where spans are sent; empty where nobody traces. Raises ValueError for what is no address."""
    return web_address("OTLP_ENDPOINT", environment.get("OTLP_ENDPOINT") or "")


def cors_origins(environment: Mapping[str, str] = os.environ) -> tuple[str, ...]:
    """The other origins whose pages may call the API from a browser; none by itself. Raises ValueError."""
    return origins("CORS_ORIGINS", environment.get("CORS_ORIGINS") or "")


def origins(name: str, text: str) -> tuple[str, ...]:
    """The origins that `text` lists with commas, each once. Raises ValueError, which names `name`, for what is not exact."""
    listed = tuple(dict.fromkeys(filter(None, (entry.strip() for entry in text.split(",")))))
    for entry in listed:
        if not _is_origin(entry):
            raise ValueError(
                f"{name} must list exact origins as a browser sends them, with commas between them: https://app.example.com, "
                f"or http://localhost:3000 for this machine alone, without a path and without *; not {entry!r}"
            )
    if len(listed) > _MOST_ORIGINS:
        raise ValueError(f"{name} must list {_MOST_ORIGINS} origins at most, not {len(listed)}")
    return listed


def _is_origin(text: str) -> bool:
    found = _ORIGIN.fullmatch(text)
    port = int(found["port"] or 0) if found else 0
    return found is not None and port < 65_536 and port != _DEFAULT_PORTS[text.partition(":")[0]]


def web_address(name: str, text: str) -> str:
    """`text`, if it is empty or an address with http or https, and no more. Raises ValueError, which names `name`."""
    if text and not _WEB_ADDRESS.fullmatch(text):
        raise ValueError(f"{name} must be an address as https://collector.example.com:4318, without a secret in it")
    return text


def trusts_other_certificates(environment: Mapping[str, str] = os.environ) -> bool:
    """Whether AWS is to be recognized by other certificates than those that botocore brings."""
    return any(environment.get(name) for name in ("AWS_CA_BUNDLE", "REQUESTS_CA_BUNDLE"))


def own_metrics_namespace(environment: Mapping[str, str] = os.environ) -> str:
    """Where this process's metrics belong: a row's name, at the end of its function's, has no hyphen."""
    return metrics_namespace(environment.get("AWS_LAMBDA_FUNCTION_NAME", "").rpartition("-")[0])


def _lambda_credentials(environment: Mapping[str, str]) -> LambdaCredentials | None:
    access_key, secret_key = (environment.get(name, "") for name in _SIGNED_WITH)
    token = environment.get("AWS_SESSION_TOKEN") or None
    whole = access_key and secret_key
    return LambdaCredentials(access_key=access_key, secret_key=secret_key, token=token) if whole else None


def _audit_retention(environment: Mapping[str, str]) -> timedelta | None:
    """None: for ever. A month at least, so that there is time to export what is about to leave the table."""
    if environment.get("AUDIT_RETENTION_DAYS", _FOREVER) in ("", _FOREVER):
        return None
    return timedelta(days=_whole_number(environment, "AUDIT_RETENTION_DAYS", default=365, least=30))


def whole_number(name: str, text: str, *, least: int = 1, most: int | None = None) -> int:
    """`text` as a number from `least` up, to `most` where there is one. Raises ValueError, which names `name`."""
    number = int(text) if text.isdecimal() else 0
    if number < least or (most is not None and number > most):
        bounds = f"from {least} up" if most is None else f"from {least} to {most}"
        raise ValueError(f"{name} must be a whole number {bounds}, not {text!r}")
    return number


def _whole_number(
    environment: Mapping[str, str], name: str, *, default: int, least: int = 1, most: int | None = None
) -> int:
    return whole_number(name, environment.get(name) or str(default), least=least, most=most)
