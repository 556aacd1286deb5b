"""Fetches a model file once, so that a start never sees half of one."""

import hashlib
import http.client
import os
import tempfile
import urllib.request
from pathlib import Path, PurePosixPath
from typing import IO
from urllib.error import URLError
from urllib.parse import unquote, urlsplit

_BLOCK_BYTES = 1 << 20
_READ_TIMEOUT_S = 60


class ModelFileError(Exception):
    """There is no usable model file; the message says what to do."""


def downloaded(url: str, *, cache_dir: Path, sha256: str | None) -> Path:
    """The file in the cache, fetched if it is not there. Raises ModelFileError."""
    parts = urlsplit(url)
    if parts.scheme not in {"http", "https"}:
        raise ModelFileError("MODEL_URL must begin with http:// or https://")
    # The address is in the name, because two addresses may end alike.
    folder = cache_dir / hashlib.sha256(url.encode()).hexdigest()[:16]
    path = folder / (PurePosixPath(unquote(parts.path)).name or "model.gguf")
    if not path.exists():
        folder.mkdir(parents=True, exist_ok=True)
        _fetch(url, path, sha256=sha256)
    return path


def _fetch(url: str, path: Path, *, sha256: str | None) -> None:
    handle, partial = tempfile.mkstemp(dir=path.parent, prefix=".partial-")
    try:
        with os.fdopen(handle, "wb") as file:
            found = _copy(url, file)
        if sha256 and found != sha256:
            raise ModelFileError(f"what MODEL_URL gave has the sha256 {found}, not the expected {sha256}")
        Path(partial).rename(path)
    except (URLError, http.client.HTTPException, OSError) as error:
        raise ModelFileError(f"cannot download MODEL_URL: {error}") from error
    finally:
        Path(partial).unlink(missing_ok=True)


def _copy(url: str, file: IO[bytes]) -> str:
    """Returns the sha256 of what was written."""
    digest = hashlib.sha256()
    with urllib.request.urlopen(url, timeout=_READ_TIMEOUT_S) as response:  # noqa: S310 - the scheme was checked
        expected = response.headers["Content-Length"]
        while block := response.read(_BLOCK_BYTES):
            digest.update(block)
            file.write(block)
    if expected is not None and file.tell() != int(expected):
        raise ModelFileError(f"the download of MODEL_URL ended after {file.tell()} of {expected} bytes")
    return digest.hexdigest()
