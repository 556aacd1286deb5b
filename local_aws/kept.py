"""What a run keeps for the next one: everything in the emulator, and the admin key that was made for it."""

import fcntl
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

_KEY: Final = "admin-key"


@dataclass(frozen=True, slots=True)
class Kept:
    """A folder for its owner's eyes only: providers' credentials and the pepper are in it as they are."""

    folder: Path

    @property
    def is_there(self) -> bool:
        """Whether an earlier run has left something."""
        return self.services.exists()

    @property
    def services(self) -> Path:
        """Where the emulator writes what its services hold."""
        return self.folder / "services"

    @property
    def objects(self) -> Path:
        """Where the emulator writes what its buckets hold."""
        return self.folder / "objects"

    def key(self) -> str | None:
        """The admin key of an earlier run."""
        path = self.folder / _KEY
        return path.read_text().strip() or None if self.is_there and path.exists() else None

    def keep_key(self, key: str) -> None:
        with open(os.open(self.folder / _KEY, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:  # noqa: PTH123
            file.write(key)


@contextmanager
def kept_in(folder: Path, *, fresh: bool) -> Iterator[Kept | None]:
    """What is kept in `folder`, emptied if `fresh`; None while another run has it, which would lose what this one writes."""
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    folder.chmod(0o700)
    with (folder / "lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            yield None
            return
        kept = Kept(folder)
        if fresh:
            for part in (kept.services, kept.objects):
                # What cannot be deleted is told: it would be there again.
                if part.exists():
                    shutil.rmtree(part)
            (folder / _KEY).unlink(missing_ok=True)
        yield kept
