"""What each function may do and knows: exactly what its row of the table says."""

import json

import pytest
from llm_gateway.access import Resource
from llm_gateway.endpoints import ENDPOINTS, ROWS, SCHEDULES, WORKERS

from infra.grants import _ACTIONS, _VARIABLES
from tests.infra.deployments import STACKS, deployed

READ_ITEMS = "dynamodb:GetItem"
LIST_ITEMS = ["dynamodb:GetItem", "dynamodb:Query"]
WRITE_ITEMS = ["dynamodb:PutItem", "dynamodb:UpdateItem", "dynamodb:DeleteItem"]
READ_AND_WRITE_ITEMS = [READ_ITEMS, *WRITE_ITEMS]
READ_AND_CHANGE_ITEMS = [READ_ITEMS, "dynamodb:UpdateItem"]
HOLD_PLACES = [READ_ITEMS, "dynamodb:UpdateItem", "dynamodb:DeleteItem"]
ADD_ITEMS = "dynamodb:PutItem"
USE_KEY = ["Decrypt", "DescribeKey", "Encrypt", "GenerateDataKey", "ReEncryptFrom", "ReEncryptTo"]
WRITE_LOG = ["logs:CreateLogStream", "logs:PutLogEvents"]
READ_SECRET = "secretsmanager:GetSecretValue"
WRITE_SECRET = ["secretsmanager:CreateSecret", "secretsmanager:PutSecretValue", "secretsmanager:DeleteSecret"]
ENTER = ["dynamodb:GetItem", "dynamodb:PutItem"]
COUNT = ["dynamodb:BatchGetItem", "dynamodb:UpdateItem"]
ROLL_UP = ["dynamodb:Query", "dynamodb:PutItem", "dynamodb:BatchWriteItem"]
ADD_RUNS = ["dynamodb:PutItem", "dynamodb:UpdateItem"]
EDIT_PROMPTS = ["dynamodb:PutItem", "dynamodb:DeleteItem", "dynamodb:ConditionCheckItem"]
CONSUME = ["sqs:ReceiveMessage", "sqs:DeleteMessage", "sqs:ChangeMessageVisibility", "sqs:GetQueueAttributes"]
EVERYWHERE = {"Log": WRITE_LOG, "Key": [f"kms:{action}" for action in USE_KEY]}
AUTHENTICATED = {
    **EVERYWHERE,
    "Authentication": READ_ITEMS,
    "Notes": "dynamodb:UpdateItem",
    "Pepper": READ_SECRET,
}
READ_KEYS = [*LIST_ITEMS, "dynamodb:BatchGetItem"]
ASKING = {
    "Providers": LIST_ITEMS,
    "Credentials": READ_SECRET,
    "Queries": READ_AND_WRITE_ITEMS,
    "Limits": ["dynamodb:BatchGetItem", "dynamodb:UpdateItem"],
    "Cache": HOLD_PLACES,
    "Bodies": ["s3:GetObject", "s3:PutObject", "s3:DeleteObject"],
    "BodiesMissing": "s3:ListBucket",
    "Seals": [*LIST_ITEMS, ADD_ITEMS],
    "Sealing": ["kms:Decrypt", "kms:GenerateDataKey"],
    "Events": "events:PutEvents",
}
NAMES = {
    **{resource: {f"{resource.upper()}_TABLE"} for resource in ("keys", "providers", "queries", "limits", "cache")},
    "query_state": {"QUERIES_TABLE"},
    "query_index": {"QUERIES_TABLE"},
    "usage": {"USAGE_TABLE", "USAGE_RETENTION_DAYS"},
    "prompts": {"PROMPTS_TABLE"},
    "evals": {"EVALS_TABLE", "USAGE_RETENTION_DAYS"},
    "audit": {"AUDIT_TABLE", "AUDIT_RETENTION_DAYS"},
    "audit_archive": {"AUDIT_BUCKET"},
    "bodies": {"BODIES_BUCKET"},
    "credentials": {"CREDENTIALS_PREFIX", "KMS_KEY_ID"},
    "queue": {"QUEUE_URL", "HIGH_QUEUE_URL"},
    "shredded": {"SEALS_TABLE"},
    "seals": {"SEALS_TABLE", "KMS_KEY_ID"},
    "events": {"EVENT_BUS"},
}
TUNING = {
    *("RETENTION_DAYS", "CACHE_TTL_S", "LEASE_S", "KEEP_ALIVE_S", "ALLOW_PRIVATE_ADDRESSES", "TIKTOKEN_CACHE_DIR"),
    *("BEDROCK", "SEAL"),
    *("AWS_LAMBDA_EXEC_WRAPPER", "AWS_LWA_INVOKE_MODE", "AWS_LWA_READINESS_CHECK_PROTOCOL", "PORT"),
}
PUBLIC = [row.name for row in ENDPOINTS if row.permission is None]
BACKSTAGE = (*WORKERS, *SCHEDULES)


