"""What is kept, and how it is protected."""

import json

import pytest
from llm_gateway.settings import Settings

from tests.adapters.aws import definition_of
from tests.infra.deployments import UNUSUAL, deployed, few

TABLES = {
    "Keys": ["key_id"],
    "Providers": ["collection", "provider_id"],
    "Queries": ["query_id"],
    "Limits": ["scope"],
    "Cache": ["cache_key"],
    "Audit": ["month", "place"],
    "Usage": ["period", "place"],
    "Prompts": ["collection", "place"],
    "Evals": ["collection", "place"],
    "Seals": ["key_id", "data_key_id"],
}
STATEFUL = ("AWS::DynamoDB::Table", "AWS::S3::Bucket", "AWS::KMS::Key", "AWS::SecretsManager::Secret")


def bucket_of(deployment, name):
    buckets = deployment.data.of_type("AWS::S3::Bucket")
    return next(bucket["Properties"] for id_, bucket in buckets.items() if id_[:-8] == name)


def tables(stage):
    found = deployed(stage=stage).data.of_type("AWS::DynamoDB::Table")
    return {id_[:-8]: table for id_, table in found.items()}


def test_every_table_has_its_keys_and_expires_items():
    found = {name: table["Properties"] for name, table in tables("dev").items()}
    assert {name: [key["AttributeName"] for key in table["KeySchema"]] for name, table in found.items()} == TABLES
    for table in found.values():
        assert table["BillingMode"] == "PAY_PER_REQUEST"
        assert table["TimeToLiveSpecification"] == {"AttributeName": "expires_at", "Enabled": True}


def test_keys_are_listed_by_an_index_that_holds_no_hashes():
    (index,) = tables("dev")["Keys"]["Properties"]["GlobalSecondaryIndexes"]
    assert index["IndexName"] == "by_collection"
    assert [key["AttributeName"] for key in index["KeySchema"]] == ["collection", "key_id"]
    assert index["Projection"] == {"ProjectionType": "KEYS_ONLY"}


def test_queries_are_listed_and_counted_by_indexes_that_hold_no_content():
    indexes = {index["IndexName"]: index for index in tables("dev")["Queries"]["Properties"]["GlobalSecondaryIndexes"]}
    keys = {name: [key["AttributeName"] for key in index["KeySchema"]] for name, index in indexes.items()}
    assert keys == {
        "by_owner": ["listed_by", "query_id"],
        "by_day": ["listed_on", "query_id"],
        "by_end": ["ended_in", "query_id"],
        "by_subject": ["subject_in", "query_id"],
    }
    content = {"request", "request_key", "answer", "answer_key", "cache_keys", "idempotency_scope"}
    for index in indexes.values():
        assert not content & set(index["Projection"].get("NonKeyAttributes", []))


def test_the_tables_of_the_tests_have_the_same_indexes():
    """Otherwise a store that reads what an index does not hold would pass every test."""
    for name in ("Keys", "Queries"):
        deployed_indexes = tables("dev")[name]["Properties"]["GlobalSecondaryIndexes"]
        made = definition_of(name.lower(), "any")["GlobalSecondaryIndexes"]
        assert [shape_of(index) for index in deployed_indexes] == [shape_of(index) for index in made]


def shape_of(index):
    held = index["Projection"].get("NonKeyAttributes", [])
    return index["IndexName"], [key["AttributeName"] for key in index["KeySchema"]], sorted(held)


@pytest.mark.parametrize("stage", ["dev", "prod"])
@pytest.mark.holds("API8", "STRIDE-I")
def test_everything_is_encrypted_under_the_stacks_own_key(stage):
    data = deployed(stage=stage).data
    (key_id, key), *others = data.of_type("AWS::KMS::Key").items()
    assert not others
    assert key["Properties"]["EnableKeyRotation"] is True
    arn, ref = {"Fn::GetAtt": [key_id, "Arn"]}, {"Ref": key_id}
    for table in data.properties("AWS::DynamoDB::Table"):
        assert table["SSESpecification"] == {"KMSMasterKeyId": arn, "SSEEnabled": True, "SSEType": "KMS"}
    for queue in data.properties("AWS::SQS::Queue"):
        assert queue["KmsMasterKeyId"] == arn
    (secret,) = data.properties("AWS::SecretsManager::Secret")
    assert secret["KmsKeyId"] in (arn, ref)
    for bucket in data.properties("AWS::S3::Bucket"):
        (rule,) = bucket["BucketEncryption"]["ServerSideEncryptionConfiguration"]
        assert rule["ServerSideEncryptionByDefault"] == {"KMSMasterKeyID": arn, "SSEAlgorithm": "aws:kms"}


def test_the_key_does_for_alarms_and_budgets_what_an_encrypted_notice_needs():
    (key,) = deployed().data.properties("AWS::KMS::Key")
    conditions = {
        # CloudWatch works for everybody.
        "cloudwatch": {"StringEquals": {"aws:SourceAccount": {"Ref": "AWS::AccountId"}}},
        # AWS knows no condition for what EventBridge hands to a topic.
        "events": None,
    }
    for notifier, condition in conditions.items():
        principal = {"Service": f"{notifier}.amazonaws.com"}
        (granted,) = (given for given in key["KeyPolicy"]["Statement"] if given["Principal"] == principal)
        assert granted["Action"] == ["kms:Decrypt", "kms:GenerateDataKey*"]
        assert granted.get("Condition") == condition


