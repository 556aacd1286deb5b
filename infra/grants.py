"""Turn what a row of the endpoint table reads and writes into exact IAM actions, and variables that name what was granted."""

from collections.abc import Iterable
from typing import Final, assert_never

from aws_cdk import ArnFormat
from aws_cdk import aws_iam as iam
from llm_gateway.access import AUDIT_DAYS, SEALING, Endpoint, Resource, Row, Schedule, Worker

from infra.data import KEYS_INDEX, QUERY_INDEXES, DataStack

_Actions = dict[str, tuple[str, ...]]
# Named one by one: CDK's own grants add Scan, stream reads and more that no function needs. `deletes` takes the place of `writes`
# where the endpoint's method is DELETE.
_COLLECTION: Final[_Actions] = {
    "reads": ("dynamodb:GetItem", "dynamodb:Query"),
    "writes": ("dynamodb:PutItem",),
    "deletes": ("dynamodb:DeleteItem",),
}
_ACTIONS: Final[dict[Resource, _Actions]] = {
    # The index that lists keys has no more than their ids: the keys themselves are read several at once. A revoked key stays.
    Resource.KEYS: {
        "reads": (*_COLLECTION["reads"], "dynamodb:BatchGetItem"),
        "writes": ("dynamodb:PutItem",),
    },
    Resource.PROVIDERS: _COLLECTION,
    Resource.QUERIES: {
        "reads": ("dynamodb:GetItem",),
        "writes": ("dynamodb:PutItem", "dynamodb:UpdateItem", "dynamodb:DeleteItem"),
    },
    Resource.QUERY_STATE: {"reads": ("dynamodb:GetItem",), "writes": ("dynamodb:UpdateItem",)},
    Resource.QUERY_INDEX: {"reads": ("dynamodb:Query",), "writes": ()},
    # Several at once, and never but by a condition on what is there.
    Resource.LIMITS: {"reads": ("dynamodb:BatchGetItem",), "writes": ("dynamodb:UpdateItem",)},
    Resource.CACHE: {"reads": ("dynamodb:GetItem",), "writes": ("dynamodb:UpdateItem", "dynamodb:DeleteItem")},
    Resource.BODIES: {"reads": ("s3:GetObject",), "writes": ("s3:PutObject", "s3:DeleteObject")},
    Resource.CREDENTIALS: {
        "reads": ("secretsmanager:GetSecretValue",),
        "writes": ("secretsmanager:CreateSecret", "secretsmanager:PutSecretValue", "secretsmanager:DeleteSecret"),
    },
    Resource.QUEUE: {"reads": (), "writes": ("sqs:SendMessage",)},
    # An entry is put once, beside the head that its writer has read: nobody may change or delete one.
    Resource.AUDIT: {
        "reads": ("dynamodb:GetItem", "dynamodb:Query"),
        "writes": ("dynamodb:GetItem", "dynamodb:PutItem"),
    },
    Resource.USAGE: {"reads": ("dynamodb:Query",), "writes": ("dynamodb:PutItem", "dynamodb:BatchWriteItem")},
    # A transaction that asks without writing has an action of its own.
    Resource.PROMPTS: {
        "reads": _COLLECTION["reads"],
        "writes": ("dynamodb:PutItem", "dynamodb:DeleteItem", "dynamodb:ConditionCheckItem"),
    },
    # Nobody deletes a run: it expires.
    Resource.EVALS: {"reads": _COLLECTION["reads"], "writes": ("dynamodb:PutItem", "dynamodb:UpdateItem")},
    Resource.SEALS: {"reads": ("dynamodb:GetItem",), "writes": ("dynamodb:Query", "dynamodb:PutItem")},
    Resource.SHREDDED: {"reads": (), "writes": ("dynamodb:Query", "dynamodb:DeleteItem")},
    Resource.AUDIT_ARCHIVE: {"reads": (), "writes": ("s3:PutObject",)},
    Resource.EVENTS: {"reads": (), "writes": ("events:PutEvents",)},
}
_IN_TABLE: Final = {Resource.QUERY_STATE: Resource.QUERIES, Resource.SHREDDED: Resource.SEALS}
# Read access alone: a function that could write a key could give itself any role.
_AUTHENTICATION = ("dynamodb:GetItem",)
# What authentication writes about callers: the nonces that they signed with, failures by address, when a key was last used,
# how often it waits, and what it was denied.
_NOTES = ("nonce#*", "failed#*", "used#*", "denials#*", "waits#*")
_LIST = ("s3:ListBucket",)
_KEY_ACTIONS = (
    "kms:Decrypt",
    "kms:DescribeKey",
    "kms:Encrypt",
    "kms:GenerateDataKey",
    "kms:ReEncryptFrom",
    "kms:ReEncryptTo",
)
# The services that may use the key for a function. By itself a function uses it for the secrets of sealed words alone.
_ENCRYPTED_BY = ("dynamodb", "s3", "secretsmanager", "sqs")
_VARIABLES = {
    Resource.KEYS: ("KEYS_TABLE",),
    Resource.PROVIDERS: ("PROVIDERS_TABLE",),
    Resource.QUERIES: ("QUERIES_TABLE", "LEASE_S"),
    Resource.QUERY_STATE: ("QUERIES_TABLE", "LEASE_S"),
    Resource.QUERY_INDEX: ("QUERIES_TABLE",),
    Resource.LIMITS: ("LIMITS_TABLE",),
    Resource.CACHE: ("CACHE_TABLE", "CACHE_TTL_S"),
    Resource.BODIES: ("BODIES_BUCKET",),
    Resource.CREDENTIALS: ("CREDENTIALS_PREFIX", "KMS_KEY_ID"),
    Resource.QUEUE: ("QUEUE_URL", "HIGH_QUEUE_URL"),
    Resource.AUDIT: ("AUDIT_TABLE", "AUDIT_RETENTION_DAYS"),
    Resource.USAGE: ("USAGE_TABLE", "USAGE_RETENTION_DAYS"),
    Resource.PROMPTS: ("PROMPTS_TABLE",),
    Resource.EVALS: ("EVALS_TABLE", "USAGE_RETENTION_DAYS"),
    Resource.SEALS: ("SEALS_TABLE", "SEAL", "KMS_KEY_ID"),
    Resource.SHREDDED: ("SEALS_TABLE",),
    Resource.AUDIT_ARCHIVE: ("AUDIT_BUCKET",),
    Resource.EVENTS: ("EVENT_BUS",),
}


