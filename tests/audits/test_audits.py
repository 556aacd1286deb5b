"""The audit: findings are told, accepted ones by their reason, and its status is honest."""

import re
import subprocess
from email.message import Message
from pathlib import Path

import pytest

from audits import code, packages, tree
from audits.__main__ import ACCEPTED, CHECKS, ROOT, audit
from audits.results import Finding, Result, accepted, judged
from tests.domain.secret_samples import sample

FOUND = Finding(rule="R1", place="a/b.py", told="is wrong")


def listed(tmp_path: Path, *entries: str) -> Path:
    path = tmp_path / "accepted.toml"
    path.write_text("".join(f"[[accepted]]\n{entry}\n" for entry in entries))
    return path


def entry(**said: str) -> str:
    return "\n".join(
        f'{name} = "{value}"'
        for name, value in ({"check": "one", "rule": "R1", "place": "a/*", "reason": "so"} | said).items()
    )


def test_a_finding_is_told_and_fails_unless_it_is_accepted(tmp_path: Path) -> None:
    checks = {"one": lambda: Result(check="one", looked_at="1 file", findings=(FOUND,))}
    rows, left = audit(checks, accepting=listed(tmp_path))
    assert rows == [("one", "1 file", "1 to be seen to")]
    assert left == ["one: R1 in a/b.py: is wrong"]
    rows, left = audit(checks, accepting=listed(tmp_path, entry()))
    assert (rows, left) == ([("one", "1 file", "nothing else found, 1 accepted")], [])


@pytest.mark.parametrize("other", [{"check": "two"}, {"rule": "R2"}, {"place": "c/*"}])
def test_what_is_accepted_elsewhere_is_not_accepted_here(tmp_path: Path, other: dict[str, str]) -> None:
    left, count = judged(
        Result(check="one", looked_at="", findings=(FOUND,)), accepted(listed(tmp_path, entry(**other)))
    )
    assert FOUND in left
    assert count == 0


def test_what_is_accepted_and_found_no_more_is_a_finding(tmp_path: Path) -> None:
    entries = accepted(listed(tmp_path, entry()))
    left, _ = judged(Result(check="one", looked_at="1 file"), entries)
    assert [each.told for each in left] == ["is accepted, and found no more: take it out"]
    assert judged(Result(check="one", looked_at="1 file", skipped="away"), entries) == ([], 0)


def test_one_without_a_reason_is_not_accepted(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="no reason"):
        accepted(listed(tmp_path, entry(reason=" ")))


def test_a_check_that_breaks_fails_and_one_that_is_skipped_says_so(tmp_path: Path) -> None:
    def broken() -> Result:
        raise RuntimeError("no such tool")

    checks = {"one": broken, "two": lambda: Result(check="two", looked_at="2 locks", skipped="nobody answers")}
    rows, left = audit(checks, accepting=listed(tmp_path))
    assert rows == [("one", "-", "could not be made"), ("two", "2 locks", "skipped: nobody answers")]
    assert left == ["one: could not be made: no such tool"]


@pytest.mark.holds("LLM03")
def test_a_secret_is_found_in_the_tree_and_in_what_was_once_committed(tmp_path: Path) -> None:
    def git(*arguments: str) -> None:
        who = ("-c", "user.name=A", "-c", "user.email=a@example.com")
        subprocess.run(["git", "-C", tmp_path, *who, *arguments], check=True, capture_output=True)

    git("init", "-q")
    removed, kept = sample("GitHub"), sample("private key")
    (tmp_path / "once.txt").write_text(f"a\n{removed}\n")
    git("add", ".")
    git("commit", "-qm", "one")
    (tmp_path / "once.txt").write_text("a\n")
    (tmp_path / "now.txt").write_text(f"b\n{kept}\nsk-boots-and-nothing-else-of-note\n")
    git("add", ".")
    git("commit", "-qm", "two")
    result = tree.secrets(tmp_path)
    assert sorted(each.place for each in result.findings) == ["now.txt", "once.txt"]
    told = repr(result)
    assert removed not in told
    assert kept[40:80] not in told
    assert result.looked_at == "2 files, and every line added in 2 commits"


def test_a_base_without_a_digest_is_found(tmp_path: Path) -> None:
    (tmp_path / "container-local-model").mkdir()
    (tmp_path / code.DOCKERFILE).write_text(
        f"ARG BASE=python:3.13\nFROM ${{BASE}} AS one\nFROM alpine@sha256:{'0' * 64}\nFROM one\n"
    )
    result = code.image_bases(tmp_path)
    assert [each.place for each in result.findings] == ["python"]


@pytest.mark.holds("LLM03")
def test_what_ships_has_licences_that_are_allowed_or_accepted() -> None:
    left, _ = judged(packages.licences(ROOT), accepted(ACCEPTED))
    assert left == []


def test_every_check_is_in_the_table_and_every_acceptance_is_of_a_check() -> None:
    assert {entry.check for entry in accepted(ACCEPTED)} <= set(CHECKS)
    assert len(CHECKS) == 8


@pytest.mark.parametrize(
    ("expression", "is_allowed"),
    [
        ("MIT", True),
        ("mit", True),
        ("GPL-3.0-only", False),
        ("GPL-3.0-only AND MIT", False),
        ("MIT AND GPL-3.0-only", False),
        ("GPL-3.0-only OR MIT", True),
        ("MIT OR GPL-3.0-only AND Apache-2.0", True),
        ("(MIT OR GPL-3.0-only) AND AGPL-3.0-only", False),
        ("(MIT OR GPL-3.0-only) AND Apache-2.0", True),
        ("Apache-2.0 WITH LLVM-exception", True),
        ("GPL-2.0-only WITH Classpath-exception-2.0", False),
        ("Apache-2.0+", True),
        ("LicenseRef-Proprietary", False),
        # What is no expression says nothing that could be relied on.
        ("BSD License and others", False),
        ("MIT and its friends", False),
        ("MIT AND", False),
        ("(MIT", False),
        ("MIT)", False),
        ("MIT, BSD-3-Clause", False),
        ("Permitted by MIT", False),
        ("WITH", False),
        ("", False),
    ],
)
def test_a_licence_is_read_as_it_is_written(expression: str, is_allowed: bool) -> None:
    assert packages.is_allowed(expression) is is_allowed


def about(**said: str | list[str]) -> Message:
    told = Message()
    for name, value in said.items():
        for each in [value] if isinstance(value, str) else value:
            told[name.replace("_", "-")] = each
    return told


@pytest.mark.parametrize(
    ("told", "licence"),
    [
        (about(License_Expression="MIT OR Apache-2.0", License="GPL"), "MIT OR Apache-2.0"),
        (about(Classifier=["Topic :: Internet", "License :: OSI Approved :: MIT License"]), "MIT"),
        (
            about(Classifier=["License :: OSI Approved :: MIT License", "License :: Other/Proprietary License"]),
            "(MIT) AND (Other/Proprietary License)",
        ),
        (about(License="MIT License\n\nCopyright (c) 2022"), "MIT"),
        (about(License="MIT OR Apache-2.0"), "MIT OR Apache-2.0"),
        (about(), ""),
    ],
)
def test_a_licence_is_told_by_what_a_package_says_of_itself(told: Message, licence: str) -> None:
    assert packages.licence_of(told) == licence


def test_each_secret_that_is_accepted_is_one_that_somebody_has_looked_at() -> None:
    rules = [entry.rule for entry in accepted(ACCEPTED) if entry.check == "secrets"]
    assert [rule for rule in rules if not re.fullmatch(r"sha256:[0-9a-f]{12}", rule)] == []
