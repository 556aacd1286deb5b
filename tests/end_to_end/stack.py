"""What a deployment is made of, and a look into what it stores."""

import json
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import count
from random import random
from typing import Any

import httpx2
from llm_gateway.domain.key_secrets import key_id_of
from llm_gateway.domain.keys import KeySpec, Role
from llm_gateway.instruments.system import RandomIds, SystemClock
from llm_gateway.services.keys.administration import KeyService
from llm_gateway.settings import Settings
from llm_gateway.stores.audit import DynamoAuditLog
from llm_gateway.stores.connection import Aws
from llm_gateway.stores.key_uses import dynamo_key_uses
from llm_gateway.stores.keys import DynamoKeyStore
from llm_gateway.stores.secrets import SecretsManagerPepper
from llm_gateway.wire.keys import as_auditors_see

from tests.adapters.authors import BY
from tests.adapters.aws import deploy
from tests.adapters.upstream import ScriptedUpstream
from tests.end_to_end.calling import Client

MOST_RECEIVES = 5
LEASE_S = 3
KEEP_ALIVE_S = 2

_NOTES = ("used#", "failed#", "nonce#", "denials#", "waits#")

_numbers = count(1)


@dataclass(frozen=True, kw_only=True)
class Stack:
    """An emulator with all that a gateway needs."""

    aws: Aws
    endpoint: str
    settings: Settings

    @cached_property
    def keys(self) -> KeyService:
        ids = RandomIds()
        return KeyService(
            store=DynamoKeyStore(aws=self.aws, table=self.settings.keys_table, ids=ids),
            uses=dynamo_key_uses(aws=self.aws, table=self.settings.limits_table),
            log=DynamoAuditLog(aws=self.aws, table=self.settings.audit_table, clock=SystemClock(), ids=ids),
            shown=as_auditors_see,
            pepper=SecretsManagerPepper(aws=self.aws, secret_id=self.settings.pepper_secret_id),
            clock=SystemClock(),
            ids=ids,
            draw=random,
        )

    def client(self, http: httpx2.Client, role: Role = Role.CALLER) -> Client:
        """A client with a new key of its own."""
        secret = self.keys.create(KeySpec(name=role.value, role=role), by=BY).secret
        return Client(http, secret)

    def stored(self) -> dict[str, Any]:
        """Everything that is kept anywhere, but for what is noted of who came to the door."""
        kept: dict[str, Any] = {table: self.items(table) for table in self.tables}
        limits = self.settings.limits_table
        kept[limits] = [item for item in kept[limits] if not item["scope"]["S"].startswith(_NOTES)]
        kept["bodies"] = self.bodies()
        kept["queued"] = [self.waiting(url) for url in (self.settings.queue_url, self.settings.high_queue_url)]
        return kept

    @property
    def tables(self) -> list[str]:
        settings = self.settings
        return [
            settings.keys_table,
            settings.providers_table,
            settings.queries_table,
            settings.limits_table,
            settings.cache_table,
        ]

    def items(self, table: str) -> list[dict[str, Any]]:
        """Every item of a table, in one order."""
        pages = self.aws.dynamodb.get_paginator("scan").paginate(TableName=table, ConsistentRead=True)
        items: list[dict[str, Any]] = [dict(item) for page in pages for item in page["Items"]]
        return sorted(items, key=repr)

    def statuses(self, client: Client) -> list[str]:
        """Those of a client's queries, as they are stored."""
        key_id = key_id_of(client.key or "")
        return [
            item["status"]["S"]
            for item in self.items(self.settings.queries_table)
            if item.get("owner") == {"S": key_id}
        ]

    def bodies(self) -> list[str]:
        """The keys of all objects in the bucket."""
        pages = self.aws.s3.get_paginator("list_objects_v2").paginate(Bucket=self.settings.bodies_bucket)
        return sorted(found["Key"] for page in pages for found in page.get("Contents", []))

    def waiting(self, queue_url: str) -> int:
        """How many messages a queue holds, those that are being dealt with or held back included."""
        names = [f"ApproximateNumberOfMessages{state}" for state in ("", "NotVisible", "Delayed")]
        found = self.aws.sqs.get_queue_attributes(QueueUrl=queue_url, AttributeNames=names)["Attributes"]  # type: ignore[arg-type]
        return sum(int(found.get(name, 0)) for name in names)

    def give_up_after(self, receives: int, *, queue_url: str) -> None:
        """After so many deliveries a message of that queue goes to the dead letters."""
        target = self.aws.sqs.get_queue_attributes(
            QueueUrl=self.settings.dead_letters_url, AttributeNames=["QueueArn"]
        )["Attributes"]["QueueArn"]
        policy = json.dumps({"deadLetterTargetArn": target, "maxReceiveCount": receives})
        self.aws.sqs.set_queue_attributes(QueueUrl=queue_url, Attributes={"RedrivePolicy": policy})


def deployed(aws: Aws, *, endpoint: str, name: str) -> Stack:
    """Tables, bucket, queues with their dead letters, and pepper; a lease and silences are short, so that tests are."""
    settings = replace(
        deploy(aws, name=name),
        dead_letters_url=aws.sqs.create_queue(QueueName=f"{name}-dead")["QueueUrl"],
        allow_private_addresses=True,
        lease_s=LEASE_S,
        keep_alive_s=KEEP_ALIVE_S,
    )
    stack = Stack(aws=aws, endpoint=endpoint, settings=settings)
    for url in (settings.queue_url, settings.high_queue_url):
        stack.give_up_after(MOST_RECEIVES, queue_url=url)
    return stack


@dataclass(frozen=True, kw_only=True)
class Scripted:
    """An upstream that is registered as a provider of its own."""

    id: str
    upstream: ScriptedUpstream

    @property
    def calls(self) -> int:
        return len(self.upstream.requests)

    def asked(self) -> list[str]:
        """What was asked, call by call."""
        return [str(request.body["messages"][-1]["content"]) for request in list(self.upstream.requests)]


PRICED = {"name": "small", "input_usd_per_mtok": "10", "output_usd_per_mtok": "30"}


def register(admin: Client, upstream: ScriptedUpstream, **changes: Any) -> Scripted:
    """Makes `upstream` a provider that is asked for by name alone, and whose failures are not tried again."""
    provider = {
        "id": f"scripted-{next(_numbers)}",
        "name": "Scripted",
        "kind": "openai_compatible",
        "base_url": upstream.openai_base_url,
        "default_model": "small",
        "models": [PRICED],
        "retry": {"max_attempts": 1},
        **changes,
    }
    response = admin.send("POST", "/providers", provider)
    assert response.status_code == 201, response.text
    return Scripted(id=provider["id"], upstream=upstream)
