"""`llm-gateway apply`: a plan first, what it says is what is done, and a second time there is nothing to do."""

import json
import re
from pathlib import Path

import pytest

from tests.clients.command_line import CommandLine
from tests.clients.test_command_line import SUITE
from tests.entrypoints.serving import Serving

MANIFEST = """
providers:
  - id: other
    name: Other
    kind: openai_compatible
    base_url: ${OTHER_URL}
    default_model: m
    limits: {requests_per_minute: 100}
    models: [{name: large, aliases: [gpt]}]
    credentials: {api_key: "${OTHER_KEY}"}
prompts:
  - file: greeting.prompt.yaml
    labels: {production: newest, first: 1}
  - id: pirate
    kind: role
    name: Pirate
    template: {system: {text: "You talk like a pirate of ${SEA}."}}
keys:
  - name: Support
    role: caller
    limits: {requests_per_minute: 60}
    budget_usd: {amount: "25.00", period: month}
    expires_at: 2099-01-31T00:00:00Z
    tags: [support]
"""


@pytest.fixture
def file(cli: CommandLine) -> Path:
    (cli.folder / "greeting.prompt.yaml").write_text(SUITE)
    cli.environment |= {"OTHER_URL": "https://other.example.com/v1", "OTHER_KEY": "sk-vendors-own-secret-aaaa"}
    path = cli.folder / "gateway.yaml"
    path.write_text(MANIFEST)
    return path


def test_a_plan_comes_first(cli: CommandLine, file: Path) -> None:
    planned = cli("apply", file, "--dry-run")
    assert planned.out.splitlines() == [
        "+ provider other",
        "+ prompt greeting",
        "+ label production of greeting → newest",
        "+ label first of greeting → 1",
        "+ prompt pirate",
        "+ key Support",
    ]
    assert cli("providers", "show", "other").status == 4
    # Where nobody can be asked, nothing is done.
    assert cli("apply", file).status == 2
    assert cli("providers", "show", "other").status == 4


def test_what_is_planned_is_done_and_done_once(cli: CommandLine, file: Path) -> None:
    done = cli("apply", file, "--yes")
    assert done.status == 0, done.err
    assert done.out.splitlines()[-1].startswith("llmgw_")
    assert "sk-vendors" not in done.out + done.err
    again = cli("apply", file)
    assert (again.status, "All is as it should be." in again.err) == (0, True)
    assert {line[0] for line in again.out.splitlines()} == {"="}
    provider = json.loads(cli("providers", "show", "other", "--json").out)
    assert (provider["base_url"], provider["credentials"]["hint"]) == ("https://other.example.com/v1", "…aaaa")
    prompt = json.loads(cli("prompts", "show", "greeting", "--json").out)
    assert {name: label["version"] for name, label in prompt["labels"].items()} == {"production": 1, "first": 1}
    assert "of ${SEA}." in cli("prompts", "show", "pirate").out


def test_changes_are_named(cli: CommandLine, file: Path) -> None:
    cli("apply", file, "--yes")
    cli.environment["OTHER_KEY"] = "sk-vendors-own-secret-bbbb"
    (cli.folder / "greeting.prompt.yaml").write_text(SUITE.replace("Be kind.", "Be brief."))
    file.write_text(MANIFEST.replace(": 100}", ": 200}").replace("25.00", "30.00"))
    changes = json.loads(cli("apply", file, "--yes", "--json").out)["changes"]
    assert [(each["what"], each["members"]) for each in changes if each["sign"] == "~"] == [
        ("provider other", ["limits.requests_per_minute", "credentials"]),
        ("prompt greeting", ["template"]),
        ("label production of greeting → newest", []),
        ("key Support", ["budget_usd.amount"]),
    ]
    assert {each["sign"] for each in json.loads(cli("apply", file, "--json").out)["changes"]} == {"="}
    provider = json.loads(cli("providers", "show", "other", "--json").out)
    assert provider["limits"]["requests_per_minute"] == 200
    assert (provider["models"][0]["aliases"], provider["credentials"]["hint"]) == (["gpt"], "…bbbb")


