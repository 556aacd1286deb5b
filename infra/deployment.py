"""What `cdk.json` and `-c` say about this deployment, read once and checked; docs/deployment.md explains each setting."""

import re
from dataclasses import dataclass
from enum import StrEnum
from typing import TypeVar

from aws_cdk import RemovalPolicy
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_logs as logs
from constructs import Node
from llm_gateway.settings import LONGEST_LEASE_S, LONGEST_SILENCE_S, origins, web_address, whole_number


class WrongSetting(ValueError):
    """A setting that is missing, or has no such value; the message names it."""


class Stage(StrEnum):
    """How much is at stake. `prod` keeps its data, protects it, and shifts traffic to new code step by step."""

    DEV = "dev"
    STAGING = "staging"
    PROD = "prod"


class Architecture(StrEnum):
    """The processors that the functions run on."""

    ARM64 = "arm64"
    X86_64 = "x86_64"


class Streaming(StrEnum):
    """How streaming routes answer: as they go, or at once at the end where an emulator cannot stream."""

    STREAM = "stream"
    BUFFERED = "buffered"


class LocalModel(StrEnum):
    """Where a model of one's own runs, if at all; `leaving`: nowhere any more, while its network waits to be deleted."""

    OFF = "off"
    LAMBDA = "lambda"
    FARGATE = "fargate"
    LEAVING = "leaving"


class Switch(StrEnum):
    """A setting that is either on or off."""

    ON = "on"
    OFF = "off"


class LockSwitch(StrEnum):
    """Whether the audit log's anchors are locked; `prod`: in that stage alone."""

    PROD = "prod"
    ON = "on"
    OFF = "off"


class LockMode(StrEnum):
    """S3's words for who may lift a lock before its time: a principal with a right of its own, or nobody at all."""

    GOVERNANCE = "governance"
    COMPLIANCE = "compliance"


