"""Fitting by the provider's own counts: the gateway's estimate chooses, the provider says how much it was."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from llm_gateway.domain.chat import ChatRequest
    from llm_gateway.services.context.fitted import CountExactly, Fitted

_MOST_CALLS: Final = 4
# A little less than what would have been right by the last count.
_CAREFUL: Final = 0.99
_ENOUGH: Final = 0.95
_NOT_COUNTED: Final = "The provider did not count the tokens of the context: they are estimated."


def fitted_exactly(
    chat: "ChatRequest",
    estimated: "Fitted",
    *,
    budget_beside: "Callable[[int], int | None]",
    filled: "Callable[[int], Fitted]",
    exactly: "CountExactly",
) -> "Fitted":
    """`estimated` made larger or smaller until it fits by the provider's count, in four calls at most.

    `budget_beside` says what the context may take beside so many tokens of the rest, `filled` fills so many by the gateway's own
    count. Where the provider does not count, `estimated` is the answer, with a warning.
    """
    without = exactly(chat)
    if without is None:
        return estimated.warned(_NOT_COUNTED)
    budget, best, found = budget_beside(without), None, estimated
    for _ in range(_MOST_CALLS - 1):
        if not found.report.tokens:
            break
        counted = exactly(found.chat)
        if counted is None:
            return (best or estimated).warned(_NOT_COUNTED)
        tokens = max(1, counted - without)
        if budget is None or tokens <= budget:
            best = found.counted(tokens)
            if budget is None or tokens >= budget * _ENOUGH or not _left_out(found):
                return best
        found = filled(int(found.report.tokens * (budget or 0) / tokens * _CAREFUL))
    return best or estimated


def _left_out(found: "Fitted") -> bool:
    return any(item.reason == "no_room" for item in found.report.items)