def test_bodies_are_private_and_live_as_long_as_queries():
    bucket = bucket_of(deployed(**UNUSUAL), "Bodies")
    assert set(bucket["PublicAccessBlockConfiguration"].values()) == {True}
    rules = bucket["LifecycleConfiguration"]["Rules"]
    assert {rule["Prefix"]: (rule["ExpirationInDays"], rule["Status"]) for rule in rules} == {
        "queries/": (7, "Enabled"),
        "cache/": (7, "Enabled"),
        # Of keys that have their queries kept for less.
        **{f"queries-{days}d/": (days, "Enabled") for days in (1, 2, 3, 5)},
    }
    # An older version of an erased body would still be there.
    assert "VersioningConfiguration" not in bucket


def locked(deployment):
    """How long the audit archive keeps what is put there, and in which mode; None: as long as nobody deletes it."""
    bucket = bucket_of(deployment, "AuditArchive")
    assert bucket["VersioningConfiguration"] == {"Status": "Enabled"}
    assert "LifecycleConfiguration" not in bucket
    rule = bucket.get("ObjectLockConfiguration", {}).get("Rule", {}).get("DefaultRetention")
    assert (rule is not None) == bucket.get("ObjectLockEnabled", False)
    return rule and (rule["Mode"], rule["Days"])


def test_anchors_are_locked_in_production_or_where_that_is_wanted():
    assert locked(deployed()) is None
    assert locked(deployed(stage="prod")) == ("GOVERNANCE", 365)
    assert locked(few(stage="prod", auditLock="off")) is None
    assert locked(deployed(**UNUSUAL)) == ("COMPLIANCE", 30)


@pytest.mark.parametrize("type_", ["AWS::S3::BucketPolicy", "AWS::SQS::QueuePolicy"])
@pytest.mark.holds("API8", "STRIDE-T")
def test_plain_http_is_refused(type_):
    policies = deployed().data.properties(type_)
    assert policies
    for policy in policies:
        (statement,) = policy["PolicyDocument"]["Statement"]
        assert statement["Effect"] == "Deny"
        assert statement["Condition"] == {"Bool": {"aws:SecureTransport": "false"}}


def test_production_outlives_its_stack():
    data = deployed(stage="prod").data
    for type_ in STATEFUL:
        for resource in data.of_type(type_).values():
            assert (resource["DeletionPolicy"], resource["UpdateReplacePolicy"]) == ("RetainExceptOnCreate", "Retain")
    for table in data.properties("AWS::DynamoDB::Table"):
        assert table["DeletionProtectionEnabled"] is True


def test_a_backup_keeps_nothing_that_can_be_erased():
    """Continuous backups hold every state of the last 35 days."""
    backed_up = {
        name
        for name, table in tables("prod").items()
        if table["Properties"]["PointInTimeRecoverySpecification"]["PointInTimeRecoveryEnabled"]
    }
    assert backed_up == {"Keys", "Providers", "Prompts", "Audit"}
    for table in tables("dev").values():
        assert table["Properties"]["PointInTimeRecoverySpecification"] == {"PointInTimeRecoveryEnabled": False}


@pytest.mark.parametrize("stage", ["dev", "staging"])
def test_elsewhere_nothing_stays_behind(stage):
    data = deployed(stage=stage).data
    for type_ in STATEFUL:
        assert {resource["DeletionPolicy"] for resource in data.of_type(type_).values()} == {"Delete"}
    assert not any(table["DeletionProtectionEnabled"] for table in data.properties("AWS::DynamoDB::Table"))


def test_a_plain_process_learns_what_it_needs_from_the_outputs():
    class Asked(dict):
        """An environment that notes what is asked of it."""

        def get(self, name, default=None):
            self[name] = default
            return default

    asked = Asked()
    Settings.from_environment(asked)
    # Where a layer is mounted, and where a model of one's own is, is not among the data.
    del asked["TIKTOKEN_CACHE_DIR"], asked["LOCAL_MODEL_URL"]
    outputs = {name for name in deployed().data.body["Outputs"] if not name.startswith("Exports")}
    assert {_output(name) for name, default in asked.items() if default == ""} <= outputs
    assert outputs <= {_output(name) for name in asked}


def test_every_variable_reaches_a_function():
    told = {name for row in deployed().functions().values() for name in row.get("Environment", {}).get("Variables", {})}
    outputs = {name for name in deployed().data.body["Outputs"] if not name.startswith("Exports")}
    # The queue of dead letters feeds its worker; a plain process looks for them by itself.
    assert outputs - {_output(name) for name in told} == {"DeadLettersUrl"}


def _output(name):
    return name.title().replace("_", "")


@pytest.mark.parametrize("settings", [{}, {"stage": "prod", "localModel": "fargate"}], ids=["dev", "prod"])
@pytest.mark.holds("STRIDE-I")
def test_every_log_is_encrypted_under_the_stacks_key_which_lets_cloudwatch_use_it_for_this_accounts_logs(settings):
    deployment = deployed(**settings)
    groups = [group for stack in deployment for group in stack.properties("AWS::Logs::LogGroup")]
    assert len(groups) > 40
    for group in groups:
        assert "Key" in json.dumps(group["KmsKeyId"])
    (key,) = deployment.data.of_type("AWS::KMS::Key").values()
    [statement] = [each for each in key["Properties"]["KeyPolicy"]["Statement"] if each.get("Sid") == "Logs"]
    assert statement["Principal"] == {
        "Service": {"Fn::Join": ["", ["logs.", {"Ref": "AWS::Region"}, ".amazonaws.com"]]}
    }
    [(name, groups_of_the_account)] = statement["Condition"]["ArnLike"].items()
    assert name == "kms:EncryptionContext:aws:logs:arn"
    assert json.dumps(groups_of_the_account).endswith(':log-group:*"]]}')