FOREVER = "forever"
_BEDROCK_LISTS = {
    "bedrockModels": re.compile(
        r"arn:aws[a-z-]*:bedrock:[a-z0-9-]*:\d*:[a-z-]+/[a-zA-Z0-9.:/_-]+|[a-z0-9][a-zA-Z0-9.:_-]*"
    ),
    "bedrockRegions": re.compile(r"[a-z]{2}(-[a-z]+)+-\d"),
}
_LEAST_AUDIT_RETENTION_DAYS = 30
# The first Python whose runtime has SnapStart.
_SNAPSHOTS_SINCE = (3, 12)
# Lambda takes 64 characters; the rest is for the stage and for the names of rows.
LONGEST_NAME = 24
_NAME = re.compile(rf"(?=.{{1,{LONGEST_NAME}}}\Z)[a-z][a-z0-9]*(-[a-z0-9]+)*")


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditLock:
    """For how long nobody deletes the audit log's anchors and exports; `strict`: not even the account's owner."""

    days: int
    strict: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class BedrockModels:
    """What of Amazon Bedrock may be asked: ids of models and profiles, or their ARNs; in these regions, none for its own."""

    models: tuple[str, ...]
    regions: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Deployment:
    """One deployment's settings."""

    name: str
    stage: Stage
    python: str
    architecture: Architecture
    streaming: Streaming
    local_model: LocalModel
    bedrock: BedrockModels | None
    retention_days: int
    cache_ttl_s: int
    lease_s: int
    keep_alive_s: int
    rollout: bool
    waiting_concurrency: int | None
    snap_start: bool
    provisioned_concurrency: int | None
    log_retention: logs.RetentionDays
    audit_lock: AuditLock | None
    audit_retention_days: int | None
    usage_retention_days: int
    allow_private_addresses: bool
    seal: bool
    waf: bool
    cors_origins: tuple[str, ...]
    dashboards: bool
    tracing: bool
    otlp_endpoint: str
    otlp_content: bool
    alarm_email: str

    @classmethod
    def from_context(cls, node: Node) -> "Deployment":
        """Read the app's context. Raises WrongSetting."""
        return cls(
            name=_name(node),
            stage=_choice(node, "stage", Stage),
            python=_text(node, "python"),
            architecture=_choice(node, "architecture", Architecture),
            streaming=_choice(node, "streaming", Streaming),
            local_model=_choice(node, "localModel", LocalModel),
            bedrock=_bedrock(node),
            retention_days=_whole_number(node, "retentionDays"),
            cache_ttl_s=_whole_number(node, "cacheTtlSeconds"),
            lease_s=_whole_number(node, "leaseSeconds", most=LONGEST_LEASE_S),
            keep_alive_s=_whole_number(node, "keepAliveSeconds", most=LONGEST_SILENCE_S),
            rollout=_is_on(node, "rollout"),
            waiting_concurrency=_number_or_off(node, "waitingConcurrency"),
            snap_start=_snap_start(node),
            provisioned_concurrency=_provisioned_concurrency(node),
            log_retention=_log_retention(_whole_number(node, "logRetentionDays")),
            audit_lock=_audit_lock(node),
            audit_retention_days=_audit_retention_days(node),
            usage_retention_days=_whole_number(node, "usageRetentionDays"),
            allow_private_addresses=_is_on(node, "allowPrivateAddresses"),
            seal=_is_on(node, "seal"),
            waf=_is_on(node, "waf"),
            cors_origins=_origins(node, "corsOrigins"),
            dashboards=_is_on(node, "dashboards"),
            tracing=_is_on(node, "tracing"),
            otlp_endpoint=_web_address(node, "otlpEndpoint"),
            otlp_content=_is_on(node, "otlpContent"),
            alarm_email=_text(node, "alarmEmail"),
        )

    @property
    def prefix(self) -> str:
        """What the names of stacks, functions and secrets begin with."""
        return f"{self.name}-{self.stage}"

    @property
    def is_prod(self) -> bool:
        """Whether data outlives its stack, and callers call versions of the functions, which are kept."""
        return self.stage is Stage.PROD

    @property
    def shifts_calls(self) -> bool:
        """Whether new code takes over step by step."""
        return self.is_prod and self.rollout

    @property
    def removal_policy(self) -> RemovalPolicy:
        """What becomes of data when its stack is deleted. What a failed creation made goes with it in any case."""
        return RemovalPolicy.RETAIN_ON_UPDATE_OR_DELETE if self.is_prod else RemovalPolicy.DESTROY

    @property
    def runtime(self) -> lambda_.Runtime:
        """The functions' runtime."""
        return lambda_.Runtime(
            f"python{self.python}",
            lambda_.RuntimeFamily.PYTHON,
            supports_inline_code=True,
            supports_snap_start=_takes_snapshots(self.python),
        )

    @property
    def lambda_architecture(self) -> lambda_.Architecture:
        """The functions' processors, as CDK names them."""
        arm = self.architecture is Architecture.ARM64
        return lambda_.Architecture.ARM_64 if arm else lambda_.Architecture.X86_64


_Choice = TypeVar("_Choice", bound=StrEnum)
_RETENTION_DAYS = {
    1: logs.RetentionDays.ONE_DAY,
    7: logs.RetentionDays.ONE_WEEK,
    14: logs.RetentionDays.TWO_WEEKS,
    30: logs.RetentionDays.ONE_MONTH,
    90: logs.RetentionDays.THREE_MONTHS,
    180: logs.RetentionDays.SIX_MONTHS,
    365: logs.RetentionDays.ONE_YEAR,
}


def _text(node: Node, name: str) -> str:
    value = node.try_get_context(name)
    if value is None:
        raise WrongSetting(f"The context has no {name!r}: cdk.json sets it, -c {name}=… changes it.")
    return str(value)


def _name(node: Node) -> str:
    """What functions, queues and hosts may all be called."""
    name = _text(node, "name")
    if not _NAME.fullmatch(name):
        raise WrongSetting(
            f"name must be lower-case letters and digits, with single hyphens between them, and begin with a letter; "
            f"{LONGEST_NAME} characters at most; not {name!r}."
        )
    return name


def _choice(node: Node, name: str, choices: type[_Choice]) -> _Choice:
    value = _text(node, name)
    if value not in list(choices):
        raise WrongSetting(f"{name} must be one of {', '.join(choices)}, not {value!r}.")
    return choices(value)


