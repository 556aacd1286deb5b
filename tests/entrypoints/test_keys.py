"""The command line for keys."""

import json
import subprocess
import sys
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from llm_gateway.domain.keys import Role
from llm_gateway.entrypoints.keys import main
from llm_gateway.errors import DependencyUnavailable, Unauthenticated

from tests.adapters.gateway import FakeGateway


@pytest.fixture
def gateway() -> FakeGateway:
    return FakeGateway()


def create(gateway: FakeGateway, *options: str) -> int:
    return main(["create", "--role", "caller", "--name", "ci", *options], gateway=lambda: gateway)


def run(gateway: FakeGateway, *arguments: str) -> int:
    return main(arguments, gateway=lambda: gateway)


def lines(capsys: pytest.CaptureFixture[str]) -> list[dict[str, Any]]:
    return [json.loads(line) for line in capsys.readouterr().out.splitlines()]


def test_a_key_is_shown_once_and_opens_the_door(gateway: FakeGateway, capsys: pytest.CaptureFixture[str]) -> None:
    assert create(gateway) == 0
    (shown,) = lines(capsys)
    assert (shown["name"], shown["role"], shown["log_bodies"], shown["tags"]) == ("ci", "caller", 0, [])
    assert gateway.authentication.authenticate(shown["secret"]).id == shown["id"]
    assert shown["signing_secret"].startswith("llmgw_sign_")


@pytest.mark.parametrize(("said", "share"), [("0", 0), ("0.1", 0.1), ("1", 1), ("1e-3", 0.001)])
def test_a_share_of_its_queries_may_be_logged(
    gateway: FakeGateway, capsys: pytest.CaptureFixture[str], said: str, share: float
) -> None:
    assert create(gateway, "--log-bodies", said) == 0
    (shown,) = lines(capsys)
    assert shown["log_bodies"] == gateway.keys.get(shown["id"]).key.log_bodies == share


def test_a_key_may_have_tags_and_an_end(gateway: FakeGateway, capsys: pytest.CaptureFixture[str]) -> None:
    assert create(gateway, "--tag", "support", "--tag", "eu", "--expires", "2999-01-31T00:00:00+01:00") == 0
    (shown,) = lines(capsys)
    assert (shown["tags"], shown["expires_at"]) == (["support", "eu"], "2999-01-30T23:00:00.000Z")


def test_an_end_may_be_said_in_days(gateway: FakeGateway, capsys: pytest.CaptureFixture[str]) -> None:
    before = gateway.outside.clock.now()
    assert create(gateway, "--expires", "90d") == 0
    (shown,) = lines(capsys)
    ends = gateway.keys.get(shown["id"]).key.expires_at
    assert ends is not None
    assert timedelta(days=90) <= ends - before < timedelta(days=90, minutes=1)


@pytest.mark.parametrize(
    "said", ["", "90", "d", "0d", "-1d", "1.5d", "999999999d", "tomorrow", "2999-01-31", "2999-01-31T00:00:00"]
)
def test_what_is_no_end_is_refused(gateway: FakeGateway, capsys: pytest.CaptureFixture[str], said: str) -> None:
    with pytest.raises(SystemExit) as refused:
        create(gateway, f"--expires={said}")
    assert refused.value.code == 2
    assert "say 90d, or a time such as 2027-01-31T00:00:00Z" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("options", "told"),
    [
        (("--expires", "2001-01-01T00:00:00Z"), "expires_at: must be in the future"),
        (("--tag", "twice", "--tag", "twice"), "tags: 'twice' is there twice"),
        (("--tag", "x" * 65), "tags[0]: must have at most 64 character(s)"),
    ],
)
def test_what_the_api_refuses_is_refused_in_its_words(
    gateway: FakeGateway, capsys: pytest.CaptureFixture[str], options: tuple[str, ...], told: str
) -> None:
    assert create(gateway, *options) == 1
    captured = capsys.readouterr()
    assert told in captured.err
    assert captured.out == ""


def test_every_key_is_listed_without_its_secrets(gateway: FakeGateway, capsys: pytest.CaptureFixture[str]) -> None:
    keys = [gateway.new_key(Role.CALLER)[0] for _ in range(203)]
    assert run(gateway, "list") == 0
    listed = lines(capsys)
    assert [shown["id"] for shown in listed] == [key.id for key in keys]
    assert not any("secret" in name for shown in listed for name in shown if name != "require_signature")


def test_a_key_is_revoked(gateway: FakeGateway, capsys: pytest.CaptureFixture[str]) -> None:
    key, secret = gateway.new_key(Role.CALLER)
    assert run(gateway, "revoke", key.id) == 0
    (shown,) = lines(capsys)
    assert (shown["id"], shown["status"]) == (key.id, "revoked")
    with pytest.raises(Unauthenticated):
        gateway.authentication.authenticate(secret)
    assert run(gateway, "revoke", key.id) == 1
    assert f"There is no key {key.id!r}." in capsys.readouterr().err


def test_the_last_admin_is_not_revoked(gateway: FakeGateway, capsys: pytest.CaptureFixture[str]) -> None:
    key, _ = gateway.new_key(Role.ADMIN)
    assert run(gateway, "revoke", key.id) == 1
    assert "No other admin key would be left" in capsys.readouterr().err


@pytest.mark.parametrize("said", ["2", "-0.1", "10%", "nan", "inf", "", "yes"])
def test_what_is_no_share_is_refused_and_makes_no_key(
    gateway: FakeGateway, capsys: pytest.CaptureFixture[str], said: str
) -> None:
    with pytest.raises(SystemExit) as refused:
        create(gateway, f"--log-bodies={said}")
    assert refused.value.code == 2
    captured = capsys.readouterr()
    assert "from 0 to 1" in captured.err
    assert captured.out == ""


def test_a_store_that_is_away_is_told_in_words(gateway: FakeGateway, capsys: pytest.CaptureFixture[str]) -> None:
    gateway.outside.key_store.fault = DependencyUnavailable("The keys cannot be reached.")
    assert create(gateway) == 1
    captured = capsys.readouterr()
    assert captured.out == ""
    assert "The keys cannot be reached." in captured.err


def test_what_is_made_and_ended_at_a_shell_is_in_the_audit_log(
    gateway: FakeGateway, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["create", "--role", "admin", "--name", "first"], gateway=lambda: gateway) == 0
    assert main(["create", "--role", "caller", "--name", "second"], gateway=lambda: gateway) == 0
    made = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert main(["revoke", made[1]["id"]], gateway=lambda: gateway) == 0
    entries = gateway.outside.audit_log.entries
    assert [(entry.deed.action, entry.deed.target, entry.deed.actor.address) for entry in entries] == [
        ("key.created", made[0]["id"], "command-line"),
        ("key.created", made[1]["id"], "command-line"),
        ("key.revoked", made[1]["id"], "command-line"),
    ]
    assert not any(made[0]["secret"] in entry.document for entry in entries)


def test_a_variable_that_is_not_set_is_named() -> None:
    package = Path(__file__).parents[2] / "layers" / "gateway" / "python"
    ended = subprocess.run(
        [sys.executable, "-m", "llm_gateway.entrypoints.keys", "create", "--role", "admin", "--name", "me"],
        env={"PYTHONPATH": str(package), "KEYS_TABLE": "keys", "LIMITS_TABLE": "limits", "AUDIT_TABLE": "audit"},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert ended.returncode == 1
    assert ended.stderr.startswith("Not set: PEPPER_SECRET_ID. ")
    assert ended.stdout == ""
