"""What the gateway keeps: tables, large bodies, queues, the key that encrypts them, the pepper of API keys, and its event bus."""

from typing import Any

from aws_cdk import ArnFormat, CfnOutput, Duration, Fn, RemovalPolicy, ScopedAws, Stack
from aws_cdk import aws_dynamodb as dynamodb
from aws_cdk import aws_events as events
from aws_cdk import aws_iam as iam
from aws_cdk import aws_kms as kms
from aws_cdk import aws_s3 as s3
from aws_cdk import aws_secretsmanager as secretsmanager
from aws_cdk import aws_sqs as sqs
from constructs import Construct
from llm_gateway.access import ENDING_BODIES, SHORTER_BODIES, Resource
from llm_gateway.endpoints import WORKERS

from infra.deployment import FOREVER, AuditLock, Deployment
from infra.security import acknowledge

# One hash key each, a range key where the second name is set. Items carry the time they expire at, in seconds since 1970.
_TABLES = {
    Resource.KEYS: ("key_id", None),
    Resource.PROVIDERS: ("collection", "provider_id"),
    Resource.QUERIES: ("query_id", None),
    Resource.LIMITS: ("scope", None),
    Resource.CACHE: ("cache_key", None),
    Resource.AUDIT: ("month", "place"),
    Resource.USAGE: ("period", "place"),
    Resource.PROMPTS: ("collection", "place"),
    Resource.EVALS: ("collection", "place"),
    Resource.SEALS: ("key_id", "data_key_id"),
}
KEYS_INDEX = "by_collection"
# The indexes of queries: what each is by, and what they hold beside keys. Nothing of what was asked or answered is in them, and
# nothing that changes while a query only goes on: each change of an index is another write.
QUERY_INDEXES = {"by_owner": "listed_by", "by_day": "listed_on", "by_end": "ended_in", "by_subject": "subject_in"}
_LISTED = (
    *("owner", "mode", "status", "attempts", "created_at", "due_at", "started_at", "completed_at", "expires_at"),
    *("problem", "prompt", "figures"),
)
_COUNTED = (*_LISTED, "tags", "counted")
# How long a message is hidden whose worker died, or never began: a deployment that cannot start costs each try this much. Lambda
# wants the function's timeout at least; a worker that lives sets the time anew by itself.
_HIDDEN_FOR = Duration.seconds(2 * max(worker.timeout_s for worker in WORKERS))
_MAX_RECEIVES = 5
# The longest that SQS has. A query whose message is gone would be queued for ever.
_KEPT_FOR = Duration.days(14)
# Where a backup is wanted. What the others hold ends by itself or can be erased, and must not live on in a backup.
_BACKED_UP = frozenset({Resource.KEYS, Resource.PROVIDERS, Resource.PROMPTS, Resource.AUDIT})


