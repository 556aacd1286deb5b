"""A streamed answer as far as it is written: what the joiner of every wire keeps, and makes the whole answer of."""

from dataclasses import dataclass, field

from llm_gateway.domain.chat import ChatAnswer, ChatRequest, FinishReason, ToolCall, ToolCallDelta, Usage
from llm_gateway.providers.estimates import CountTokens, estimated_usage
from llm_gateway.providers.faults import FaultTable


@dataclass(slots=True, kw_only=True)
class WrittenCall:
    """A tool call that is being written, the `index`th of its answer."""

    index: int
    id: str
    name: str
    arguments: str = ""


@dataclass(slots=True, kw_only=True)
class Writing:
    """`calls` by the provider's own numbers; `model` is what it calls itself."""

    request: ChatRequest
    count_tokens: CountTokens
    faults: FaultTable
    generating: bool = False
    closed: bool = False
    text: list[str] = field(default_factory=list)
    calls: dict[int, WrittenCall] = field(default_factory=dict)
    model: str | None = None

    def begin_call(self, number: int, *, id: str, name: str, arguments: str = "") -> ToolCallDelta:  # noqa: A002
        # Counted here: some servers leave numbers out, or begin with any.
        call = WrittenCall(index=len(self.calls), id=id, name=name, arguments=arguments)
        self.calls[number] = call
        return ToolCallDelta(index=call.index, id=id, name=name, arguments=arguments)

    def ended(self, reason: FinishReason, usage: Usage | None) -> ChatAnswer:
        """The whole answer; its usage by estimate where the provider does not say."""
        calls = tuple(ToolCall(id=call.id, name=call.name, arguments=call.arguments) for call in self.calls.values())
        return ChatAnswer(
            text="".join(self.text) or (None if calls else ""),
            finish_reason=reason,
            model=self.model or self.request.model,
            usage=usage or self.estimate(),
            tool_calls=calls,
        )

    def estimate(self) -> Usage:
        calls = (call.name + call.arguments for call in self.calls.values())
        return estimated_usage(self.request, "".join([*self.text, *calls]), count_tokens=self.count_tokens)
