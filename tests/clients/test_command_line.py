"""The command line against the running gateway: what each command does, shows and ends with."""

import json
import re
import sys
from pathlib import Path

import pytest
from llm_gateway.domain.erasures import ErasureStatus
from llm_gateway.domain.keys import Role

from tests.clients.command_line import CommandLine
from tests.entrypoints.serving import Serving

SUITE = """
name: Greeting
template:
  messages:
    - role: user
      content: |
        Say hello to {{ name }}.
        Be kind.
  variables:
    name: {type: string, max_length: 100}
tests:
  - name: says hello
    variables: {name: Ada}
    assert: [{type: contains, value: Hello}]
  - name: says a lot
    variables: {name: Ada}
    assert: [{type: regex, value: "^.{100}"}]
"""


@pytest.fixture
def suite(command: CommandLine) -> Path:
    path = command.folder / "greeting.prompt.yaml"
    path.write_text(SUITE)
    return path


def as_caller(cli: CommandLine, serving: Serving, role: Role = Role.CALLER) -> None:
    cli.environment["GATEWAY_KEY"] = serving.gateway.new_key(role)[1]


def test_a_question_is_answered(cli: CommandLine) -> None:
    ended = cli("ask", "What is 2+2?")
    assert (ended.status, ended.out) == (0, "Hello!\n")
    assert "local/small · 10 tokens in, 1 out · $0.000011" in ended.err
    assert cli("ask", "-q", stdin="What is 2+2?\n").err == ""


def test_all_that_can_be_said_of_a_question_arrives(cli: CommandLine, serving: Serving) -> None:
    (cli.folder / "facts.txt").write_text("Parcels take two days.")
    (cli.folder / "schema.json").write_text('{"type": "object", "properties": {"a": {"type": "string"}}}')
    serving.gateway.outside.models.script.append('{"a": "b"}')  # type: ignore[attr-defined]
    said = ["-p", "local", "-m", "large", "-s", "Be brief.", "--role", "analyst", "--temperature", "0.5"]
    ended = cli("ask", "Why?", *said, "--max-tokens", "9", "-c", "facts.txt", "--schema", "schema.json", "--json")
    assert ended.status == 0, ended.err
    assert json.loads(ended.out)["output"]["json"] == {"a": "b"}
    asked = serving.gateway.outside.models.asked[-1].request  # type: ignore[attr-defined]
    assert (asked.model, asked.parameters.temperature, asked.parameters.max_output_tokens) == ("large", 0.5, 9)
    assert "Be brief." in str(asked)
    assert "Parcels take two days." in str(asked)


def test_a_plan_asks_nobody(cli: CommandLine, serving: Serving) -> None:
    ended = cli("ask", "--plan", "Why?")
    assert re.search(r"local +small +ready", ended.out)
    assert json.loads(cli("ask", "--plan", "--json", "Why?").out)["candidates"][0]["outcome"] == "ready"
    assert serving.gateway.outside.models.asked == []  # type: ignore[attr-defined]


def test_later(cli: CommandLine, serving: Serving) -> None:
    query = cli("ask", "--later", "Why?").out.strip()
    assert query.startswith("qry_")
    unfinished = cli("queries", "show", query)
    assert (unfinished.status, query in unfinished.err) == (6, True)
    serving.gateway.work_off()
    assert cli("queries", "show", query, "--wait").out == "Hello!\n"