def is_public(row: Row) -> bool:
    """Whether nothing is authenticated: such a function is granted nothing and told nothing."""
    return isinstance(row, Endpoint) and row.permission is None


def statements(row: Row, data: DataStack) -> list[iam.PolicyStatement]:
    """What the row's function may do: what it reads and writes, its queue if it is a worker, authentication if an endpoint."""
    if is_public(row):
        return []
    granted = [
        _allow(_sid(resource), actions, _arns(resource, data))
        for resource in sorted(row.reads | row.writes)
        if (actions := _actions(resource, row))
    ]
    granted += _listing(row, data)
    granted += _sealing(row, data)
    match row:
        case Endpoint():
            granted += _authentication(data)
        case Worker():
            granted.append(_consumption(row, data))
        case Schedule():
            pass
        case _:
            assert_never(row)
    return [*granted, _key_use(data)]


def variables(row: Row, data: DataStack) -> dict[str, str]:
    """The environment of the row's function: the names of what it was granted, as `settings.py` reads them."""
    if is_public(row):
        return {}
    names = {name for resource in row.reads | row.writes for name in _VARIABLES[resource]}
    names |= {"RETENTION_DAYS", "ALLOW_PRIVATE_ADDRESSES"} | (
        {"BEDROCK"} if Resource.PROVIDERS in row.writes else set()
    )
    if isinstance(row, Endpoint):
        names |= {"KEYS_TABLE", "LIMITS_TABLE", "PEPPER_SECRET_ID"} | ({"KEEP_ALIVE_S"} if row.streams else set())
    return {name: data.variables[name] for name in sorted(names)}


def acknowledged_wildcards(data: DataStack) -> dict[str, str]:
    """Every wildcard in the statements above, as cdk-nag names it, and why it is there."""
    account = "arn:<AWS::Partition>:secretsmanager:<AWS::Region>:<AWS::AccountId>"
    bodies, archive = (
        data.resolve(data.export_value(bucket.bucket_arn))["Fn::ImportValue"] for bucket in (data.bodies, data.archive)
    )
    reasons = {
        f"{account}:secret:{data.credentials_prefix}*": "The gateway makes a secret for each provider, named like this.",
        f"{account}:secret:{data.pepper_prefix}*": "The end of the pepper's ARN is not known before it is made.",
        f"{bodies}/*": "The bucket holds nothing but bodies, under names made at run time.",
        f"{archive}/*": "The bucket holds nothing but the audit log's anchors and exports, under names made at run time.",
    }
    return {f"AwsSolutions-IAM5[Resource::{resource}]": reason for resource, reason in reasons.items()}


def _sid(resource: Resource) -> str:
    return resource.title().replace("_", "")


def _actions(resource: Resource, row: Row) -> list[str]:
    read = _ACTIONS[resource]["reads"] if resource in row.reads else ()
    deletes = isinstance(row, Endpoint) and row.method == "DELETE"
    kinds = ("deletes",) if deletes and "deletes" in _ACTIONS[resource] else ("writes",)
    written = [action for kind in kinds for action in _ACTIONS[resource][kind]] if resource in row.writes else []
    return list(dict.fromkeys([*read, *written]))


