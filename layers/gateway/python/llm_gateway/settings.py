"""The environment, read once: which tables, bucket, queues and secrets this deployment has."""

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Final

from llm_gateway.access import metrics_namespace

LONGEST_LEASE_S: Final = 900
LONGEST_SILENCE_S: Final = 15

_FOREVER: Final = "forever"
# Without a name and a password, a query or a fragment.
_WEB_ADDRESS: Final = re.compile(r"https?://(\[[0-9a-fA-F:.]+\]|[A-Za-z0-9._-]+)(:\d{1,5})?(/[A-Za-z0-9._~/-]*)?")


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """Where things are, as the CDK stacks name them; a name is empty where a function was not granted the thing.

    `lease_s` is how long a worker on a query may be silent before another takes it up: at most what SQS can delay a message.
    `keep_alive_s` is how long a stream may be silent: at most what its readers are promised.
    `seal` says that what is asked and answered is sealed once more, for its key, before it is stored.
    `local_model_url` is where the deployment's own model is, if it has one: it alone may be private, and is shown signatures.
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


def otlp_endpoint(environment: Mapping[str, str] = os.environ) -> str:
    """Where spans are sent; empty where nobody traces. Raises ValueError for what is no address."""
    return web_address("OTLP_ENDPOINT", environment.get("OTLP_ENDPOINT") or "")


def web_address(name: str, text: str) -> str:
    """`text`, if it is empty or an address with http or https, and no more. Raises ValueError, which names `name`."""
    if text and not _WEB_ADDRESS.fullmatch(text):
        raise ValueError(f"{name} must be an address as https://collector.example.com:4318, without a secret in it")
    return text


def own_metrics_namespace(environment: Mapping[str, str] = os.environ) -> str:
    """Where this process's metrics belong: a row's name, at the end of its function's, has no hyphen."""
    return metrics_namespace(environment.get("AWS_LAMBDA_FUNCTION_NAME", "").rpartition("-")[0])


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
