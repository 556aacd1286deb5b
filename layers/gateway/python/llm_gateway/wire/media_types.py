"""The media types of answers."""

from typing import Final

JSON: Final = "application/json"
EVENTS: Final = "text/event-stream"
PROBLEM: Final = "application/problem+json"

KEEP_ALIVE: Final = b": keep-alive\n\n"
"""A comment among server-sent events: readers pass over it."""