def granted(row, **settings):
    return deployed(**settings).having(row).statements(row)


def actions(row):
    return {sid: statement["Action"] for sid, statement in granted(row).items()}


def knows(row):
    return set(deployed().functions()[row].get("Environment", {}).get("Variables", {}))


def test_every_resource_can_be_granted_and_named():
    """Otherwise the first row that touches it would stop every synthesis."""
    assert _ACTIONS.keys() == _VARIABLES.keys() == set(Resource)


@pytest.mark.parametrize("row", PUBLIC)
def test_public_functions_may_nothing_but_log(row):
    assert actions(row) == {"Log": WRITE_LOG}
    assert knows(row) == set()


@pytest.mark.parametrize(
    ("row", "expected"),
    [
        ("list_providers", {**AUTHENTICATED, "Providers": LIST_ITEMS}),
        ("list_keys", {**AUTHENTICATED, "Keys": READ_KEYS, "Limits": "dynamodb:BatchGetItem"}),
        ("update_key", {**AUTHENTICATED, "Keys": [*READ_KEYS, ADD_ITEMS], "Limits": "dynamodb:BatchGetItem"}),
        (
            "create_provider",
            {
                **AUTHENTICATED,
                "Providers": ADD_ITEMS,
                "Credentials": WRITE_SECRET,
                "Audit": ENTER,
                "Cache": HOLD_PLACES,
            },
        ),
        ("update_provider", {**AUTHENTICATED, "Providers": [*LIST_ITEMS, ADD_ITEMS]}),
        ("delete_provider", {**AUTHENTICATED, "Providers": [*LIST_ITEMS, "dynamodb:DeleteItem"]}),
        ("cancel_query", {**AUTHENTICATED, "QueryState": READ_AND_CHANGE_ITEMS, "Limits": COUNT}),
        (
            "bury_query",
            {**EVERYWHERE, "QueryState": READ_AND_CHANGE_ITEMS, "Limits": COUNT, "Queue": "sqs:SendMessage"},
        ),
        ("list_audit", {**AUTHENTICATED, "Audit": LIST_ITEMS}),
        ("append_denials", {**EVERYWHERE, "Audit": ENTER, "Limits": COUNT}),
        ("keep_audit", {**EVERYWHERE, "Audit": LIST_ITEMS, "AuditArchive": "s3:PutObject"}),
        ("list_queries", {**AUTHENTICATED, "QueryIndex": "dynamodb:Query"}),
        ("get_usage", {**AUTHENTICATED, "QueryIndex": "dynamodb:Query", "Usage": "dynamodb:Query"}),
        ("roll_up_usage", {**EVERYWHERE, "QueryIndex": "dynamodb:Query", "Usage": ROLL_UP}),
        ("get_prompt", {**AUTHENTICATED, "Prompts": LIST_ITEMS}),
        ("move_label", {**AUTHENTICATED, "Prompts": [*LIST_ITEMS, *EDIT_PROMPTS], "Audit": ENTER}),
        ("run_prompt_tests", {**AUTHENTICATED, **ASKING, "Prompts": LIST_ITEMS, "Evals": [*LIST_ITEMS, *ADD_RUNS]}),
        ("get_prompt_test", {**AUTHENTICATED, "Prompts": LIST_ITEMS, "Evals": LIST_ITEMS, "Queries": None}),
        ("create_chat_completion", {**AUTHENTICATED, **ASKING, "Prompts": LIST_ITEMS}),
        ("create_response", {**AUTHENTICATED, **ASKING, "Prompts": LIST_ITEMS}),
        ("create_embeddings", {**AUTHENTICATED, **ASKING, "Prompts": None}),
        ("list_models", {**AUTHENTICATED, "Providers": LIST_ITEMS, "Prompts": LIST_ITEMS, "Credentials": None}),
        ("give_feedback", {**AUTHENTICATED, "QueryState": READ_AND_CHANGE_ITEMS, "Evals": ADD_RUNS}),
        (
            "judge_canaries",
            {
                **EVERYWHERE,
                "Prompts": [*LIST_ITEMS, *EDIT_PROMPTS],
                "Evals": LIST_ITEMS,
                "QueryIndex": "dynamodb:Query",
                "Usage": "dynamodb:Query",
                "Audit": ENTER,
                "Events": "events:PutEvents",
            },
        ),
        ("get_query_status", {**AUTHENTICATED, "Queries": READ_ITEMS, "Seals": None, "Sealing": None}),
        (
            "get_query_result",
            {
                **AUTHENTICATED,
                "Queries": READ_ITEMS,
                "Bodies": "s3:GetObject",
                "BodiesMissing": "s3:ListBucket",
                "Seals": READ_ITEMS,
                "Sealing": "kms:Decrypt",
            },
        ),
        ("run_query", {**AUTHENTICATED, **ASKING}),
        ("plan_query", {**AUTHENTICATED, "Providers": LIST_ITEMS, "Queries": None, "Credentials": None, "Queue": None}),
        (
            "process_query",
            {
                **EVERYWHERE,
                **ASKING,
                "Keys": READ_KEYS,
                "Consumption": CONSUME,
                "QueryIndex": "dynamodb:Query",
                "Shredded": ["dynamodb:Query", "dynamodb:DeleteItem"],
            },
        ),
        (
            "create_erasure",
            {
                **AUTHENTICATED,
                "Keys": READ_KEYS,
                "Evals": [*LIST_ITEMS, *ADD_RUNS],
                "Audit": ENTER,
                "Seals": ["dynamodb:Query", "dynamodb:PutItem"],
                "Sealing": "kms:GenerateDataKey",
            },
        ),
        ("get_erasure", {**AUTHENTICATED, "Evals": LIST_ITEMS, "Queries": None, "Bodies": None}),
    ],
)
@pytest.mark.holds("API8", "STRIDE-E")
def test_a_function_may_do_what_its_row_says(row, expected):
    may = actions(row)
    assert {sid: may.get(sid) for sid in expected} == expected


