"""Erasures over HTTP."""

from typing import Annotated

from pydantic import Field, model_validator

from llm_gateway.domain.erasures import Erasure, ErasureStatus, Target, digest_of
from llm_gateway.domain.privacy import LONGEST_SUBJECT
from llm_gateway.endpoints import BASE_PATH
from llm_gateway.wire.schema import Incoming, Outgoing, Timestamp, wrong


class ErasureBody(Incoming):
    """Whose queries to erase: all of one key, or all whose `metadata.subject` is this text."""

    key_id: Annotated[str, Field(min_length=1, max_length=100)] | None = None
    subject: Annotated[str, Field(min_length=1, max_length=LONGEST_SUBJECT)] | None = None

    @model_validator(mode="after")
    def _names_one(self) -> "ErasureBody":
        if self.key_id is None and self.subject is None:
            raise wrong("key_id", "is required: name a key, or a subject instead")
        if self.key_id is not None and self.subject is not None:
            raise wrong("subject", "goes without key_id: name one of them")
        return self

    def to_domain(self) -> Target:
        return Target(key_id=self.key_id, subject=None if self.subject is None else digest_of(self.subject))


class ErasureShown(Outgoing):
    """How far an erasure has come."""

    id: str
    status: ErasureStatus
    erased: int
    failed: int = 0
    created_at: Timestamp
    completed_at: Timestamp | None

    @classmethod
    def of(cls, erasure: Erasure) -> "ErasureShown":
        return cls(
            id=erasure.id,
            status=erasure.status,
            erased=erasure.erased,
            failed=erasure.failed,
            created_at=erasure.created_at,
            completed_at=erasure.completed_at,
        )

    def own_path(self) -> str:
        return f"{BASE_PATH}/erasures/{self.id}"
