"""What each field of the audit log's schemas means. Only the document needs them, and no request."""

from collections.abc import Mapping
from typing import Final

FIELDS: Final[Mapping[str, Mapping[str, str]]] = {
    "AuditList": {
        "items": "Some of the entries, newest first.",
        "next_cursor": "Asks for the next page. Null: there is none. A page may be short and still have a next one.",
    },
    "AuditEntry": {
        "id": "Counts the entries from 1, without a gap.",
        "at": "When it was entered, RFC 3339 in UTC. Never earlier than the entry before.",
        "actor": "Who did it, or was denied it.",
        "action": "What was done, such as `provider.updated`, or the kind of what was denied.",
        "target": "The id of the thing; of a denial by a known key, the endpoint.",
        "before": "The thing as it was, secrets as fingerprints. Over 32 KB: its SHA-256 and the names that changed.",
        "after": "The thing as it is since, told like `before`. Of denials, the minute that they are counted in.",
        "outcome": "Whether it was done or denied.",
        "request_id": "The `X-Request-Id` of the request; of several denials, the last one's.",
        "count": "How many denials of one kind within a minute this is. 1 for what was done.",
        "hash": (
            "The SHA-256, in hexadecimal digits, of all the other members: as JSON, names sorted, no white space, in UTF-8."
        ),
        "previous_hash": "The `hash` of the entry before; 64 zeros in the first.",
    },
    "AuditActor": {
        "key_id": "The key's id. Null: no key was recognised.",
        "role": "The role that the key had then.",
        "address": "The network address that the request came from; `command-line` for somebody at a shell.",
    },
}
