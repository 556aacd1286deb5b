"""Erasures: all queries of a key, or of one whom queries are about, deleted by the workers; and how far that has come."""

from dataclasses import replace
from datetime import datetime, timedelta
from enum import StrEnum
from hashlib import sha256
from typing import Any, Final

from llm_gateway.domain.privacy import SUBJECT, Privacy
from llm_gateway.values import dataclass

SWEPT_AFTER: Final = timedelta(minutes=15)
"""A query that is asked when the erasure is may be stored at its own end, after so long at the latest."""


class ErasureStatus(StrEnum):
    RUNNING = "running"
    FINISHED = "finished"
    FAILED = "failed"


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """Whose queries: a key's by its id, or a subject's by its digest. The subject itself is written down nowhere."""

    key_id: str | None = None
    subject: str | None = None

    @property
    def listed_under(self) -> str:
        """The name of the index partitions that hold them all."""
        return self.key_id if self.key_id is not None else f"{SUBJECT}:{self.subject}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Erasure:
    """`erased` counts the queries that are gone; those of `pending` were about to go when this was written.

    `failed` counts those that would not go when they were last seen to: they are tried again at the sweep.

    `before` is the id of the last query that was seen: the next one has a lower id. Everything that came in before `created_at`
    goes. Once `passed`, each was seen to once, and the sweep is next. Once `swept`, what was still being answered then is gone,
    too.
    """

    id: str
    target: Target
    created_at: datetime
    expires_at: datetime
    status: ErasureStatus = ErasureStatus.RUNNING
    erased: int = 0
    failed: int = 0
    pending: tuple[str, ...] = ()
    before: str | None = None
    passed: bool = False
    swept: bool = False
    completed_at: datetime | None = None
    revision: int = 1

    def changed(self, **changes: Any) -> "Erasure":
        return replace(self, **changes, revision=self.revision + 1)


def digest_of(subject: str) -> str:
    """What stands for a subject where queries are found by it: nobody reads a name or an address out of it."""
    return sha256(b"subject\n" + subject.encode(errors="surrogatepass")).hexdigest()


def subject_of(metadata: Any, privacy: Privacy | None = None) -> str | None:
    """The digest of the subject that a query's metadata name as text, or named before policies changed them."""
    if privacy is not None and privacy.subject is not None:
        return privacy.subject
    subject = metadata.get(SUBJECT)
    return digest_of(subject) if isinstance(subject, str) and subject else None