@pytest.mark.parametrize("row", STACKS)
def test_buckets_are_listed_and_objects_touched_by_statements_of_their_own(row):
    for sid, statement in granted(row).items():
        lists = "s3:ListBucket" in _list(statement["Action"])
        on_objects = "/*" in json.dumps(statement["Resource"])
        if lists or any(action.startswith("s3:") for action in _list(statement["Action"])):
            assert lists != on_objects, sid
            assert not lists or _list(statement["Action"]) == ["s3:ListBucket"]
        if sid == "AuditArchiveDays":
            assert statement["Condition"] == {"StringEquals": {"s3:prefix": ["entries/"]}}


@pytest.mark.holds("STRIDE-E")
def test_nothing_writes_keys_but_what_manages_them():
    writers = set()
    for row in ROWS:
        for statement in granted(row.name).values():
            writes = "dynamodb:PutItem" in json.dumps(statement["Action"])
            if writes and "Keys" in json.dumps(statement["Resource"]):
                writers.add(row.name)
    assert writers == {"create_key", "update_key", "revoke_key", "rotate_key"}


def test_the_door_writes_its_own_notes_and_nothing_else():
    statement = granted("get_provider")["Notes"]
    assert statement["Condition"] == {
        "ForAllValues:StringLike": {"dynamodb:LeadingKeys": ["nonce#*", "failed#*", "used#*", "denials#*", "waits#*"]}
    }
    assert "Limits" in json.dumps(statement["Resource"])
    assert "Limits" not in granted("get_provider")


@pytest.mark.parametrize("row", STACKS)
def test_every_action_is_named_and_every_resource_is_the_stacks_own(row):
    for statement in granted(row).values():
        assert "*" not in json.dumps(statement["Action"])
        for arn in _list(statement["Resource"]):
            assert arn != "*"
            assert _wildcard(arn) in (
                None,
                "bodies",
                "archive",
                "llm-gateway-dev/providers/",
                "llm-gateway-dev/pepper/",
            )


