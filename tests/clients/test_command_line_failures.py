"""The command line against a gateway that is down, slow, or refuses: what it says, and how it ends."""

import json
import re
import socket
from subprocess import CalledProcessError

import pytest
from llm_gateway_client.cli import statuses

from tests.adapters.scripted_server import Reply, problem, scripted_server
from tests.adapters.thinking import Thinking
from tests.clients.command_line import CommandLine
from tests.clients.test_command_line import SUITE
from tests.entrypoints.serving import Serving

COMMANDS = [["ask", "Hi"], ["status"], ["usage"], ["prompts", "list"]]
KEY = "llmgw_a-secret-of-somebodys"
HTML = Reply(status=502, body="<html>Bad \x1b[31mgateway</html>")


def pointed(command: CommandLine, url: str) -> CommandLine:
    command.environment |= {"GATEWAY_URL": url, "GATEWAY_KEY": KEY}
    return command


@pytest.mark.parametrize("arguments", COMMANDS, ids=" ".join)
@pytest.mark.parametrize(
    ("reply", "status", "advice"),
    [
        pytest.param(problem(401, "unauthenticated"), 3, "GATEWAY_KEY", id="401"),
        pytest.param(problem(403, "forbidden"), 3, "keys self", id="403"),
        pytest.param(problem(429, "rate_limited", retry_after_s=60), 5, "after 60 s", id="429"),
        pytest.param(problem(429, "budget_exceeded", retry_after_s=3600), 5, "budget", id="budget"),
        pytest.param(problem(503, "no_provider_available", retry_after_s=30), 6, "status", id="503"),
        pytest.param(problem(500, "internal_error"), 6, "req-1", id="500"),
        pytest.param(problem(504, "provider_timeout"), 6, "--timeout", id="504"),
        pytest.param(problem(418, "of_tomorrow"), 2, "of_tomorrow", id="a newer code"),
        pytest.param(HTML, 6, "GATEWAY_URL", id="no gateway"),
        pytest.param(Reply(hangs_up=True), 6, "address right", id="hangs up"),
    ],
)
def test_it_says_what_to_do(command: CommandLine, arguments: list[str], reply: Reply, status: int, advice: str) -> None:
    with scripted_server(otherwise=reply) as server:
        ended = pointed(command, server.url)("--retries", "0", *arguments)
    assert ended.status == status
    assert advice in ended.err
    assert "Traceback" not in ended.err
    assert "\x1b" not in ended.out + ended.err
    assert KEY not in ended.out + ended.err


