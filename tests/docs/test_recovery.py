"""docs/recovery.md: its commands are run as they stand there, in their order, against an emulator's deployment."""

import json
import sys
from pathlib import Path

import pytest
from llm_gateway.services.backups import KEYS

from local_aws import stack
from local_aws.aws import LocalAws
from tests.docs.pages import blocks, client, page, run_with_aws, with_a_shell
from workshop.places import ROOT

NAME = "llm-gateway-prod-data"
KEY = {"key_id": {"S": "key_1"}, "hash": {"B": b"0"}}
PROVIDER = {"collection": {"S": "providers"}, "provider_id": {"S": "mine"}}


@pytest.fixture
def outputs(aws: LocalAws) -> dict[str, str]:
    return stack.deploy(
        aws, NAME, json.loads((ROOT / "tests" / "infra" / "released" / "data.template.json").read_text())
    )


@pytest.fixture
def clone(tmp_path: Path) -> Path:
    """A folder that looks like a clone after any verb of make."""
    (tmp_path / "layers").symlink_to(ROOT / "layers")
    (tmp_path / ".venv").symlink_to(sys.prefix)
    return tmp_path


@with_a_shell
def test_its_commands_run_in_their_order(aws: LocalAws, outputs: dict[str, str], clone: Path) -> None:
    dynamodb, secrets = client(aws, "dynamodb"), client(aws, "secretsmanager")
    keep, pepper, put_back, one_table = blocks(page("recovery"), "bash")
    preparing = keep.splitlines()[0] + "\n"
    keys, providers = outputs["KeysTable"], outputs["ProvidersTable"]
    dynamodb.put_item(TableName=keys, Item=KEY)

    exported, checked = map(json.loads, run_with_aws(keep, aws=aws, folder=clone))
    assert exported == checked
    assert exported["items"] == {"keys": 1, "providers": 0, "prompts": 0}
    (kept,) = run_with_aws(pepper, aws=aws, folder=clone)

    # All is lost, and another deployment has another pepper.
    dynamodb.delete_item(TableName=keys, Key={"key_id": KEY["key_id"]})
    secrets.put_secret_value(SecretId=outputs["PepperSecretId"], SecretString="another")
    *_, imported = run_with_aws(preparing + put_back, aws=aws, folder=clone, PEPPER=kept)
    assert json.loads(imported)["imported"] == exported["items"]
    assert dynamodb.get_item(TableName=keys, Key={"key_id": KEY["key_id"]})["Item"] == KEY
    assert secrets.get_secret_value(SecretId=outputs["PepperSecretId"])["SecretString"] == kept

    # The emulator restores a table to what it is now, so what is lost is lost while the page's commands run.
    dynamodb.put_item(TableName=providers, Item=PROVIDER)
    restored, rest = one_table.split("python -m", 1)
    run_with_aws(preparing + restored, aws=aws, folder=clone)
    dynamodb.delete_item(TableName=providers, Key=PROVIDER)
    said = run_with_aws(f"{preparing}python -m{rest}", aws=aws, folder=clone)
    assert json.loads(said[1])["imported"] == {"keys": 0, "providers": 1, "prompts": 0}
    assert dynamodb.get_item(TableName=providers, Key=PROVIDER)["Item"] == PROVIDER
    assert "before" not in dynamodb.list_tables()["TableNames"]


def test_it_tells_of_every_table() -> None:
    text = page("recovery")
    assert all(name in text for name in KEYS)
    assert "backup.imported" in text
