"""Secrets in the tree and in its history, by the formats that the gateway redacts."""

import hashlib
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from audits.results import Finding, Result

_ADDED: Final = re.compile(r"^\+(?!\+\+ )(.*)$")
_FILE: Final = re.compile(r"^\+\+\+ b/(.*)$")
_COMMIT: Final = re.compile(r"^commit ([0-9a-f]{40})$")


def secrets(root: Path) -> Result:
    """Every file that git knows, and every line that any commit ever added."""
    files = _git(root, "ls-files", "-z").split("\0")[:-1]
    commits = _git(root, "rev-list", "--all").split()
    found: dict[str, Finding] = {}
    for name in files:
        path = root / name
        if path.is_file() and not path.is_symlink():
            text = path.read_bytes().decode("utf-8", "replace")
            found |= {each.rule + each.place: each for each in _in(text, place=name)}
    for place, line in _history(root):
        for each in _in(line, place=place):
            found.setdefault(each.rule + each.place, each)
    looked_at = f"{len(files)} files, and every line added in {len(commits)} commits"
    return Result(check="secrets", looked_at=looked_at, findings=tuple(found.values()))


def _in(text: str, *, place: str) -> Iterator[Finding]:
    from llm_gateway.domain.redaction import known, random_piece

    for span in known(text):
        secret = text[slice(*span)]
        # What nobody drew at random opens nothing: examples, and names that begin like a credential.
        if random_piece(secret) is not None or ("PRIVATE" in secret[:60] and len(secret) > 200):
            mark = hashlib.sha256(secret.encode("utf-8", "replace")).hexdigest()[:12]
            yield Finding(rule=f"sha256:{mark}", place=place, told=f"{secret[:6]}… of {len(secret)} characters")


def _history(root: Path) -> Iterator[tuple[str, str]]:
    """Places (`path@commit`) with the lines added there, joined: a private key has several."""
    command = ["git", "-C", str(root), "log", "--all", "-p", "-U0", "--no-color", "--no-textconv", "--format=commit %H"]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as process:
        commit = name = ""
        lines: list[str] = []
        for raw in process.stdout or ():
            line = raw.decode("utf-8", "replace").rstrip("\n")
            starts = _COMMIT.match(line) or _FILE.match(line)
            if starts:
                yield name, "\n".join(lines)
                lines = []
                commit, name = (starts[1], "") if line.startswith("commit") else (commit, starts[1])
            elif added := _ADDED.match(line):
                lines.append(added[1])
        yield name, "\n".join(lines)
    if process.returncode:
        raise RuntimeError("git log failed")


def _git(root: Path, *arguments: str) -> str:
    return subprocess.run(["git", "-C", str(root), *arguments], check=True, capture_output=True, text=True).stdout  # noqa: S607
