"""Tells whether inputs changed since something was made from them: a hash of their contents, kept in a stamp file."""

import hashlib
from collections.abc import Iterable
from pathlib import Path


def fingerprint(*parts: Path | str) -> str:
    """The sha256 of all `parts` in their order: texts as they are, files and folders by the names and contents in them.

    `__pycache__` does not count. A path that does not exist counts as that.
    """
    digest = hashlib.sha256()
    for part in parts:
        for name, content in _contents(part):
            digest.update(f"{len(name)}:{len(content)}:".encode() + name.encode() + content)
    return digest.hexdigest()


def is_current(stamp: Path, digest: str) -> bool:
    """Whether `stamp` was written for `digest`."""
    return stamp.is_file() and stamp.read_text() == digest


def write(stamp: Path, digest: str) -> None:
    """Record in `stamp` that what `digest` describes has been made."""
    stamp.parent.mkdir(parents=True, exist_ok=True)
    stamp.write_text(digest)


def _contents(part: Path | str) -> Iterable[tuple[str, bytes]]:
    if isinstance(part, str):
        yield "", part.encode()
    elif part.is_dir():
        for path in sorted(part.rglob("*")):
            if path.is_file() and "__pycache__" not in path.parts:
                yield path.relative_to(part).as_posix(), path.read_bytes()
    else:
        yield part.name, part.read_bytes() if part.exists() else b"\0absent"
