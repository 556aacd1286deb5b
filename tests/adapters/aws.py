"""What the data stack makes, made through AWS's API: for tests on moto or on an emulator."""

import json
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from threading import Lock
from typing import TYPE_CHECKING, Any, Final
from unittest.mock import patch

from botocore.awsrequest import AWSPreparedRequest, HeadersDict
from llm_gateway.settings import Settings
from llm_gateway.stores.connection import Aws, connections_to
from llm_gateway.stores.json_service import JsonService, with_bytes
from llm_gateway.stores.kept_connections import Answer

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
        for name in ("AWS_ENDPOINT_URL", "AWS_CA_BUNDLE", "REQUESTS_CA_BUNDLE"):
            os.environ.pop(name, None)
        if endpoint is not None:
            os.environ["AWS_ENDPOINT_URL"] = endpoint
        aws = Aws(lambda url: Echoed(connections_to(url) if endpoint else _play, aws))
        for client in (aws.dynamodb, aws.dynamodb_once, aws.s3, aws.secrets_manager, aws.sqs, aws.events, aws.kms):
            assert endpoint is None or client.meta.endpoint_url == endpoint
        for service in (aws.tables, aws.secrets, aws.queues):
            assert isinstance(service, JsonService)
        return aws


# Moto checks a condition and writes in two steps, between which another thread may come. DynamoDB does it in one step.
_one_at_a_time: Final = Lock()
_CLIENTS: Final = {"DynamoDB_20120810": "dynamodb", "secretsmanager": "secrets_manager", "AmazonSQS": "sqs"}


@dataclass(frozen=True)
class Echoed:
    """An exchange whose requests are heard by those who listen to the events of botocore's clients, as if one of them asked."""

    exchange: Callable[..., Answer]
    aws: Aws

    def __call__(self, headers: Mapping[str, str], body: bytes) -> Answer:
        service, _, operation = headers["x-amz-target"].partition(".")
        client: Any = getattr(self.aws, _CLIENTS[service])
        model = client.meta.service_model.operation_model(operation)

        def tell(event: str, **values: Any) -> None:
            name = f"{event}.{model.service_model.service_id.hyphenize()}.{operation}"
            client.meta.events.emit(name, model=model, context={}, **values)

        tell("before-parameter-build", params=json.loads(body, object_hook=with_bytes))
        tell("before-call", params={"headers": {**headers}, "body": body}, request_signer=None)
        answer = self.exchange(client, headers, body) if self.exchange is _play else self.exchange(headers, body)
        parsed = json.loads(answer.body, object_hook=with_bytes) if answer.body.startswith(b"{") else {}
        tell("after-call", http_response=None, parsed=parsed)
        return answer


def _play(client: Any, headers: Mapping[str, str], body: bytes) -> Answer:
    """What moto answers: it listens for what botocore is about to send."""
    request = AWSPreparedRequest(
        "POST", f"{client.meta.endpoint_url}/", HeadersDict(headers), body, stream_output=False
    )
    name = f"before-send.{client.meta.service_model.service_name}"
    with _one_at_a_time:
        _, played = client.meta.events.emit_until_response(name, request=request)
    return Answer(played.status_code, {name.lower(): value for name, value in played.headers.items()}, played.content)


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