def test_a_key_of_which_nothing_is_shown_is_written_each_time(cli: CommandLine, file: Path) -> None:
    cli.environment["OTHER_KEY"] = "short-key-1"
    cli("apply", file, "--yes")
    for key in ("short-key-2", "short-key-2", "sk-vendors-own-secret-bbbb"):
        cli.environment["OTHER_KEY"] = key
        [told] = [line for line in cli("apply", file, "--yes").out.splitlines() if line.startswith("~")]
        assert told == (
            "~ provider other: credentials (the stored key is too short to be told from another: it is written each time)"
        )
    assert json.loads(cli("providers", "show", "other", "--json").out)["credentials"]["hint"] == "…bbbb"
    assert {each["sign"] for each in json.loads(cli("apply", file, "--json").out)["changes"]} == {"="}
    cli.environment["OTHER_KEY"] = "short-key-3"
    cli("apply", file, "--yes")
    [change] = [
        each for each in json.loads(cli("apply", file, "--dry-run", "--json").out)["changes"] if each["sign"] == "~"
    ]
    assert (change["members"], "too short" in change["note"]) == (["credentials"], True)


def test_what_the_file_does_not_say_stays(cli: CommandLine, file: Path) -> None:
    cli("apply", file, "--yes")
    file.write_text("providers: [{id: other, priority: 3}]\n")
    assert cli("apply", file, "--yes").out == "~ provider other: priority\n"
    provider = json.loads(cli("providers", "show", "other", "--json").out)
    assert (provider["priority"], provider["name"], provider["credentials"]["configured"]) == (3, "Other", True)


def test_a_file_made_of_what_is_shown_changes_nothing(cli: CommandLine, file: Path) -> None:
    cli("apply", file, "--yes")
    shown = cli("providers", "show", "other").out
    assert ("…aaaa" in shown, "created_at" in shown, "null" in shown) == (True, False, False)
    file.write_text(shown)
    assert cli("apply", file).out == "= provider other\n"
    # Nor does one of all that the gateway says, read-only members and all.
    everything = {
        "providers": json.loads(cli("providers", "list", "--json").out),
        "keys": json.loads(cli("keys", "list", "--json").out),
    }
    file.write_text(json.dumps(everything))
    ended = cli("apply", file)
    assert (ended.status, {line[0] for line in ended.out.splitlines()}) == (0, {"="}), ended.out
    # It can be made anew from the same file, with its key.
    assert cli("providers", "remove", "other", "--yes").status == 0
    file.write_text(shown.replace("default_model: m", 'default_model: m\n  credentials: {api_key: "${OTHER_KEY}"}'))
    assert cli("apply", file, "--yes").status == 0
    assert cli("providers", "show", "other").out == shown


def test_what_the_file_does_not_name_goes_if_that_is_wanted(cli: CommandLine, file: Path) -> None:
    cli("apply", file, "--yes")
    file.write_text(MANIFEST + "  - {name: Second, role: caller}\n")
    cli("apply", file, "--yes")
    file.write_text("providers: [{id: local}]\nprompts: []\nkeys: [{name: Second}]\n")
    planned = cli("apply", file, "--prune", "--dry-run")
    assert re.sub(r"\(key_\w+\)", "(key)", planned.out).splitlines() == [
        "= provider local",
        "= key Second",
        "- prompt greeting",
        "- role pirate",
        "- provider other",
        "- key Support (key)",
    ]
    # It is neither done without a word of it, nor where nobody can be asked.
    assert "- " not in cli("apply", file).out
    refused = cli("apply", file, "--prune")
    assert (refused.status, "Change 0 and remove 4" in refused.err) == (2, True)
    assert cli("providers", "show", "other").status == 0
    assert cli("apply", file, "--prune", "--yes").status == 0
    assert cli("providers", "show", "other").status == 4
    assert cli("prompts", "show", "pirate").status == 4
    assert cli("prompts", "show", "summarizer").status == 0
    keys = json.loads(cli("keys", "list", "--json").out)
    # The key that asks stays.
    assert {key["name"] for key in keys if key["status"] == "active"} == {"Second", "admin"}
    assert cli("apply", file, "--prune").status == 0