@pytest.mark.parametrize(
    ("arguments", "stdin", "told"),
    [
        (["ask"], "  \n", "The question is empty."),
        (["ask", "Hi", "--var", "a=b"], "", "--prompt"),
        (["ask", "Hi", "--prompt", "p", "--var", "a"], "", "NAME=VALUE"),
        (["ask", "Hi", "--prompt", "p", "--var", "a:={"], "", "JSON"),
        (["ask", "Hi", "-c", "nowhere.txt"], "", "nowhere.txt"),
        (["ask", "Hi", "--timeout", "9999"], "", "timeout_s"),
        (["usage", "--since", "yesterday"], "", "yesterday"),
        (["usage", "--by", "colour"], "", "group_by"),
        (["providers", "remove", "local"], "", "--yes"),
        (["providers", "add", "x", "--kind", "openai", "--model", "m"], "", "API key"),
        (["prompts", "diff", "base"], "", "one version"),
        (["apply", "nowhere.yaml"], "", "nowhere.yaml"),
    ],
)
def test_misuse_is_told_and_does_nothing(cli: CommandLine, arguments: list[str], stdin: str, told: str) -> None:
    ended = cli(*arguments, stdin=stdin)
    assert (ended.status, ended.out) == (2, "")
    assert told in ended.err
    assert "Traceback" not in ended.err


def test_usage_errors_are_misuse_too(cli: CommandLine) -> None:
    assert cli("frobnicate").status == 2
    assert cli("ask", "--frobnicate").status == 2
    assert "Exit statuses" in cli("--help").out


def test_a_refusal_tells_what_to_do_and_programs_get_json(cli: CommandLine, serving: Serving) -> None:
    ended = cli("ask", "-p", "nobody", "Hi")
    assert (ended.status, "There are: local" in ended.err) == (4, True)
    problem = json.loads(cli("ask", "-p", "nobody", "Hi", "--json").err)
    assert problem["error"]["code"] == "provider_not_found"
    as_caller(cli, serving)
    refused = cli("keys", "list")
    assert (refused.status, "keys self" in refused.err) == (3, True)


def test_models_are_listed(cli: CommandLine, serving: Serving) -> None:
    assert "local/small" in cli("models").out
    assert json.loads(cli("models", "--json").out)[0]["is_default"] is True


def test_providers_are_managed(cli: CommandLine) -> None:
    (cli.folder / "more.yaml").write_text("models: [{name: large, aliases: [gpt]}]\nlimits: {burst: 3}\n")
    cli.environment["VENDOR_KEY"] = "sk-vendors-own-secret-aaaa"
    added = cli(
        *(
            "providers",
            "add",
            "other",
            "--kind",
            "openai_compatible",
            "--model",
            "m",
            "--priority",
            "3",
            "-f",
            "more.yaml",
        ),
        *("--base-url", "https://other.example.com/v1", "--requests-per-minute", "9", "--api-key-env", "VENDOR_KEY"),
    )
    assert (added.status, "other is there" in added.out, "other is healthy" in added.err) == (0, True, True)
    listed = cli("providers", "list").out.splitlines()
    assert [line.split()[0] for line in listed] == ["id", "other", "local"]
    shown = json.loads(cli("providers", "show", "other", "--json").out)
    assert (shown["limits"]["requests_per_minute"], shown["limits"]["burst"]) == (9, 3)
    assert "base_url: https://other.example.com/v1" in cli("providers", "show", "other").out
    assert "other/large" in cli("models").out
    assert "…bbbb" in cli("providers", "rotate", "other", stdin="sk-vendors-own-secret-bbbb\n").out
    assert cli("providers", "test", "other").out == "other is healthy\n"
    assert cli("providers", "remove", "other", "--yes").status == 0
    assert cli("providers", "show", "other").status == 4
    assert "sk-vendors" not in added.out + added.err


def test_a_provider_that_fails_its_test(cli: CommandLine, serving: Serving) -> None:
    from llm_gateway.domain.faults import ProviderAuthFailed

    for _ in range(3):
        serving.gateway.outside.models.script.append(ProviderAuthFailed("The provider refused its credentials."))  # type: ignore[attr-defined]
    ended = cli("providers", "test", "local")
    assert ended.status == 1
    assert "refused its credentials" in ended.out


