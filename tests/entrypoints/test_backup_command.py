"""The backups' command line: what it prints, and how it fails."""

import json
import os
from pathlib import Path

import pytest
from llm_gateway.entrypoints import composition
from llm_gateway.entrypoints.backup import gateway_with_tables, main
from llm_gateway.errors import DependencyUnavailable

from tests.adapters.gateway import FakeGateway

KEY = {"key_id": {"S": "key_1"}, "hash": {"B": b"\x00"}}
COUNTS = {"keys": 1, "providers": 0, "prompts": 0}


@pytest.fixture
def gateway() -> FakeGateway:
    gateway = FakeGateway()
    gateway.outside.configuration_tables.put_new("keys", KEY)
    return gateway


def test_a_file_is_exported_checked_and_imported(
    gateway: FakeGateway, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file, other = tmp_path / "backup.jsonl", FakeGateway()
    assert main(["export", str(file)], gateway=lambda: gateway) == 0
    assert main(["check", str(file)], gateway=lambda: pytest.fail("AWS is not asked")) == 0
    assert main(["import", str(file)], gateway=lambda: other) == 0
    exported, found, imported = map(json.loads, capsys.readouterr().out.splitlines())
    assert exported == found
    assert found["items"] == COUNTS
    assert imported == {"imported": COUNTS, "already_there": dict.fromkeys(COUNTS, 0)}
    assert other.outside.configuration_tables.kept["keys"] == [KEY]
    assert file.stat().st_mode & 0o777 == 0o600


def test_a_store_out_of_reach_leaves_no_file(
    gateway: FakeGateway, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def away(table: str) -> None:
        raise DependencyUnavailable("The store cannot be reached.", retry_after_s=2)

    monkeypatch.setattr(gateway.outside.configuration_tables, "items", away)
    assert main(["export", str(tmp_path / "backup.jsonl")], gateway=lambda: gateway) == 1
    assert "The store cannot be reached." in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (b"", "it has no end: the file was cut short"),
        (b"\xff\xfe", "can't decode byte 0xff"),
        (None, "No such file or directory"),
    ],
)
def test_what_is_no_backup_is_said(
    content: bytes | None, told: str, gateway: FakeGateway, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "backup.jsonl"
    if content is not None:
        file.write_bytes(content)
    for verb in ("check", "import"):
        assert main([verb, str(file)], gateway=lambda: gateway) == 1
        printed = capsys.readouterr()
        assert (printed.out, told in printed.err) == ("", True)
    assert gateway.outside.audit_log.entries == []


def test_the_tables_have_to_be_named(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("KEYS_TABLE", "PROVIDERS_TABLE", "PROMPTS_TABLE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AUDIT_TABLE", "audit")
    composition.gateway.cache_clear()
    with pytest.raises(SystemExit, match=r"Not set: KEYS_TABLE, PROVIDERS_TABLE, PROMPTS_TABLE\."):
        gateway_with_tables()
    for name in ("KEYS_TABLE", "PROVIDERS_TABLE", "PROMPTS_TABLE"):
        monkeypatch.setenv(name, "a table")
    composition.gateway.cache_clear()
    assert gateway_with_tables().settings.audit_table == "audit"
    composition.gateway.cache_clear()


@pytest.mark.parametrize("table", ["providers", "providers=", "audit=before"])
def test_another_table_is_one_that_a_backup_has(table: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["--table", table, "export", "backup.jsonl"], gateway=lambda: pytest.fail("AWS is not asked"))
    assert (
        f"one of keys, providers, prompts, an equals sign and a table's name, not '{table}'" in capsys.readouterr().err
    )


def test_another_table_takes_the_place_of_the_deployments(
    monkeypatch: pytest.MonkeyPatch, gateway: FakeGateway, tmp_path: Path
) -> None:
    monkeypatch.setenv("PROVIDERS_TABLE", "now")
    monkeypatch.setenv("KEYS_TABLE", "keys")
    assert main(["--table", "providers=before", "export", str(tmp_path / "file")], gateway=lambda: gateway) == 0
    assert (os.environ["PROVIDERS_TABLE"], os.environ["KEYS_TABLE"]) == ("before", "keys")
