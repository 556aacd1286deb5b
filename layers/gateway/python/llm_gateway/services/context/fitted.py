"""A request with its context in it."""

from collections.abc import Callable
from dataclasses import dataclass, replace

from llm_gateway.domain.chat import ChatRequest
from llm_gateway.domain.query_context import ContextReport

CountExactly = Callable[[ChatRequest], int | None]
"""The input tokens of a request as its provider counts them; None where it cannot be asked."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Fitted:
    """A request with its context in the system prompt, and what was sent of it."""

    chat: ChatRequest
    report: ContextReport

    def warned(self, warning: str) -> "Fitted":
        return replace(self, report=replace(self.report, warnings=(*self.report.warnings, warning)))

    def counted(self, tokens: int) -> "Fitted":
        """With the provider's count in the place of the gateway's."""
        return replace(self, report=replace(self.report, tokens=tokens, exact=True))