def test_keys_are_managed(cli: CommandLine) -> None:
    made = cli(
        "keys",
        "create",
        "Support",
        "--budget-usd",
        "5",
        "--requests-per-minute",
        "9",
        "--allow-model",
        "small",
        "--tag",
        "a",
    )
    assert made.out.startswith("llmgw_")
    key = json.loads(cli("keys", "list", "--json").out)[-1]
    assert (key["name"], key["role"], key["budget_usd"]["amount"]) == ("Support", "caller", "5")
    assert (key["limits"]["requests_per_minute"], key["allow"]["models"], key["tags"]) == (9, ["small"], ["a"])
    rotated = cli("keys", "rotate", key["id"], "--overlap", "60")
    assert rotated.out.startswith("llmgw_")
    assert rotated.out != made.out
    assert "name: Support" in cli("keys", "show", key["id"]).out
    assert cli("keys", "revoke", key["id"], "-y").status == 0
    assert "Support" not in cli("keys", "list").out
    assert "Support" in cli("keys", "list", "--all").out
    assert "role: admin" in cli("keys", "self").out


def test_usage_is_shown_as_bars(cli: CommandLine) -> None:
    for _ in range(2):
        cli("ask", "Hi")
    header, row = cli("usage", "--by", "provider", "--per", "day", "--since", "2d").out.splitlines()
    assert header.split()[:3] == ["day", "provider", "requests"]
    assert row.split()[1:3] == ["local", "2"]
    assert row.endswith("█" * 30)
    assert json.loads(cli("usage", "--json").out)[0]["requests"] == 2


def test_the_audit_log_is_read(cli: CommandLine) -> None:
    assert re.search(r"provider.created +local +done", cli("audit", "--action", "provider.created").out)
    assert len(json.loads(cli("audit", "--json", "-n", "1").out)) == 1


def test_queries_are_read_traced_and_ended(cli: CommandLine, serving: Serving) -> None:
    cli("ask", "Hi")
    (query,) = json.loads(cli("queries", "list", "--json").out)
    assert query["id"] in cli("queries", "list", "--status", "succeeded").out
    assert cli("queries", "show", query["id"]).out == "Hello!\n"
    traced = cli("queries", "trace", query["id"]).out
    assert re.search(r"1 +local +small +ok", traced)
    assert "ms = provider" in traced
    assert json.loads(cli("queries", "trace", query["id"], "--json").out)["attempts"][0]["outcome"] == "ok"
    later = cli("ask", "--later", "Hi").out.strip()
    assert cli("queries", "cancel", later).out == f"{later} is cancelled.\n"
    assert cli("queries", "erase", later, "-y").status == 0
    assert cli("queries", "trace", later).status == 4
    as_caller(cli, serving, Role.AUDITOR)
    assert "not this key's to see" in cli("queries", "trace", query["id"]).err


def test_the_status_says_which_gateway_it_is(cli: CommandLine, serving: Serving) -> None:
    # Nothing is known of one that nobody has asked.
    assert re.search(r"local +untried +closed", cli("status").out)
    assert cli("ask", "Hi").status == 0
    told = cli("status").out
    assert f"http://127.0.0.1:{serving.port} (told by GATEWAY_URL)" in told
    assert re.search(r"local +healthy +closed", told)
    assert json.loads(cli("status", "--json").out)["providers"][0]["state"] == "healthy"
    as_caller(cli, serving)
    assert "not this key's to see" in cli("status").err


def test_prompts_go_between_files_and_the_gateway(cli: CommandLine, suite: Path) -> None:
    assert cli("prompts", "push", ".", "--dry-run").out == "+ greeting is new\n"
    assert cli("prompts", "show", "greeting").status == 4
    assert cli("prompts", "push", ".").out == "+ greeting is new, version 1\n"
    assert cli("prompts", "push", suite).out == "= greeting is as it should be, version 1\n"
    suite.write_text(SUITE.replace("Be kind.", "Be brief."))
    assert cli("prompts", "push", suite, "-m", "Briefer.").out == "~ greeting changes in template, version 2\n"
    assert cli("prompts", "pull").out == "+ prompts/greeting.prompt.yaml\n"
    assert "Be brief.\n" in (cli.folder / "prompts/greeting.prompt.yaml").read_text()
    assert cli("prompts", "pull", "--dry-run").out == "= prompts/greeting.prompt.yaml\n"
    assert cli("prompts", "push", "prompts", "--dry-run").out == "= greeting is as it should be, version 2\n"
    # What is taken out of a file is a change, too.
    suite.write_text(SUITE.replace("Be kind.", "Be brief.").replace(", max_length: 100", ""))
    assert cli("prompts", "push", suite, "--dry-run").out == "~ greeting changes in template\n"


