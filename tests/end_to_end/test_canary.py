"""A canary on the emulator, from its first query to the weight that it loses by itself."""

from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from llm_gateway.domain.keys import Role

from tests.adapters.gateway_processes import WorkerProcess, environment_of
from tests.adapters.upstream import Answer
from tests.adapters.upstream_wires import Said
from tests.end_to_end.calling import Client, eventually
from tests.end_to_end.stack import Scripted, Stack

SCHEMA = {"type": "object", "properties": {"answer": {"type": "string"}}, "required": ["answer"]}
QUERIES = 60


@pytest.fixture
def clockwork(stack: Stack, tmp_path: Path) -> Iterator[Callable[[], None]]:
    """Starts a process whose schedules run at once, and then every minute."""
    process = WorkerProcess(environment=environment_of(stack.settings, endpoint=stack.endpoint), log=tmp_path / "log")
    yield process.start
    process.kill()


@pytest.fixture
def editor(stack: Stack, admin: Client) -> Client:
    return stack.client(admin.http, Role.PROMPT_EDITOR)


def version(model: str) -> dict[str, Any]:
    return {
        "id": "canary",
        "name": "Canary",
        "template": {"messages": [{"role": "user", "content": "Say something to {{ name }}."}],
                     "variables": {"name": {"type": "string"}}},
        "defaults": {"model": model},
        "output": {"type": "json_schema", "schema": SCHEMA},
    }  # fmt: skip


def asked(client: Client, number: int) -> int | None:
    """Which version answered; None where the answer was refused."""
    choice = {"id": "canary", "label": "production", "sticky_key": str(number), "variables": {"name": "Ada"}}
    response = client.send("POST", "/query", {"prompt": choice, "cache": "bypass", "fallback": []})
    if response.status_code == 200:
        used: int = response.json()["prompt"]["version"]
        return used
    assert response.json()["code"] == "response_validation_failed", response.text
    return None


def test_a_version_that_breaks_its_schema_is_rolled_back(
    client: Client, editor: Client, admin: Client, scripted: Callable[..., Scripted], clockwork: Callable[[], None]
) -> None:
    good = scripted(otherwise=Answer(said=Said(pieces=('{"answer": "Hello!"}',))))
    bad = scripted(otherwise=Answer(said=Said(pieces=("Hello!",))))
    assert editor.send("POST", "/prompts", version(f"{good.id}/small")).status_code == 201
    assert editor.send("PUT", "/prompts/canary", version(f"{bad.id}/small")).status_code == 200
    gate = {"max_validation_failure_rate": 0.02, "min_requests": 20}
    moved = editor.send("PUT", "/prompts/canary/labels/production", {"versions": {"1": 50, "2": 50}, "gate": gate})
    assert moved.status_code == 201, moved.text
    with ThreadPoolExecutor(max_workers=6) as pool:
        seen = Counter(pool.map(lambda number: asked(client, number), range(QUERIES)))
    assert seen[1] >= 20
    assert seen[None] >= 20
    rows = {row["version"]: row for row in editor.send("GET", "/prompts/canary/performance").json()["items"]}
    assert (rows[1]["requests"], rows[1]["errors"]) == (seen[1], 0)
    assert rows[2]["requests"] == rows[2]["validation_failures"] == seen[None]

    clockwork()
    assert eventually(lambda: rolled_back(editor), within_s=60)
    label = production(editor)
    assert set(label["versions"]) == {"1"}
    assert label["rolled_back"]["version"] == 2
    assert "above max_validation_failure_rate 0.02" in label["rolled_back"]["reason"]
    assert label["history"][0]["by"] == "gateway"
    [entry] = admin.send("GET", "/audit?action=label.rolled_back").json()["items"]
    assert (entry["actor"]["address"], entry["target"]) == ("gateway", "canary/labels/production")
    # A change holds everywhere within five seconds.
    assert eventually(lambda: {asked(client, number) for number in range(8)} == {1}, within_s=20)


def production(editor: Client) -> dict[str, Any]:
    label: dict[str, Any] = editor.send("GET", "/prompts/canary").json()["labels"]["production"]
    return label


def rolled_back(editor: Client) -> bool:
    return production(editor)["rolled_back"] is not None
