"""Keep what a layer's build makes under `.cache/layers`, named by what it was made from, so that nothing is built twice."""

import hashlib
import os
import shutil
import tempfile
from collections.abc import Callable, Iterable
from pathlib import Path

LAYERS = Path(__file__).resolve().parent
CACHE = LAYERS.parent / ".cache" / "layers"
# Zip archives cannot carry an earlier time, and one time for every file makes builds of the same parts the same bytes.
_EPOCH_S = 315_532_800


def cached(name: str, made_from: Iterable[bytes], fill: Callable[[Path], None], *, cache: Path = CACHE) -> Path:
    """The directory `name` made from exactly these parts; `fill` is called with an empty one only if there is none yet."""
    digest = hashlib.sha256(b"".join(hashlib.sha256(part).digest() for part in made_from)).hexdigest()[:16]
    directory = cache / f"{name}-{digest}"
    if not directory.is_dir():
        cache.mkdir(parents=True, exist_ok=True)
        scratch = Path(tempfile.mkdtemp(prefix=f"{name}-", dir=cache))
        try:
            fill(scratch)
            _settle(scratch)
            _publish(scratch, directory)
        finally:
            shutil.rmtree(scratch, ignore_errors=True)
    return directory


def size_mb(directory: Path) -> float:
    """What the files under `directory` take unzipped, in millions of bytes, as Lambda counts them."""
    return sum(path.stat().st_size for path in directory.rglob("*") if path.is_file()) / 1e6


def _settle(directory: Path) -> None:
    directory.chmod(0o755)
    for path in directory.rglob("*"):
        os.utime(path, (_EPOCH_S, _EPOCH_S))


def _publish(scratch: Path, directory: Path) -> None:
    try:
        scratch.rename(directory)
    except OSError:
        # Another build of the same parts was faster; its directory is as good as this one.
        if not directory.is_dir():
            raise
