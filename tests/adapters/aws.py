"""What the data stack makes, made through AWS's API: for tests on moto or on an emulator."""

import os
from typing import TYPE_CHECKING, Final
from unittest.mock import patch

from llm_gateway.settings import Settings
from llm_gateway.stores.connection import Aws

if TYPE_CHECKING:
    from mypy_boto3_dynamodb.type_defs import CreateTableInputTypeDef, KeySchemaElementTypeDef

REGION: Final = "eu-west-1"
ENVIRONMENT: Final = {
    "AWS_ACCESS_KEY_ID": "testing",
    "AWS_SECRET_ACCESS_KEY": "testing",
    "AWS_DEFAULT_REGION": REGION,
    "AWS_EC2_METADATA_DISABLED": "true",
}

_KEYS: Final = {
    "keys": ("key_id",),
    "providers": ("collection", "provider_id"),
    "queries": ("query_id",),
    "limits": ("scope",),
    "cache": ("cache_key",),
    "audit": ("month", "place"),
    "usage": ("period", "place"),
    "prompts": ("collection", "place"),
    "evals": ("collection", "place"),
    "seals": ("key_id", "data_key_id"),
}
_LISTED: Final = (
    *("owner", "mode", "status", "attempts", "created_at", "due_at", "started_at", "completed_at", "expires_at"),
    *("problem", "prompt", "figures"),
)
# By name: what an index is by, and what it holds beside keys.
_INDEXES: Final[dict[str, dict[str, tuple[str, tuple[str, ...]]]]] = {
    "keys": {"by_collection": ("collection", ())},
    "queries": {
        "by_owner": ("listed_by", _LISTED),
        "by_day": ("listed_on", _LISTED),
        "by_end": ("ended_in", (*_LISTED, "tags", "counted")),
        "by_subject": ("subject_in", ()),
    },
}


def connect(endpoint: str | None = None) -> Aws:
    """All of AWS's clients, made now: for `endpoint`, or for AWS itself as moto plays it. Leaves the environment as it was."""
    with patch.dict(os.environ, ENVIRONMENT):
        os.environ.pop("AWS_ENDPOINT_URL", None)
        if endpoint is not None:
            os.environ["AWS_ENDPOINT_URL"] = endpoint
        aws = Aws()
        for client in (aws.dynamodb, aws.dynamodb_once, aws.s3, aws.secrets_manager, aws.sqs, aws.events, aws.kms):
            assert endpoint is None or client.meta.endpoint_url == endpoint
        return aws


def deploy(aws: Aws, *, name: str, retention_days: int = 30) -> Settings:
    """Tables, buckets, queues and pepper, all named after `name`; the answer says where they are."""
    for table in _KEYS:
        aws.dynamodb.create_table(**definition_of(table, name))
    bucket = f"{name}-bodies"
    aws.s3.create_bucket(Bucket=bucket, CreateBucketConfiguration={"LocationConstraint": REGION})
    audit_bucket = f"{name}-audit"
    aws.s3.create_bucket(Bucket=audit_bucket, CreateBucketConfiguration={"LocationConstraint": REGION})
    aws.s3.put_bucket_versioning(Bucket=audit_bucket, VersioningConfiguration={"Status": "Enabled"})
    aws.secrets_manager.create_secret(Name=f"{name}/pepper", SecretString="a pepper for tests")
    return Settings.from_environment(
        {f"{table.upper()}_TABLE": f"{name}-{table}" for table in _KEYS}
        | {
            "BODIES_BUCKET": bucket,
            "AUDIT_BUCKET": audit_bucket,
            "QUEUE_URL": aws.sqs.create_queue(QueueName=f"{name}-normal")["QueueUrl"],
            "HIGH_QUEUE_URL": aws.sqs.create_queue(QueueName=f"{name}-high")["QueueUrl"],
            "PEPPER_SECRET_ID": f"{name}/pepper",
            "CREDENTIALS_PREFIX": f"{name}/providers/",
            "KMS_KEY_ID": aws.kms.create_key()["KeyMetadata"]["KeyId"],
            "RETENTION_DAYS": str(retention_days),
        }
    )


def definition_of(table: str, name: str) -> "CreateTableInputTypeDef":
    hash_key, *range_key = _KEYS[table]
    definition: CreateTableInputTypeDef = {
        "TableName": f"{name}-{table}",
        "BillingMode": "PAY_PER_REQUEST",
        "AttributeDefinitions": [{"AttributeName": key, "AttributeType": "S"} for key in _KEYS[table]],
        "KeySchema": _schema(hash_key, *range_key),
    }
    if table in _INDEXES:
        definition["AttributeDefinitions"] = [
            *definition["AttributeDefinitions"],
            *({"AttributeName": key, "AttributeType": "S"} for key, _ in _INDEXES[table].values()),
        ]
        definition["GlobalSecondaryIndexes"] = [
            {
                "IndexName": name,
                "KeySchema": _schema(key, hash_key),
                "Projection": {"ProjectionType": "INCLUDE", "NonKeyAttributes": list(held)}
                if held
                else {"ProjectionType": "KEYS_ONLY"},
            }
            for name, (key, held) in _INDEXES[table].items()
        ]
    return definition


def _schema(hash_key: str, *range_key: str) -> "list[KeySchemaElementTypeDef]":
    schema: list[KeySchemaElementTypeDef] = [{"AttributeName": hash_key, "KeyType": "HASH"}]
    schema.extend({"AttributeName": key, "KeyType": "RANGE"} for key in range_key)
    return schema