def test_a_section_that_the_file_has_not_is_left_alone(cli: CommandLine, file: Path) -> None:
    cli("apply", file, "--yes")
    file.write_text("prompts: [{file: greeting.prompt.yaml}, {id: pirate, kind: role, name: Pirate}]\n")
    assert "- " not in cli("apply", file, "--prune", "--dry-run").out


def test_what_was_changed_meanwhile_is_not_removed(cli: CommandLine, file: Path, serving: Serving) -> None:
    from llm_gateway_client import GatewayClient, errors, manifests, pruning

    file.write_text("providers: []\n")
    with GatewayClient(cli.environment["GATEWAY_URL"], serving.key) as client:
        (removal,) = pruning.removals(manifests.read(file), client)
        stored = client.providers.get("local").model_dump(mode="json")
        client.providers.update("local", stored | {"priority": 7})
        with pytest.raises(errors.RevisionConflict):
            removal.carry_out()
        assert client.providers.get("local").priority == 7


def test_where_it_stops_is_told_and_no_secret_is_lost(cli: CommandLine, file: Path) -> None:
    file.write_text("keys: [{name: One, role: caller}, {name: Two, role: emperor}]\n")
    stopped = cli("apply", file, "--yes")
    assert stopped.status == 2
    assert stopped.out.splitlines()[-1].startswith("llmgw_")
    assert "Stopped at key Two" in stopped.err
    assert [key["name"] for key in json.loads(cli("keys", "list", "--json").out)][-1] == "One"


@pytest.mark.parametrize(
    ("broken", "told"),
    [
        ("provider: []", "no such section"),
        ("providers: {}", "a list"),
        ("providers: [a]", "a list"),
        ("providers: [{name: A}]", "needs a id"),
        ("providers: [{id: a}, {id: a}]", "twice"),
        ("keys: [{role: caller}]", "needs a name"),
        ("keys: [{name: '${NOBODY_SET_THIS}'}]", "NOBODY_SET_THIS"),
        ("prompts: [{file: nowhere.yaml}]", "nowhere.yaml"),
        ("prompts: [{file: greeting.prompt.yaml, name: Other}]", "beside it"),
        ("prompts: [{id: a, labels: {production: yes}}]", "newest"),
        ("prompts: [{id: a, labels: []}]", ""),
    ],
)
def test_broken_files_change_nothing(cli: CommandLine, file: Path, broken: str, told: str) -> None:
    file.write_text(broken)
    ended = cli("apply", file, "--yes")
    assert ended.status == 2
    assert told in ended.err
    assert "Traceback" not in ended.err


def test_a_key_is_known_by_its_name_alone(cli: CommandLine, file: Path) -> None:
    for _ in range(2):
        cli("keys", "create", "Support")
    ended = cli("apply", file, "--yes")
    assert (ended.status, "2 active keys" in ended.err) == (2, True)
    assert cli("providers", "show", "other").status == 4


def test_somebody_else_was_quicker(cli: CommandLine, file: Path, serving: Serving) -> None:
    from llm_gateway_client import GatewayClient, errors, manifests

    file.write_text("providers: [{id: local, priority: 3}]\n")
    with GatewayClient(cli.environment["GATEWAY_URL"], serving.key) as client:
        (change,) = manifests.read(file).changes(client)
        stored = client.providers.get("local").model_dump(mode="json")
        client.providers.update("local", stored | {"priority": 7})
        with pytest.raises(errors.RevisionConflict):
            change.carry_out()
        assert client.providers.get("local").priority == 7