def _web_address(node: Node, name: str) -> str:
    """Empty where there is none."""
    try:
        return web_address(name, _text(node, name))
    except ValueError as wrong:
        raise WrongSetting(f"{wrong}.") from None


def _origins(node: Node, name: str) -> tuple[str, ...]:
    try:
        return origins(name, _text(node, name))
    except ValueError as wrong:
        raise WrongSetting(f"{wrong}.") from None


def _is_on(node: Node, name: str) -> bool:
    return _choice(node, name, Switch) is Switch.ON


def _whole_number(node: Node, name: str, *, most: int | None = None) -> int:
    text = _text(node, name)
    try:
        return whole_number(name, text, most=most)
    except ValueError as wrong:
        raise WrongSetting(f"{wrong}.") from None


def _bedrock(node: Node) -> BedrockModels | None:
    """None: it may not be asked at all."""
    models, regions = (_listed(node, name, form) for name, form in _BEDROCK_LISTS.items())
    if not _is_on(node, "bedrock"):
        return None
    if not models:
        raise WrongSetting("bedrockModels must name the models or inference profiles that bedrock=on lets be asked.")
    return BedrockModels(models=models, regions=regions)


def _listed(node: Node, name: str, form: re.Pattern[str]) -> tuple[str, ...]:
    """A list with commas, each once. Raises `WrongSetting` for an entry that has not the `form`."""
    entries = tuple(dict.fromkeys(filter(None, (entry.strip() for entry in _text(node, name).split(",")))))
    for entry in entries:
        if not form.fullmatch(entry):
            raise WrongSetting(f"{name} must be a list of names with commas between them, and {entry!r} is none.")
    return entries


def _audit_lock(node: Node) -> AuditLock | None:
    switch = _choice(node, "auditLock", LockSwitch)
    mode = _choice(node, "auditLockMode", LockMode)
    days = _whole_number(node, "auditLockDays")
    in_prod = _choice(node, "stage", Stage) is Stage.PROD
    locked = switch is LockSwitch.ON or (switch is LockSwitch.PROD and in_prod)
    return AuditLock(days=days, strict=mode is LockMode.COMPLIANCE) if locked else None


def _audit_retention_days(node: Node) -> int | None:
    """None: for ever."""
    if _text(node, "auditRetentionDays") == FOREVER:
        return None
    days = _whole_number(node, "auditRetentionDays")
    if days < _LEAST_AUDIT_RETENTION_DAYS:
        raise WrongSetting(
            f"auditRetentionDays must be {FOREVER!r} or {_LEAST_AUDIT_RETENTION_DAYS} at least, not {days}: "
            "entries are exported before they leave the table, and that may have to be tried again."
        )
    return days


def _snap_start(node: Node) -> bool:
    is_on = _is_on(node, "snapStart")
    if is_on and not _takes_snapshots(_text(node, "python")):
        raise WrongSetting(f"snapStart=on takes python=3.12 or newer, not {_text(node, 'python')}.")
    return is_on


def _provisioned_concurrency(node: Node) -> int | None:
    """None: nothing is kept ready."""
    name = "provisionedConcurrency"
    number = _number_or_off(node, name)
    if number and _is_on(node, "snapStart"):
        raise WrongSetting(f"{name} must be 'off' where snapStart is on: Lambda takes one of them for a function.")
    return number


def _takes_snapshots(python: str) -> bool:
    numbers = python.split(".")
    return all(map(str.isdecimal, numbers)) and tuple(map(int, numbers)) >= _SNAPSHOTS_SINCE


def _number_or_off(node: Node, name: str) -> int | None:
    """None: off."""
    if _text(node, name) == Switch.OFF:
        return None
    try:
        return _whole_number(node, name)
    except WrongSetting as wrong:
        raise WrongSetting(f"{name} must be 'off', or: {wrong}") from None


def _log_retention(days: int) -> logs.RetentionDays:
    if days not in _RETENTION_DAYS:
        raise WrongSetting(f"logRetentionDays must be one of {', '.join(map(str, _RETENTION_DAYS))}, not {days}.")
    return _RETENTION_DAYS[days]
