"""The media types of answers that are not plain JSON."""

from typing import Final

EVENTS: Final = "text/event-stream"
PROBLEM: Final = "application/problem+json"
