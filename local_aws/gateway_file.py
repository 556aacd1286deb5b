"""`.local/gateway.json`: where tools find the running gateway and a key to it, for its owner's eyes only."""

import json
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path


@contextmanager
def written(path: Path, *, base_url: str, api_key: str, aws_endpoint_url: str) -> Iterator[None]:
    """Keep the file there for as long as the block runs; readers never see half of it."""
    text = json.dumps({"base_url": base_url, "api_key": api_key, "aws_endpoint_url": aws_endpoint_url}, indent=2) + "\n"
    _replace(path, text)
    try:
        yield
    finally:
        # A second run may have written its own in the meantime.
        with suppress(FileNotFoundError):
            if path.read_text() == text:
                path.unlink()


def _replace(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    partial = path.with_name(f"{path.name}.{os.getpid()}")
    with open(os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:  # noqa: PTH123
        file.write(text)
    partial.replace(path)
