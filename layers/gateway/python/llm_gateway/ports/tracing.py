"""Traces: spans of what is done for a request, for those who collect them. Where nobody does, there is none of this."""

# A port holds types alone: what imports one for its name does not wait for the import of every value that it speaks of.
from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from contextlib import AbstractContextManager

    from llm_gateway.correlation import Correlation
    from llm_gateway.ports.providers import Providers
    from llm_gateway.ports.queries import AnswerCache


class Span(Protocol):
    def note(self, **facts: str | int | float | bool | None) -> None:
        """Adds attributes; two underscores in a name stand for a dot. None adds nothing."""
        ...

    def fail(self, error_type: str) -> None: ...


class Tracing(Protocol):
    """None of it raises, and none of it waits for the collector but `flush`."""

    def serving(self, name: str, correlation: Correlation, *, queued: bool = False) -> AbstractContextManager[Span]:
        """The outermost span of this process, which goes on with the trace that `correlation` names; it names the span from
        then on. `queued` where a message is worked on, and no request."""
        ...

    def step(self, name: str) -> AbstractContextManager[Span]:
        """A span within the one that is open."""
        ...

    def providers(self, providers: Providers) -> Providers:
        """The same with a span for each call, which is handed on to the provider."""
        ...

    def cache(self, cache: AnswerCache) -> AnswerCache:
        """The same with a span for each time that it is asked."""
        ...

    def flush(self) -> None:
        """Sends what has ended, in a second at most: a Lambda is frozen once its answer is out."""
        ...
