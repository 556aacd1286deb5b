"""The machine itself: its clock and its randomness."""

import secrets
import time
from datetime import UTC, datetime

from ulid import ULID


class SystemClock:
    def now(self) -> datetime:
        return datetime.now(UTC)

    def monotonic_s(self) -> float:
        return time.monotonic()

    def sleep(self, duration_s: float) -> None:
        time.sleep(duration_s)


class RandomIds:
    def ulid(self) -> str:
        return str(ULID())

    def secret(self) -> str:
        return secrets.token_urlsafe(32)