def test_prompts_are_looked_at(cli: CommandLine, suite: Path) -> None:
    cli("prompts", "push", suite)
    suite.write_text(SUITE.replace("Be kind.", "Be brief."))
    cli("prompts", "push", suite)
    assert re.search(r"greeting +prompt +2", cli("prompts", "list", "--kind", "prompt").out)
    assert "Be brief." in cli("prompts", "show", "greeting").out
    assert "Be kind." in cli("prompts", "show", "greeting", "--version", "1").out
    assert "-Be kind.\n+Be brief.\n" in cli("prompts", "diff", "greeting").out
    assert "Say hello to Ada." in cli("prompts", "render", "greeting", "--var", "name=Ada").out
    for arguments in (
        ["list"],
        ["show", "greeting"],
        ["diff", "greeting", "1", "2"],
        ["render", "greeting", "--var", "name=A"],
    ):
        assert json.loads(cli("prompts", *arguments, "--json").out)
    assert cli("ask", "--prompt", "greeting@1", "--var", 'name:="Ada"').out == "Hello!\n"


def test_a_prompt_is_edited(cli: CommandLine, suite: Path) -> None:
    cli("prompts", "push", suite)
    edit = cli.folder / "edit.py"
    edit.write_text(
        "import sys, pathlib as p; f = p.Path(sys.argv[1]); f.write_text(f.read_text().replace('kind', sys.argv[2]))"
    )
    cli.environment["EDITOR"] = f"{sys.executable} {edit}"
    cli.environment["VISUAL"] = ""
    edit.write_text(
        "import sys, pathlib as p; f = p.Path(sys.argv[1]); f.write_text(f.read_text().replace('kind', 'brief'))"
    )
    assert cli("prompts", "edit", "greeting").out == "greeting is at version 2.\n"
    assert "Nothing has changed." in cli("prompts", "edit", "greeting").err
    edit.write_text("import sys, pathlib as p; p.Path(sys.argv[1]).write_text('nothing')")
    broken = cli("prompts", "edit", "greeting")
    assert broken.status == 2
    kept = re.search(r"Your text is kept in (\S+)\.", broken.err)
    assert kept is not None
    assert Path(kept[1]).read_text() == "nothing"


def test_a_label_is_moved_tried_and_taken_back(cli: CommandLine, suite: Path) -> None:
    cli("prompts", "push", suite)
    suite.write_text(SUITE.replace("Be kind.", "Be brief."))
    cli("prompts", "push", suite)
    assert cli("prompts", "release", "greeting", "--share", "10").status == 2
    assert cli("prompts", "release", "greeting", "1").out == "production of greeting leads to 1.\n"
    tried = cli("prompts", "release", "greeting", "--share", "10", "--reason", "Briefer.")
    assert tried.out == "production of greeting leads to 1 (90 %) + 2 (10 %).\n"
    assert cli("prompts", "release", "greeting", "--rollback").out == "production of greeting leads to 1.\n"


