"""The media types of answers that are not plain JSON."""

from typing import Final

EVENTS: Final = "text/event-stream"
PROBLEM: Final = "application/problem+json"

KEEP_ALIVE: Final = b": keep-alive\n\n"
"""A comment among server-sent events: readers pass over it."""
