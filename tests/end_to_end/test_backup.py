"""A deployment's keys, providers and prompts are exported, everything is destroyed, and another deployment has them again."""

import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx2
import pytest
from llm_gateway.domain.keys import Role

from tests.adapters.gateway_processes import REPOSITORY, environment_of, running_gateway
from tests.adapters.upstream import ScriptedUpstream
from tests.end_to_end.calling import Client, question
from tests.end_to_end.stack import Stack, deployed, register

CREDENTIAL = "sk-of-the-upstream-1f3a"
PROMPT: dict[str, Any] = {
    "id": "greeting",
    "name": "Greeting",
    "template": {
        "messages": [{"role": "user", "content": "Greet {{ name }}."}],
        "variables": {"name": {"type": "string"}},
    },
}


@pytest.fixture
def upstream() -> Iterator[ScriptedUpstream]:
    with ScriptedUpstream() as upstream:
        yield upstream


def backup(of: Stack, *arguments: str | Path) -> "subprocess.CompletedProcess[str]":
    environment = environment_of(of.settings, endpoint=of.endpoint)
    command = [sys.executable, "-m", "llm_gateway.entrypoints.backup", *map(str, arguments)]
    return subprocess.run(command, cwd=REPOSITORY, env=environment, capture_output=True, text=True, check=False)


def shown(client: Client) -> dict[str, Any]:
    """What the API shows of what a backup has, but for when a key was last used."""
    found: dict[str, Any] = {}
    for path in ("/keys", "/providers", "/prompts", "/prompts/greeting/versions"):
        response = client.send("GET", path)
        assert response.status_code == 200, response.text
        found[path] = [{**item, "last_used_at": None} for item in response.json()["items"]]
    return found


def in_http(of: Stack, log: Path, do: Callable[[httpx2.Client], dict[str, Any]]) -> dict[str, Any]:
    environment = environment_of(of.settings, endpoint=of.endpoint)
    with running_gateway(environment, log=log) as base_url, httpx2.Client(base_url=base_url, trust_env=False) as http:
        return do(http)


def destroy(lost: Stack) -> str:
    """Everything but the pepper, which it returns: that is kept elsewhere, or no key is of any use again."""
    settings, aws = lost.settings, lost.aws
    pepper = aws.secrets_manager.get_secret_value(SecretId=settings.pepper_secret_id)["SecretString"]
    for table in (*lost.tables, settings.prompts_table, settings.audit_table):
        aws.dynamodb.delete_table(TableName=table)
    for secret in aws.secrets_manager.list_secrets()["SecretList"]:
        if secret["Name"].startswith(("lost/", settings.credentials_prefix)):
            aws.secrets_manager.delete_secret(SecretId=secret["Name"], ForceDeleteWithoutRecovery=True)
    return pepper


def test_what_was_exported_works_again_elsewhere(stack: Stack, tmp_path: Path, upstream: ScriptedUpstream) -> None:
    lost = deployed(stack.aws, endpoint=stack.endpoint, name="lost")
    file, log = tmp_path / "backup.jsonl", tmp_path / "gateway.log"

    def used(http: httpx2.Client) -> dict[str, Any]:
        admin = lost.client(http, Role.ADMIN)
        caller = lost.client(http)
        provider = register(admin, upstream, id="mine", credentials={"api_key": CREDENTIAL})
        assert admin.send("POST", "/prompts", PROMPT).status_code == 201
        changed = PROMPT | {"template": {"messages": [{"role": "user", "content": "Hello."}]}}
        assert admin.send("PUT", "/prompts/greeting", changed).status_code == 200
        assert caller.ask(question(provider=provider.id))["output"]["text"] == "Hello there."
        return {"admin": admin.key, "caller": caller.key, "shown": shown(admin)}

    before = in_http(lost, log, used)
    exported = backup(lost, "export", file)
    assert exported.returncode == 0, exported.stderr
    assert file.stat().st_mode & 0o777 == 0o600
    items = json.loads(exported.stdout)["items"]
    # The keys, and the note of which of them may do everything.
    assert (items["keys"], items["providers"]) == (3, 1)
    # Nothing in it lets anybody in.
    written = file.read_text()
    assert not any(
        secret in written for secret in (CREDENTIAL, before["admin"], before["caller"], "a pepper for tests")
    )

    pepper = destroy(lost)
    found = deployed(stack.aws, endpoint=stack.endpoint, name="found")
    found.aws.secrets_manager.put_secret_value(SecretId=found.settings.pepper_secret_id, SecretString=pepper)
    imported = backup(found, "import", file)
    assert imported.returncode == 0, imported.stderr
    assert json.loads(imported.stdout) == {"imported": items, "already_there": dict.fromkeys(items, 0)}

    def used_again(http: httpx2.Client) -> dict[str, Any]:
        admin, caller = Client(http, before["admin"]), Client(http, before["caller"])
        seen = shown(admin)
        (entry,) = admin.send("GET", "/audit?action=backup.imported").json()["items"]
        assert entry["after"]["items"] == items
        # A provider's credential is in no backup: it has to be given again, and then all is as it was.
        caller.send("POST", "/query", question("Without?", provider="mine"))
        assert CREDENTIAL not in upstream.requests[-1].headers.get("authorization", "")
        current = admin.send("GET", "/providers/mine").json()
        given = admin.send("PUT", "/providers/mine", {**current, "credentials": {"api_key": CREDENTIAL}})
        assert given.status_code == 200, given.text
        assert caller.ask(question(provider="mine"))["output"]["text"] == "Hello there."
        return seen

    assert in_http(found, log, used_again) == before["shown"]
    assert upstream.requests[-1].headers["authorization"] == f"Bearer {CREDENTIAL}"
    again = backup(found, "import", file)
    assert json.loads(again.stdout)["imported"] == dict.fromkeys(items, 0)


def test_a_backup_is_not_written_over_and_a_broken_one_not_put_back(stack: Stack, tmp_path: Path) -> None:
    file = tmp_path / "backup.jsonl"
    assert backup(stack, "export", file).returncode == 0
    whole = file.read_text()
    refused = backup(stack, "export", file)
    assert (refused.returncode, refused.stderr) == (1, f"{file}: File exists\n")
    assert file.read_text() == whole
    file.write_text(whole[: whole.rindex('{"end"')])
    broken = backup(stack, "import", file)
    assert (broken.returncode, broken.stdout) == (1, "")
    assert "the file was cut short\nNothing was written." in broken.stderr