@pytest.mark.parametrize("row", ["list_queries", "get_usage", "roll_up_usage"])
def test_who_lists_or_counts_queries_reads_no_content(row):
    arns = granted(row)["QueryIndex"]["Resource"]
    assert [arn["Fn::Join"][1][1] for arn in arns] == [
        "/index/by_owner",
        "/index/by_day",
        "/index/by_end",
        "/index/by_subject",
    ]
    assert not {"Queries", "Bodies", "Cache"} & granted(row).keys()


def test_nothing_shreds_but_the_worker():
    assert {row.name for row in ROWS if Resource.SHREDDED in row.writes} == {"process_query"}
    for row in ROWS:
        deletes = [sid for sid, statement in granted(row.name).items() if "dynamodb:DeleteItem" in statement["Action"]]
        assert row.name == "process_query" or "Shredded" not in deletes


@pytest.mark.parametrize("row", STACKS)
def test_nothing_but_the_roll_up_writes_usage(row):
    writes = set(_list(granted(row).get("Usage", {"Action": []})["Action"])) - {"dynamodb:Query"}
    assert not writes or row == "roll_up_usage"


@pytest.mark.parametrize("row", STACKS)
@pytest.mark.holds("STRIDE-R", "STRIDE-T")
def test_no_function_changes_or_deletes_an_entry_of_the_audit_log_or_of_its_archive(row):
    for sid, statement in granted(row).items():
        may = set(_list(statement["Action"]))
        if "Audit" not in json.dumps(statement["Resource"]):
            continue
        table = {"dynamodb:GetItem", "dynamodb:Query", "dynamodb:PutItem"}
        assert may <= (table if sid == "Audit" else {"s3:ListBucket", "s3:PutObject"}), (row, sid)
        assert row == "keep_audit" or "s3:PutObject" not in may


@pytest.mark.parametrize("row", STACKS)
def test_the_key_is_used_only_through_the_services_that_encrypt(row):
    statement = granted(row).get("Key")
    if statement is None:
        assert row in PUBLIC
    else:
        services = statement["Condition"]["StringEquals"]["kms:ViaService"]
        region = {"Ref": "AWS::Region"}
        expected = [f"{name}." for name in ("dynamodb", "s3", "secretsmanager", "sqs")]
        assert services == [{"Fn::Join": ["", [name, region, ".amazonaws.com"]]} for name in expected]


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.name)
def test_a_function_knows_the_names_of_what_it_was_granted_and_no_others(row):
    granted = {name for resource in row.reads | row.writes for name in NAMES[resource]}
    if row in BACKSTAGE:
        assert knows(row.name) - TUNING == granted
    elif row.permission is None:
        assert knows(row.name) == set()
    else:
        assert knows(row.name) - TUNING == granted | {"KEYS_TABLE", "LIMITS_TABLE", "PEPPER_SECRET_ID"}


@pytest.mark.parametrize(
    ("row", "expected"),
    [
        ("stream_query", {"LEASE_S": "60", "KEEP_ALIVE_S": "12"}),
        ("resume_query_stream", {"LEASE_S": "60", "KEEP_ALIVE_S": "12"}),
        ("run_query", {"LEASE_S": "60"}),
        ("process_query", {"LEASE_S": "60"}),
        ("bury_query", {"LEASE_S": "60"}),
        ("list_providers", {}),
    ],
)
def test_who_holds_queries_knows_for_how_long_and_who_streams_how_long_to_be_silent(row, expected):
    variables = deployed().functions()[row]["Environment"]["Variables"]
    assert {name: variables[name] for name in ("LEASE_S", "KEEP_ALIVE_S") if name in variables} == expected


def test_tracing_is_granted_where_it_is_on():
    assert "Tracing" not in granted("get_health")
    assert granted("get_health", tracing="on")["Tracing"]["Action"] == [
        "xray:PutTraceSegments",
        "xray:PutTelemetryRecords",
    ]


def _list(value):
    return value if isinstance(value, list) else [value]


def _wildcard(arn):
    """What a wildcard stands behind, or None where there is none."""
    text = json.dumps(arn)
    if "*" not in text:
        return None
    if "Bodies" in text:
        return "bodies"
    if "AuditArchive" in text:
        return "archive"
    return text.split(":secret:")[1].split("*")[0]
