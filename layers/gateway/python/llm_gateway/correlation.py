"""What log lines are told apart by: which request and query they are about, wherever the code runs, and their kind.

A context variable, and no argument: whatever logs may need it, and nothing is decided by it.
"""

import re
from contextvars import ContextVar
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

REQUEST_ID: Final = re.compile(r"req_[0-9A-HJKMNP-TV-Z]{26}")
# Of later versions of the header we understand the part that version 00 has.
_TRACEPARENT: Final = re.compile(
    r"(?!ff)(?P<version>[0-9a-f]{2})-(?P<trace>(?!0{32})[0-9a-f]{32})-(?P<span>(?!0{16})[0-9a-f]{16})-[0-9a-f]{2}(?P<rest>-.*)?"
)
_NOT_SAMPLED: Final = "00"
_TRACE_ID: Final = 2**128 - 1
# From Crockford's digits, which a ULID is written in, to those that `int` reads.
_BASE_32: Final = str.maketrans("ABCDEFGHJKMNPQRSTVWXYZ", "abcdefghijklmnopqrstuv")


class LineKind(StrEnum):
    """`REQUEST` lines tell what was asked and how that went, `ERROR` lines that the gateway, a provider or something that it
    stands on failed, `SECURITY` lines that somebody was not let in, `PERFORMANCE` lines what something took."""

    REQUEST = "request"
    ERROR = "error"
    PERFORMANCE = "performance"
    SECURITY = "security"


_KINDS: Final = {
    "access": LineKind.SECURITY,
    "caller": LineKind.REQUEST,
    "limit": LineKind.REQUEST,
    "budget": LineKind.REQUEST,
}


def kind_of(error_class: str) -> LineKind:
    """The kind of a line that tells of an error of this class."""
    return _KINDS.get(error_class, LineKind.ERROR)


@dataclass(slots=True, kw_only=True)
class Correlation:
    """`traceparent` is the W3C header that a caller sent, or the one of the span that is open; None where nobody traces.

    `request_id` is None where a process works for nobody's request.
    """

    request_id: str | None = None
    query_id: str | None = None
    traceparent: str | None = None

    @property
    def trace_id(self) -> str | None:
        """32 hexadecimal digits: the trace's that the request is a part of, or else one made of the request's own id."""
        if self.traceparent is not None:
            return self.traceparent[3:35]
        return None if self.request_id is None else _hex_of(self.request_id)

    @property
    def carried(self) -> str | None:
        """A `traceparent` for those who go on with the request elsewhere, also where nobody traces."""
        trace_id = self.trace_id
        if self.traceparent is not None or trace_id is None:
            return self.traceparent
        return f"00-{trace_id}-{trace_id[16:]}-{_NOT_SAMPLED}"

    def told(self) -> dict[str, str]:
        """What is known, by the names that log lines have for it."""
        known = {"request_id": self.request_id, "query_id": self.query_id, "trace_id": self.trace_id}
        return {name: value for name, value in known.items() if value is not None}


CURRENT: Final[ContextVar[Correlation]] = ContextVar("correlation", default=Correlation())  # noqa: B039 - never changed
"""Set where a request or a message comes in. Threads that are started for it have to be given its context."""


def traceparent_in(text: str) -> str | None:
    """The header, in the form of version 00, if it is one; what cannot be read is as if it had not been sent."""
    found = _TRACEPARENT.fullmatch(text.strip())
    if found is None or (found["version"] == "00" and found["rest"]):
        return None
    return f"00-{text.strip()[3:55]}"


def _hex_of(request_id: str) -> str:
    """A ULID has 128 bits, as a trace's id has, and its last 80 are random."""
    return f"{int(request_id.removeprefix('req_').translate(_BASE_32), 32) & _TRACE_ID:032x}"
