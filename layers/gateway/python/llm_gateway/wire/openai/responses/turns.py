"""Items as the messages that they are: what the model said, called and thought between two turns of others is one turn."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Final

from llm_gateway.domain import chat
from llm_gateway.wire.messages import MOST_CALLS, MOST_THOUGHTS
from llm_gateway.wire.openai.responses.items import (
    FunctionCall,
    FunctionCallOutput,
    InputMessage,
    OutputMessage,
    ReasoningItem,
)

AnyItem = InputMessage | OutputMessage | FunctionCall | FunctionCallOutput | ReasoningItem

VENDOR: Final = "openai"
_CALL: Final = re.compile(r"\.tool_calls\[(\d+)\](\.function)?")


@dataclass(slots=True)
class _Turn:
    """An assistant's turn as it is read, item by item.

    A turn has one text to the gateway, and several messages to OpenAI, which wants them back in their places: `marks` among the
    thoughts say how long each message is, and what its phase was. `sealed` are all thoughts of the turn with their marks.
    """

    said: list[chat.Part] = field(default_factory=list)
    calls: list[chat.ToolCall] = field(default_factory=list)
    thoughts: list[chat.ReasoningItem] = field(default_factory=list)
    messages: int = 0
    phased: bool = False
    sealed: tuple[chat.ReasoningItem, ...] | None = None

    def say(self, item: OutputMessage) -> None:
        texts = item.texts()
        if not texts:
            return
        self.said += (chat.TextPart(text=text) for text in texts)
        self.messages += 1
        self.phased = self.phased or item.phase is not None
        self._keep({"type": "message", "phase": item.phase, "length": sum(map(len, texts))})

    def think(self, item: ReasoningItem) -> None:
        if (sealed := item.sealed()) is not None:
            self.sealed = (*(self.sealed or ()), *sealed)
        elif item.encrypted_content:
            self._keep(item.thought())

    def _keep(self, item: dict[str, object]) -> None:
        after = len(self.calls) + 1 if self.calls or self.said else 0
        self.thoughts.append(chat.ReasoningItem(vendor=VENDOR, item=item, after=after))

    def message(self) -> chat.Message | None:
        if not (self.said or self.calls or self.thoughts or self.sealed):
            return None
        return chat.Message(
            role=chat.MessageRole.ASSISTANT,
            content=tuple(self.said),
            tool_calls=tuple(self.calls),
            reasoning=self._reasoning() if self.sealed is None else self.sealed,
        )

    def _reasoning(self) -> tuple[chat.ReasoningItem, ...]:
        """The thoughts, and the marks of messages where they tell something."""
        plain = tuple(item for item in self.thoughts if item.item["type"] != "message")
        return tuple(self.thoughts) if self.phased or (self.messages > 1 and plain) else plain


def messages_of(items: Sequence[AnyItem]) -> Iterator[chat.Message]:
    """The messages of a conversation, those that say nothing left out."""
    return (message for message, _ in _made(items))


def _made(items: Sequence[AnyItem]) -> Iterator[tuple[chat.Message, range]]:
    """Each message, and the places of the items that it is made of."""
    turn, begun = _Turn(), 0
    for place, item in enumerate(items):
        match item:
            case OutputMessage():
                turn.say(item)
            case FunctionCall():
                turn.calls.append(item.call())
            case ReasoningItem():
                turn.think(item)
            case _:
                if said := turn.message():
                    yield said, range(begun, place)
                if own := item.message():
                    yield own, range(place, place + 1)
                turn, begun = _Turn(), place + 1
    if said := turn.message():
        yield said, range(begun, len(items))


def place_of(items: Sequence[AnyItem], number: int, rest: str) -> str:
    """What the client calls the message `number`, and `rest` in it: the item that it is, or the first of those it is made of."""
    places = next((places for at, (_, places) in enumerate(_made(items)) if at == number), range(0))
    calls = [place for place in places if isinstance(items[place], FunctionCall)]
    called = _CALL.match(rest)
    if called and int(called[1]) < len(calls):
        return f"input[{calls[int(called[1])]}]{rest[called.end() :]}"
    said = [place for place in places if not isinstance(items[place], FunctionCall | ReasoningItem)]
    if not places:
        return "input"
    if len(said) != 1:
        return f"input[{places[0]}]"
    if isinstance(items[said[0]], FunctionCallOutput):
        rest = rest.replace(".content", ".output", 1)
    return f"input[{said[0]}]{rest.removesuffix('.url').replace('.file.', '.')}"


def fault_in(items: Sequence[AnyItem]) -> str | None:
    """Why the items are more than a turn may have."""
    for message in messages_of(items):
        if len(message.tool_calls) > MOST_CALLS:
            return f"calls more than {MOST_CALLS} functions in one turn"
        if len(message.reasoning) > MOST_THOUGHTS:
            return f"has more than {MOST_THOUGHTS} thoughts in one turn"
    return None