@pytest.mark.parametrize("arguments", COMMANDS, ids=" ".join)
def test_a_gateway_that_is_down(command: CommandLine, arguments: list[str]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        url = f"http://127.0.0.1:{taken.getsockname()[1]}"
    ended = pointed(command, url)("--retries", "0", *arguments)
    assert (ended.status, "cannot be reached" in ended.err, "make run" not in ended.err) == (6, True, True)
    told = json.loads(command("--retries", "0", "usage", "--json").err)
    assert told["error"]["code"] is None


@pytest.mark.parametrize(
    "error", [PermissionError(13, "Permission denied", "/report.xml"), CalledProcessError(1, ["vi", "prompt.yaml"])]
)
def test_a_file_or_an_editor_that_fails_is_no_failed_test(error: Exception) -> None:
    assert isinstance(error, statuses.TOLD)
    assert statuses.status_of(error) == statuses.MISUSED
    assert statuses.lines_of(error) == [str(error)]


def test_what_may_pass_is_tried_again(command: CommandLine) -> None:
    with scripted_server(
        problem(429, "rate_limited", retry_after_s=0), otherwise=Reply(body={"items": [], "next_cursor": None})
    ) as server:
        assert pointed(command, server.url)("usage").status == 0
        assert len(server.seen) == 2


def test_a_problem_tells_fields_attempts_and_the_provider(command: CommandLine) -> None:
    more = {
        "errors": [{"field": "parameters.seed", "message": "has to be a number"}],
        "attempts": [{"provider": "local", "detail": "refused"}, {"provider": "other"}],
        "provider_message": "no \x1b[2Jsuch model",
        "query_id": "qry_1",
    }
    with scripted_server(otherwise=problem(422, "validation_failed", **more)) as server:
        ended = pointed(command, server.url)("ask", "Hi")
    assert ended.status == 2
    for told in ("parameters.seed: has to be a number", "local: refused", "no [2Jsuch model", "query qry_1"):
        assert told in ended.err


def test_advice_names_the_query_or_the_provider_that_was_asked(command: CommandLine) -> None:
    more = {"query_id": "qry_1", "attempts": [{"provider": "first"}, {"provider": "second"}]}
    for code, status, advice in (
        ("provider_error", 502, "`llm-gateway providers test second`"),
        ("provider_auth_failed", 502, "`llm-gateway providers rotate second`"),
    ):
        with scripted_server(otherwise=problem(status, code, **more)) as server:
            assert advice in pointed(command, server.url)("--retries", "0", "ask", "Hi").err
    with scripted_server(otherwise=problem(502, "provider_error", query_id="qry_1")) as server:
        assert (
            "`llm-gateway providers test PROVIDER`" in pointed(command, server.url)("--retries", "0", "ask", "Hi").err
        )


def test_what_broke_an_answer_has_a_line_of_its_own(command: CommandLine) -> None:
    events = [
        ("query", {"id": "qry_1", "provider": "local", "model": "small"}),
        ("delta", {"text": "Half an"}),
        ("error", {"code": "provider_error", "detail": "It failed.", "status": 502}),
    ]
    body = "".join(f"event: {name}\nid: {at}\ndata: {json.dumps(data)}\n\n" for at, (name, data) in enumerate(events))
    reply = Reply(body=body, headers={"content-type": "text/event-stream"})
    with scripted_server(otherwise=reply) as server:
        ended = pointed(command, server.url)("--retries", "0", "ask", "Hi")
    assert (ended.status, ended.out) == (6, "Half an\n")
    assert ended.err.startswith("It failed.")


def test_nobody_knows_where_the_gateway_is(command: CommandLine) -> None:
    ended = command("usage")
    assert (ended.status, "GATEWAY_URL" in ended.err, "login" in ended.err) == (2, True, True)
    assert command("--url", "nonsense", "usage").status == 2
    command.environment |= {"GATEWAY_URL": "nonsense", "GATEWAY_KEY": KEY}
    assert command("usage").status == 2


def test_a_key_goes_nowhere_that_it_was_not_meant_for(command: CommandLine) -> None:
    with scripted_server() as meant, scripted_server() as other:
        ended = pointed(command, meant.url)("--url", other.url, "usage")
        assert (ended.status, "GATEWAY_KEY is for GATEWAY_URL" in ended.err) == (2, True)
        assert (meant.seen, other.seen) == ([], [])


def test_an_address_with_a_password_or_over_plain_http_is_refused(command: CommandLine) -> None:
    for url in ("https://me:hunter2@gateway.example.com", "http://gateway.example.com"):
        for arguments in (["usage"], ["status"], ["--url", url, "usage"], ["login", url]):
            ended = pointed(command, url)(*arguments, stdin=KEY + "\n")
            assert (ended.status, "hunter2" in ended.out + ended.err) == (2, False)
    del command.environment["GATEWAY_KEY"]
    assert "hunter2" not in command("--url", "https://me:hunter2@gateway.example.com", "usage").err
    file = command.folder / ".config/llm-gateway/login.json"
    file.parent.mkdir(parents=True)
    file.write_text(json.dumps({"base_url": "http://gateway.internal", "api_key": KEY}))
    file.chmod(0o600)
    del command.environment["GATEWAY_URL"]
    refused = command("--retries", "0", "usage")
    assert (refused.status, "--allow-http" in refused.err, KEY in refused.err) == (2, True, False)
    with scripted_server(otherwise=Reply(body={"items": [], "next_cursor": None})) as proxy:
        command.environment |= {"HTTP_PROXY": proxy.url, "NO_PROXY": ""}
        assert command("--allow-http", "usage").status == 0
        assert [seen.headers["authorization"] for seen in proxy.seen] == [f"Bearer {KEY}"]


def test_a_person_at_a_terminal_asks(cli: CommandLine) -> None:
    with cli.terminal("ask", "Hi") as terminal:
        terminal.read_until("ms · qry_")
        assert terminal.end() == 0
    assert "Hello!" in terminal.shown
    assert "\x1b[" in terminal.shown
    with cli.terminal("status", NO_COLOR="1") as plain:
        assert plain.end() == 0
    assert "healthy" in plain.shown
    assert "\x1b[3" not in plain.shown


def test_a_person_at_a_terminal_chats(cli: CommandLine) -> None:
    with cli.terminal("chat", TERM="dumb") as terminal:
        terminal.read_until("> ")
        for typed, shown in (
            ("Hi\n", "qry_"),
            ("/model nobody/x\n", "> "),
            ("Hi again\n", "lists 'nobody/x'"),
            ("/clear\n", ">"),
        ):
            terminal.type(typed)
            terminal.read_until(shown)
        terminal.type("/exit\n")
        assert terminal.end() == 0


def test_a_conversation_is_told_from_its_beginning(cli: CommandLine, serving: Serving) -> None:
    ended = cli("chat", "-s", "Be brief.", stdin="One?\n\nTwo?\n/help\n/clear\nThree?\n")
    assert (ended.status, ended.out) == (0, "Hello!\n" * 3)
    turns = [len(asked.request.messages) for asked in serving.gateway.outside.models.asked]  # type: ignore[attr-defined]
    assert turns[1] == turns[0] + 2
    assert turns[2] == turns[0]
    assert cli("chat", "-p", "nobody", stdin="One?\nTwo?\n").status == 4


@pytest.mark.parametrize("before", [1, 2], ids=["before its answer begins", "in the middle of its answer"])
def test_ctrl_c_cancels_the_query(cli: CommandLine, serving: Serving, before: int) -> None:
    thinking = Thinking(serving, before=before)
    with cli.terminal("ask", "Hi") as terminal:
        assert thinking.begun.wait(60)
        if before == 2:
            terminal.read_until("Hello!")
        terminal.interrupt()
        assert terminal.end() == 130, terminal.shown
    assert "Traceback" not in terminal.shown
    (query,) = json.loads(cli("queries", "list", "--json").out)
    status = serving.call("GET", f"/api/v1/llm/query/{query['id']}/status?wait_s=20")[1]
    assert json.loads(status)["status"] == "cancelled"


def test_a_slow_gateway_is_waited_for_with_a_sign_of_life(command: CommandLine) -> None:
    with scripted_server(otherwise=Reply(after_s=30)) as server:
        pointed(command, server.url)
        with command.terminal("ask", "Hi") as terminal:
            terminal.read_until("Asking…")
            terminal.interrupt()
            assert terminal.end() == 130


def test_a_login_is_kept_for_its_owners_eyes(cli: CommandLine, serving: Serving) -> None:
    url, key = cli.environment.pop("GATEWAY_URL"), cli.environment.pop("GATEWAY_KEY")
    wrong = cli("login", url, stdin="llmgw_nonsense\n")
    file = cli.folder / ".config/llm-gateway/login.json"
    assert (wrong.status, file.exists()) == (3, False)
    # Nor is the environment's key taken for one that was not given.
    cli.environment["GATEWAY_KEY"] = key
    none = cli("login", url)
    assert (none.status, "no key on standard input" in none.err, file.exists()) == (2, True, False)
    del cli.environment["GATEWAY_KEY"]
    ended = cli("login", url + "/", stdin=key + "\n")
    assert (ended.status, f"Logged in to {url} as admin" in ended.out) == (0, True)
    assert file.stat().st_mode & 0o777 == 0o600
    assert key not in ended.out + ended.err
    assert str(file) in cli("status").out
    # The key goes to no other address.
    other = cli("--url", "http://127.0.0.1:9", "usage")
    assert (other.status, "No key is known" in other.err) == (2, True)
    assert cli("--url", url, "usage").status == 0
    file.chmod(0o644)
    assert "chmod 600" in cli("usage").err
    assert cli("login", "--forget").status == 0
    assert cli("usage").status == 2
    assert cli("login").status == 2


def test_a_login_is_at_the_gateway_that_is_named(cli: CommandLine) -> None:
    url, key = cli.environment["GATEWAY_URL"], cli.environment.pop("GATEWAY_KEY")
    file = cli.folder / ".config/llm-gateway/login.json"
    # Nobody listens there.
    cli.environment["GATEWAY_URL"] = "http://127.0.0.1:9"
    two = cli("--url", "http://127.0.0.1:9", "login", url, stdin=key + "\n")
    assert (two.status, "say one of them" in two.err, file.exists()) == (2, True, False)
    assert f"Logged in to {url} as admin" in cli("--url", url + "/", "login", url, stdin=key + "\n").out
    assert f"Logged in to {url} as admin" in cli("--url", url, "login", stdin=key + "\n").out
    assert json.loads(file.read_text())["base_url"] == url


def test_a_persons_key_is_not_shown_as_it_is_typed(cli: CommandLine) -> None:
    url, key = cli.environment["GATEWAY_URL"], cli.environment["GATEWAY_KEY"]
    with cli.terminal("login", url) as terminal:
        terminal.read_until("Key")
        terminal.type_hidden(key + "\n")
        assert terminal.end() == 0
    assert key not in terminal.shown


def test_the_run_on_this_machine_is_found(cli: CommandLine) -> None:
    url, key = cli.environment.pop("GATEWAY_URL"), cli.environment.pop("GATEWAY_KEY")
    file = cli.folder / ".local/gateway.json"
    file.parent.mkdir()
    file.write_text(json.dumps({"base_url": url, "api_key": key}))
    inside = cli.folder / "a/b"
    inside.mkdir(parents=True)
    cli.folder = inside
    cli.environment["HOME"] = str(inside)
    assert f"{url} (told by {file})" in cli("status").out
    # A key alone is for a gateway that nobody has named.
    cli.environment["GATEWAY_KEY"] = "llmgw_of-some-other-gateway"
    ended = cli("status")
    assert (ended.status, "set GATEWAY_URL beside it" in ended.err, url in ended.err) == (2, True, True)
    del cli.environment["GATEWAY_KEY"]
    # A file that somebody left here leads nobody away from this machine.
    for told in ('{"base_url": "https://elsewhere.example.com", "api_key": "k"}', '{"base_url": 1}', "[]"):
        file.write_text(told)
        assert cli("status").status == 2
    file.write_text("{")
    assert "cannot be read" in cli("status").err


def test_questions_before_what_cannot_be_undone(cli: CommandLine) -> None:
    for typed, status in (("n\n", 1), ("y\n", 0)):
        with cli.terminal("providers", "remove", "local") as terminal:
            terminal.read_until("[y/N]")
            terminal.type(typed)
            assert terminal.end() == status
    assert cli("providers", "show", "local").status == 4


def test_what_a_model_says_steers_no_terminal(cli: CommandLine, serving: Serving) -> None:
    serving.gateway.outside.models.script += ["Hi \x1b]0;owned\x07\x1b[2Jthere"] * 2  # type: ignore[attr-defined]
    with cli.terminal("ask", "Hi") as terminal:
        assert terminal.end() == 0
    assert "Hi ]0;owned[2Jthere" in terminal.shown
    # A file gets what was said.
    assert "\x1b]0;owned" in cli("ask", "Hi").out


def test_json_at_a_terminal_steers_it_no_more(cli: CommandLine, serving: Serving) -> None:
    """What is taken out of a text is an escape here: CSI and OSC as one character each, and what turns the text around."""
    said = "Grüße \u06cc\u200c \x9b2J\x9d0;owned\x9c\x7f\u202eevil\U000e0041"
    serving.gateway.outside.models.script += [said] * 2  # type: ignore[attr-defined]
    with cli.terminal("ask", "Hi", "--json") as terminal:
        assert terminal.end() == 0
    shown = terminal.shown
    assert not [each for each in "\x9b\x9d\x9c\x7f\u202e\U000e0041" if each in shown]
    assert "Grüße \u06cc\u200c \\u009b2J" in shown
    assert json.loads(shown[shown.index("{") : shown.rindex("}") + 1])["output"]["text"] == said
    piped = cli("ask", "Hi", "--json").out
    assert piped.isascii()
    assert json.loads(piped)["output"]["text"] == said


def test_completion_is_there(cli: CommandLine) -> None:
    assert "--show-completion" in cli("--help").out


def test_a_run_that_takes_too_long_can_be_looked_at_later(cli: CommandLine, serving: Serving) -> None:
    (cli.folder / "greeting.prompt.yaml").write_text(SUITE)
    long = ("prompts", "test", ".", "--push", "-k", "says hello", "--repeat", "20")
    ended = cli(*long, "--timeout", "1")
    assert (ended.status, "within 1 s" in ended.err) == (6, True)
    found = re.search(r"`llm-gateway (prompts run greeting \S+) --wait`", ended.err)
    assert found is not None
    shown = found[1].split()
    assert "It still runs: 0 answered." in cli(*shown).out
    with cli.terminal(*shown, "--wait") as terminal:
        terminal.read_until("answered")
        terminal.interrupt()
        assert terminal.end() == 130
    assert (f"{found[1]} --wait" in terminal.shown, "Traceback" in terminal.shown) == (True, False)
    serving.gateway.work_off()
    waited = cli(*shown, "--wait", "--junit", "report.xml")
    assert (waited.status, "20 passed" in waited.out) == (0, True)
    assert 'tests="20"' in (cli.folder / "report.xml").read_text()
    assert json.loads(cli(*shown, "--json").out)[0]["passed"] == 20


def test_an_erasure_that_takes_too_long_goes_on(cli: CommandLine) -> None:
    erase = ("queries", "erase-all", "--subject", "customer 42", "-y")
    ended = cli(*erase, "--timeout", "1")
    assert (ended.status, "within 1 s" in ended.err) == (6, True)
    with cli.terminal(*erase) as terminal:
        terminal.read_until("erased")
        terminal.interrupt()
        assert terminal.end() == 130
    assert ("goes on at the gateway" in terminal.shown, "Traceback" in terminal.shown) == (True, False)


def test_a_long_run_of_tests_shows_a_sign_of_life(cli: CommandLine, serving: Serving) -> None:
    (cli.folder / "greeting.prompt.yaml").write_text(SUITE)
    with cli.terminal("prompts", "test", ".", "--push", "-k", "says hello", "--repeat", "20") as terminal:
        terminal.read_until("answered")
        serving.gateway.work_off()
        assert terminal.end() == 0
    assert "20 passed" in terminal.shown