class DataStack(Stack):
    """Everything with a state. The other stacks can be deleted and deployed again without losing anything."""

    def __init__(self, scope: Construct, *, deployment: Deployment) -> None:
        super().__init__(scope, f"{deployment.prefix}-data", description="LLM gateway: tables, bodies, queues, secrets")
        self._deployment = deployment
        self.key = kms.Key(
            self,
            "Key",
            alias=f"alias/{deployment.prefix}",
            description=f"Encrypts what {deployment.prefix} keeps",
            enable_key_rotation=True,
            removal_policy=deployment.removal_policy,
        )
        # A budget's notice is encrypted with it, too. Of alarms' notices the topic grants it, to this account's alone.
        self.key.grant(iam.ServicePrincipal("events.amazonaws.com"), "kms:Decrypt", "kms:GenerateDataKey*")
        self.key.add_to_resource_policy(self._for_logs())
        self.tables = {resource: self._table(resource, *keys) for resource, keys in _TABLES.items()}
        self.tables[Resource.KEYS].add_global_secondary_index(
            index_name=KEYS_INDEX,
            partition_key=_string("collection"),
            sort_key=_string("key_id"),
            projection_type=dynamodb.ProjectionType.KEYS_ONLY,
        )
        for name, partition_key in QUERY_INDEXES.items():
            self.tables[Resource.QUERIES].add_global_secondary_index(
                index_name=name,
                partition_key=_string(partition_key),
                sort_key=_string("query_id"),
                **_projection(name),
            )
        self.bodies = self._bodies()
        self.archive = self._archive()
        self.dead_letters = self._queue("DeadLetterQueue")
        self.normal_queue = self._queue("NormalQueue", dead_letters=self.dead_letters)
        self.high_queue = self._queue("HighQueue", dead_letters=self.dead_letters)
        self.pepper = self._pepper()
        self.event_bus = events.EventBus(self, "Events", event_bus_name=deployment.prefix)
        for name, value in self.variables.items():
            CfnOutput(self, name.title().replace("_", ""), value=value)
        self._export_everything()

    @property
    def variables(self) -> dict[str, str]:
        """Every variable that `settings.py` reads, with its value here."""
        return {
            **{f"{resource.upper()}_TABLE": table.table_name for resource, table in self.tables.items()},
            "BODIES_BUCKET": self.bodies.bucket_name,
            "AUDIT_BUCKET": self.archive.bucket_name,
            "QUEUE_URL": self.normal_queue.queue_url,
            "HIGH_QUEUE_URL": self.high_queue.queue_url,
            "DEAD_LETTERS_URL": self.dead_letters.queue_url,
            "EVENT_BUS": self.event_bus.event_bus_name,
            "PEPPER_SECRET_ID": self.pepper.secret_arn,
            "CREDENTIALS_PREFIX": self.credentials_prefix,
            "KMS_KEY_ID": self.key.key_id,
            "SEAL": "on" if self._deployment.seal else "off",
            "RETENTION_DAYS": str(self._deployment.retention_days),
            "USAGE_RETENTION_DAYS": str(self._deployment.usage_retention_days),
            "AUDIT_RETENTION_DAYS": str(self._deployment.audit_retention_days or FOREVER),
            "CACHE_TTL_S": str(self._deployment.cache_ttl_s),
            "LEASE_S": str(self._deployment.lease_s),
            "KEEP_ALIVE_S": str(self._deployment.keep_alive_s),
            "BEDROCK": "on" if self._deployment.bedrock else "off",
            "ALLOW_PRIVATE_ADDRESSES": str(self._deployment.allow_private_addresses).lower(),
        }

    @property
    def credentials_prefix(self) -> str:
        """What the names of the providers' secrets begin with; the gateway makes them, one for each provider."""
        return f"{self._deployment.prefix}/providers/"

    @property
    def pepper_prefix(self) -> str:
        """What the pepper's name begins with."""
        return f"{self._deployment.prefix}/pepper/"

    def _for_logs(self) -> iam.PolicyStatement:
        """What CloudWatch asks for where log groups are encrypted: for those of this account and region alone."""
        groups = self.format_arn(
            service="logs", resource="log-group", resource_name="*", arn_format=ArnFormat.COLON_RESOURCE_NAME
        )
        return iam.PolicyStatement(
            sid="Logs",
            principals=[iam.ServicePrincipal(f"logs.{self.region}.amazonaws.com")],
            actions=["kms:Encrypt", "kms:Decrypt", "kms:ReEncrypt*", "kms:GenerateDataKey*", "kms:DescribeKey"],
            resources=["*"],
            conditions={"ArnLike": {"kms:EncryptionContext:aws:logs:arn": groups}},
        )

    def _export_everything(self) -> None:
        """Export what other stacks may refer to, whether or not they do: an export that is imported cannot be removed.

        Otherwise a function that no longer uses a table would stop its own deployment, because this stack comes first.
        """
        queues = (self.dead_letters, self.normal_queue, self.high_queue)
        referred_to = [
            *(name for table in self.tables.values() for name in (table.table_arn, table.table_name)),
            *(name for queue in queues for name in (queue.queue_arn, queue.queue_url, queue.queue_name)),
            *(name for bucket in (self.bodies, self.archive) for name in (bucket.bucket_arn, bucket.bucket_name)),
            *(self.key.key_arn, self.key.key_id),
            self.pepper.secret_arn,
            *(self.event_bus.event_bus_arn, self.event_bus.event_bus_name),
        ]
        for name in referred_to:
            self.export_value(name)

    def queues(self, name: str) -> tuple[sqs.Queue, ...]:
        """The queues that a worker's row calls `name`, the more urgent first."""
        return {"queries": (self.high_queue, self.normal_queue), "dead_letters": (self.dead_letters,)}[name]

    def _table(self, resource: Resource, hash_key: str, range_key: str | None) -> dynamodb.Table:
        protected = self._deployment.is_prod
        backed_up = protected and resource in _BACKED_UP
        table = dynamodb.Table(
            self,
            resource.title(),
            partition_key=_string(hash_key),
            sort_key=_string(range_key) if range_key else None,
            billing_mode=dynamodb.BillingMode.PAY_PER_REQUEST,
            encryption=dynamodb.TableEncryption.CUSTOMER_MANAGED,
            encryption_key=self.key,
            time_to_live_attribute="expires_at",
            point_in_time_recovery_specification=dynamodb.PointInTimeRecoverySpecification(
                point_in_time_recovery_enabled=backed_up
            ),
            deletion_protection=protected,
            removal_policy=self._deployment.removal_policy,
        )
        if not backed_up:
            acknowledge(
                table,
                {
                    "AwsSolutions-DDB3": "Its items end by themselves, and one that is erased must not live on in a backup."
                    if protected
                    else "Backups cost money; outside production the data can be made again."
                },
            )
        return table

    def _bodies(self) -> s3.Bucket:
        bucket = s3.Bucket(
            self,
            "Bodies",
            encryption=s3.BucketEncryption.KMS,
            encryption_key=self.key,
            bucket_key_enabled=True,
            block_public_access=s3.BlockPublicAccess.BLOCK_ALL,
            enforce_ssl=True,
            # Not versioned: a query that is erased must be gone.
            lifecycle_rules=[
                s3.LifecycleRule(prefix=prefix, expiration=Duration.days(self._deployment.retention_days))
                for prefix in ENDING_BODIES
            ]
            + [
                s3.LifecycleRule(prefix=prefix, expiration=Duration.days(days))
                for days, prefix in SHORTER_BODIES.items()
                if days < self._deployment.retention_days
            ],
            removal_policy=self._deployment.removal_policy,
        )
        acknowledge(
            bucket,
            {
                "AwsSolutions-S1": "Only the gateway's functions may read it, and they log each query themselves; "
                "a second log would keep the ids of erased queries."
            },
        )
        return bucket

    def _archive(self) -> s3.Bucket:
        """Anchors and exports of the audit log. What is locked nobody can delete before its time; nothing is ever overwritten."""
        lock = self._deployment.audit_lock
        bucket = s3.Bucket(
            self,
            "AuditArchive",
            encryption=s3.BucketEncryption.KMS,
            encryption_key=self.key,
            bucket_key_enabled=True,
            block_public_access=s3.BlockPublicAccess.BLOCK_ALL,
            enforce_ssl=True,
            versioned=True,
            object_lock_enabled=lock is not None,
            object_lock_default_retention=_retention(lock) if lock else None,
            removal_policy=RemovalPolicy.RETAIN_ON_UPDATE_OR_DELETE if lock else self._deployment.removal_policy,
        )
        acknowledge(
            bucket, {"AwsSolutions-S1": "One function alone writes it, and every object in it is proof of itself."}
        )
        return bucket

    def _queue(self, name: str, *, dead_letters: sqs.Queue | None = None) -> sqs.Queue:
        return sqs.Queue(
            self,
            name,
            encryption=sqs.QueueEncryption.KMS,
            encryption_master_key=self.key,
            enforce_ssl=True,
            visibility_timeout=_HIDDEN_FOR,
            retention_period=_KEPT_FOR,
            dead_letter_queue=sqs.DeadLetterQueue(queue=dead_letters, max_receive_count=_MAX_RECEIVES)
            if dead_letters
            else None,
            removal_policy=RemovalPolicy.DESTROY,
        )

    def _pepper(self) -> secretsmanager.Secret:
        # A deleted secret keeps its name for days; the stack's own id in it lets a deleted deployment be made again.
        stack_id = Fn.select(2, Fn.split("/", ScopedAws(self).stack_id))
        pepper = secretsmanager.Secret(
            self,
            "Pepper",
            secret_name=f"{self.pepper_prefix}{stack_id}",
            description="The pepper of API keys: without it no key is valid any more",
            encryption_key=self.key,
            generate_secret_string=secretsmanager.SecretStringGenerator(password_length=64, exclude_punctuation=True),
            removal_policy=self._deployment.removal_policy,
        )
        acknowledge(
            pepper, {"AwsSolutions-SMG4": "Every API key is hashed with it, so rotating it would revoke them all."}
        )
        return pepper


def _string(name: str) -> dynamodb.Attribute:
    return dynamodb.Attribute(name=name, type=dynamodb.AttributeType.STRING)


def _projection(index: str) -> dict[str, Any]:
    if index == "by_subject":
        return {"projection_type": dynamodb.ProjectionType.KEYS_ONLY}
    held = list(_COUNTED if index == "by_end" else _LISTED)
    return {"projection_type": dynamodb.ProjectionType.INCLUDE, "non_key_attributes": held}


def _retention(lock: AuditLock) -> s3.ObjectLockRetention:
    duration = Duration.days(lock.days)
    return s3.ObjectLockRetention.compliance(duration) if lock.strict else s3.ObjectLockRetention.governance(duration)