def test_suites_are_run(cli: CommandLine, suite: Path) -> None:
    differs = cli("prompts", "test", suite)
    assert (differs.status, "--push" in differs.err) == (2, True)
    failed = cli("prompts", "test", suite, "--push", "--junit", "junit.xml")
    assert failed.status == 1
    assert re.search(r"pass +says hello", failed.out)
    assert re.search(r"FAIL +says a lot .*regex: ", failed.out)
    assert "1 passed, 1 failed; $0.0000" in failed.out
    report = (cli.folder / "junit.xml").read_text()
    assert 'tests="2" failures="1" errors="0"' in report
    assert '<failure message="regex: ' in report
    passed = cli("prompts", "test", "greeting", "-k", "says hello", "--repeat", "2", "-c", "local", "--json")
    assert passed.status == 0
    assert [each["candidate"] for each in json.loads(passed.out)[0]["results"]] == ["local", "local"]
    assert cli("prompts", "test", "summarizer", "--candidate", "local").status == 1
    assert cli("prompts", "test", ".").status == 1


@pytest.mark.parametrize(
    "broken",
    [
        "a: [",
        "- a",
        "1: 2",
        "name: a\nname: b",
        "name: a\nspeed: 3",
        "name: a\nid: 7",
        "name: a\ntemplate: {messages: [{role: user, content: x}]}",
        SUITE.replace("contains", "smells_of"),
        SUITE.replace("{{ name }}", "{{ nobody }}"),
        SUITE.replace('"^.{100}"', '"("'),
        "a: !!python/object/apply:os.system ['touch it']",
        "\ud800",
    ],
)
def test_a_broken_suite_is_told_apart_from_one_that_fails(cli: CommandLine, suite: Path, broken: str) -> None:
    suite.write_bytes(broken.encode(errors="surrogatepass"))
    ended = cli("prompts", "test", suite, "--push")
    assert ended.status == 2
    assert "Traceback" not in ended.err
    assert cli("prompts", "show", "greeting").status == 4
    assert not (cli.folder / "it").exists()


def test_queries_that_are_left_of_an_erasure_are_told(
    cli: CommandLine, serving: Serving, monkeypatch: pytest.MonkeyPatch
) -> None:
    erasures = serving.gateway.outside.erasures

    def fail(_: float) -> None:
        [running] = erasures.page(limit=1, cursor=None).items
        ended = running.changed(status=ErasureStatus.FAILED, erased=5, failed=2)
        erasures.replace(ended, expected_revision=running.revision)

    monkeypatch.setattr("llm_gateway_client.polling.time.sleep", fail)
    ended = cli("queries", "erase-all", "--subject", "customer 42", "-y")
    assert (ended.status, ended.out) == (1, "5 queries are erased.\n")
    assert "2 queries are left" in ended.err


def test_a_large_suite_is_run_by_the_queue(
    cli: CommandLine, serving: Serving, suite: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    queue = serving.gateway.outside.queue
    monkeypatch.setattr("llm_gateway_client.polling.time.sleep", lambda _: serving.gateway.work_off())
    ended = cli("prompts", "test", suite, "--push", "--repeat", "20", "-k", "says hello")
    assert (ended.status, "20 passed" in ended.out, queue.sent) == (0, True, [])


def test_all_queries_of_a_key_are_erased(cli: CommandLine, serving: Serving, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("llm_gateway_client.polling.time.sleep", lambda _: serving.gateway.work_off())
    for _ in range(2):
        cli("ask", "Hi")
    own = json.loads(cli("keys", "self", "--json").out)["id"]
    for named in ((), ("--key", own, "--subject", "customer 42")):
        refused = cli("queries", "erase-all", *named)
        assert (refused.status, "name a key or a subject" in refused.err, "cannot be brought back" in refused.err) == (
            2, True, False
        ), "it is not asked for what is not carried out"  # fmt: skip
    assert cli("queries", "erase-all", "--key", own).status == 2
    ended = cli("queries", "erase-all", "--key", own, "-y")
    assert (ended.status, ended.out) == (0, "2 queries are erased.\n"), ended.err
    assert json.loads(cli("queries", "list", "--json").out) == []
    assert (
        json.loads(cli("queries", "erase-all", "--subject", "customer 42", "-y", "--json").out)["status"] == "finished"
    )
