"""The audit log over HTTP."""

from typing import Any, Literal

from llm_gateway.domain.audit.entries import AuditEntry
from llm_gateway.ports.system import Page
from llm_gateway.wire.schema import Outgoing, PageOf, Timestamp


class ActorShown(Outgoing):
    """Who did it. Without a key, nobody who could be recognised; the address is the network's."""

    key_id: str | None
    role: str | None
    address: str | None


class AuditEntryShown(Outgoing):
    """One entry. `hash` is the SHA-256 of all the rest, as JSON with sorted names, without white space, in UTF-8."""

    id: str
    at: Timestamp
    actor: ActorShown
    action: str
    target: str | None
    before: dict[str, Any] | None
    after: dict[str, Any] | None
    outcome: Literal["done", "denied"]
    request_id: str | None
    count: int
    hash: str
    previous_hash: str

    @classmethod
    def of(cls, entry: AuditEntry) -> "AuditEntryShown":
        return cls(**entry.members(), hash=entry.hash)


class AuditPage(PageOf[AuditEntryShown]):
    """Some of the log's entries, newest first. Of a search by actor or action, a page may be short and have a next one."""

    @classmethod
    def of(cls, page: Page[AuditEntry]) -> "AuditPage":
        return cls(items=[AuditEntryShown.of(entry) for entry in page.items], next_cursor=page.next_cursor)
