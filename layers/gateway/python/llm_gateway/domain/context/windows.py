"""How many tokens of a model's window are left for what a query hands over, once everything else has its part."""

from collections.abc import Callable

from llm_gateway.domain.chat import ChatRequest
from llm_gateway.domain.model_table import ModelProfile
from llm_gateway.values import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Window:
    """The tokens that a model takes, by part; None where nobody knows. What it thinks before it answers is part of `output`."""

    input: int | None
    output: int

    @classmethod
    def of(cls, profile: ModelProfile, *, output_tokens: int, asked: bool) -> "Window":
        """`output_tokens` are kept free for the answer. Where nobody `asked` for so many, half of a small window stays free."""
        total = profile.context_window
        if total is not None and not asked:
            output_tokens = min(output_tokens, total // 2)
        bounds = (None if total is None else total - output_tokens, profile.max_input_tokens)
        return cls(input=min((bound for bound in bounds if bound is not None), default=None), output=output_tokens)

    def left(self, request: ChatRequest, tokens: Callable[[ChatRequest], int]) -> int | None:
        """The input tokens that `request` leaves free."""
        return None if self.input is None else self.input - tokens(request)
