"""Why a model stopped, in the words of every wire: a server borrows another vendor's as often as it uses its own."""

from collections.abc import Mapping
from typing import Final

from llm_gateway.domain.chat import FinishReason
from llm_gateway.domain.faults import ProviderResponseInvalid

_MEANINGS: Final[Mapping[str, FinishReason]] = {
    **dict.fromkeys(("stop", "end_turn", "stop_sequence", "eos", "eos_token"), FinishReason.STOP),
    **dict.fromkeys(
        ("length", "max_tokens", "max_length", "model_length", "model_context_window_exceeded"), FinishReason.LENGTH
    ),
    **dict.fromkeys(("tool_calls", "tool_use", "function_call"), FinishReason.TOOL_CALLS),
    **dict.fromkeys(
        ("content_filter", "content_filtered", "guardrail_intervened", "refusal", "safety"), FinishReason.CONTENT_FILTER
    ),
}


def finish_reason(value: object, *, calls: bool) -> FinishReason:
    """What `value` means beside an answer that has `calls` or none. Raises `ProviderResponseInvalid`.

    The answer's content counts more than its stated reason. Some servers say "stop" although the model called a tool, as OpenAI
    itself does where the tool was named. Others say "tool_calls" where there are none.
    """
    reason = _MEANINGS.get(value.strip().lower()) if isinstance(value, str) else None
    if reason is None:
        raise ProviderResponseInvalid("The provider ended its answer for a reason that the gateway does not know.")
    if reason in (FinishReason.STOP, FinishReason.TOOL_CALLS):
        return FinishReason.TOOL_CALLS if calls else FinishReason.STOP
    return reason