def _listing(row: Row, data: DataStack) -> list[iam.PolicyStatement]:
    """Buckets' own actions. None is granted on objects, nor an object's on a bucket."""
    listing = []
    if Resource.BODIES in row.reads:
        # Nothing lists bodies, but without this S3 calls a body that is gone forbidden instead of missing.
        listing.append(_allow("BodiesMissing", _LIST, [data.bodies.bucket_arn]))
    if Resource.AUDIT_ARCHIVE in row.reads:
        days = {"StringEquals": {"s3:prefix": [AUDIT_DAYS]}}
        listing.append(_allow("AuditArchiveDays", _LIST, [data.archive.bucket_arn], days))
    return listing


def _arns(resource: Resource, data: DataStack) -> list[str]:
    match resource:
        case Resource.KEYS:
            table = data.tables[resource].table_arn
            return [table, f"{table}/index/{KEYS_INDEX}"]
        case Resource.QUERY_STATE | Resource.SHREDDED:
            return [data.tables[_IN_TABLE[resource]].table_arn]
        case Resource.QUERY_INDEX:
            table = data.tables[Resource.QUERIES].table_arn
            return [f"{table}/index/{index}" for index in QUERY_INDEXES]
        case Resource.BODIES:
            return [data.bodies.arn_for_objects("*")]
        case Resource.AUDIT_ARCHIVE:
            return [data.archive.arn_for_objects("*")]
        case Resource.CREDENTIALS:
            return [_secrets(data, data.credentials_prefix)]
        case Resource.QUEUE:
            return [data.normal_queue.queue_arn, data.high_queue.queue_arn]
        case Resource.EVENTS:
            return [data.event_bus.event_bus_arn]
        case (
            Resource.PROVIDERS
            | Resource.PROMPTS
            | Resource.EVALS
            | Resource.QUERIES
            | Resource.LIMITS
            | Resource.CACHE
            | Resource.AUDIT
            | Resource.USAGE
            | Resource.SEALS
        ):
            return [data.tables[resource].table_arn]
        case _:
            assert_never(resource)


def _authentication(data: DataStack) -> list[iam.PolicyStatement]:
    return [
        _allow("Authentication", _AUTHENTICATION, [data.tables[Resource.KEYS].table_arn]),
        _allow(
            "Notes",
            ["dynamodb:UpdateItem"],
            [data.tables[Resource.LIMITS].table_arn],
            {"ForAllValues:StringLike": {"dynamodb:LeadingKeys": list(_NOTES)}},
        ),
        _allow("Pepper", ["secretsmanager:GetSecretValue"], [_secrets(data, data.pepper_prefix)]),
    ]


def _consumption(row: Worker, data: DataStack) -> iam.PolicyStatement:
    actions = ["ReceiveMessage", "DeleteMessage", "ChangeMessageVisibility", "GetQueueAttributes"]
    queues = [queue.queue_arn for queue in data.queues(row.queue)]
    return _allow("Consumption", [f"sqs:{action}" for action in actions], queues)


def _key_use(data: DataStack) -> iam.PolicyStatement:
    services = [f"{service}.{data.region}.amazonaws.com" for service in _ENCRYPTED_BY]
    return _allow("Key", _KEY_ACTIONS, [data.key.key_arn], {"StringEquals": {"kms:ViaService": services}})


def _sealing(row: Row, data: DataStack) -> list[iam.PolicyStatement]:
    """For the secrets of sealed words: nothing else that this key of KMS has encrypted says that of itself."""
    if Resource.SEALS not in row.reads | row.writes:
        return []
    actions = {"kms:Decrypt": row.reads, "kms:GenerateDataKey": row.writes}
    purpose = {"StringEquals": {"kms:EncryptionContext:purpose": [SEALING]}}
    return [
        _allow("Sealing", [each for each, of in actions.items() if Resource.SEALS in of], [data.key.key_arn], purpose)
    ]


def _secrets(data: DataStack, prefix: str) -> str:
    # Secrets Manager ends every secret's ARN in six characters of its own.
    return data.format_arn(
        service="secretsmanager",
        resource="secret",
        resource_name=f"{prefix}*",
        arn_format=ArnFormat.COLON_RESOURCE_NAME,
    )


def _allow(
    sid: str, actions: Iterable[str], resources: list[str], conditions: dict[str, dict[str, list[str]]] | None = None
) -> iam.PolicyStatement:
    return iam.PolicyStatement(sid=sid, actions=list(actions), resources=resources, conditions=conditions)
