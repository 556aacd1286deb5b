"""Turns in Anthropic's shape, and the messages that they are: a tool's result is a message of its own here."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Annotated, Any, Final, Literal

from pydantic import Field, model_validator

from llm_gateway.domain import chat
from llm_gateway.wire.anthropic import thoughts
from llm_gateway.wire.anthropic.blocks import (
    AssistantContent,
    ImageBlock,
    RedactedBlock,
    TextBlock,
    TextContent,
    ThinkingBlock,
    ToolResultBlock,
    ToolUseBlock,
    UserContent,
    parts_of,
)
from llm_gateway.wire.messages import MOST_CALLS, MOST_THOUGHTS
from llm_gateway.wire.schema import Incoming, wrong

_USER: Final = chat.MessageRole.USER
_CALL: Final = re.compile(r"\.tool_calls\[(\d+)\](\.function)?")
_PART: Final = re.compile(r"\.content\[(\d+)\]")
_ONE_PART: Final = (TextBlock, ImageBlock)


class UserTurn(Incoming):
    """What the user says, and what tools answered."""

    role: Literal["user"]
    content: UserContent

    def messages(self) -> Iterator[chat.Message]:
        if isinstance(self.content, str):
            if parts := parts_of(self.content):
                yield chat.Message(role=_USER, content=parts)
            return
        said: list[chat.Part] = []
        for block in self.content:
            if not isinstance(block, ToolResultBlock):
                said += block.parts()
                continue
            if said:
                yield chat.Message(role=_USER, content=tuple(said))
                said = []
            yield block.message()
        if said:
            yield chat.Message(role=_USER, content=tuple(said))


@dataclass(slots=True)
class _Turn:
    """An assistant's turn as it is read, block by block."""

    said: list[chat.Part] = field(default_factory=list)
    calls: list[chat.ToolCall] = field(default_factory=list)
    thoughts: list[chat.ReasoningItem] = field(default_factory=list)
    sealed: tuple[chat.ReasoningItem, ...] | None = None

    def think(self, item: dict[str, Any]) -> None:
        after = len(self.calls) + 1 if self.calls or self.said else 0
        self.thoughts.append(chat.ReasoningItem(vendor=thoughts.VENDOR, item=item, after=after))

    def message(self) -> chat.Message:
        return chat.Message(
            role=chat.MessageRole.ASSISTANT,
            content=tuple(self.said),
            tool_calls=tuple(self.calls),
            reasoning=tuple(self.thoughts) if self.sealed is None else self.sealed,
        )


class AssistantTurn(Incoming):
    """What the model said: text, tool calls, and the thoughts before them."""

    role: Literal["assistant"]
    content: AssistantContent

    @model_validator(mode="after")
    def _is_as_it_was_given(self) -> "AssistantTurn":
        blocks = self.content if isinstance(self.content, list) else []
        if sum(isinstance(block, ToolUseBlock) for block in blocks) > MOST_CALLS:
            raise wrong("content", f"calls more than {MOST_CALLS} tools")
        if sum(isinstance(block, ThinkingBlock | RedactedBlock) for block in blocks) > MOST_THOUGHTS:
            raise wrong("content", f"has more than {MOST_THOUGHTS} thoughts")
        for block in blocks:
            if isinstance(block, RedactedBlock):
                try:
                    thoughts.opened(block.data)
                except ValueError as fault:
                    raise wrong("content", f"has a redacted_thinking block whose data {fault}") from None
        return self

    def messages(self) -> Iterator[chat.Message]:
        turn = _Turn()
        if isinstance(self.content, str):
            turn.said += parts_of(self.content)
        else:
            for block in self.content:
                _read(block, turn)
        if turn.said or turn.calls or turn.thoughts or turn.sealed:
            yield turn.message()


def _read(block: TextBlock | ToolUseBlock | ThinkingBlock | RedactedBlock, turn: _Turn) -> None:
    match block:
        case TextBlock():
            turn.said += block.parts()
        case ToolUseBlock():
            turn.calls.append(block.call())
        case ThinkingBlock():
            # Without its signature it is nothing that the vendor would take.
            if block.signature:
                turn.think(block.thought())
        case RedactedBlock():
            found = thoughts.opened(block.data)
            if found is None:
                turn.think({"type": "redacted_thinking", "data": block.data})
            else:
                turn.sealed = found


class SystemTurn(Incoming):
    """An instruction in the middle of a conversation."""

    role: Literal["system"]
    content: TextContent

    def messages(self) -> Iterator[chat.Message]:
        if parts := parts_of(self.content):
            yield chat.Message(role=chat.MessageRole.SYSTEM, content=parts)


Turn = Annotated[UserTurn | AssistantTurn | SystemTurn, Field(discriminator="role")]


def place_of(turns: Sequence[UserTurn | AssistantTurn | SystemTurn], number: int, rest: str) -> str:
    """What the client calls the message `number`, and `rest` in it: its turn, and the block where one alone can be meant."""
    for place, turn in enumerate(turns):
        own = len(list(turn.messages()))
        if number >= own:
            number -= own
            continue
        blocks = turn.content if isinstance(turn.content, list) else []
        return f"messages[{place}]{_block(blocks, number, rest)}"
    return "messages"


def _block(blocks: Sequence[Any], number: int, rest: str) -> str:
    """The block that is the message `number` of its turn, or a part or a call of it."""
    if called := _CALL.match(rest):
        calls = [place for place, block in enumerate(blocks) if isinstance(block, ToolUseBlock)]
        of_call = rest[called.end() :].replace(".arguments", ".input", 1)
        return f".content[{calls[int(called[1])]}]{of_call}" if int(called[1]) < len(calls) else ".content"
    results = [place for place, block in enumerate(blocks) if isinstance(block, ToolResultBlock)]
    if not results and (part := _PART.match(rest)) and all(isinstance(block, _ONE_PART) for block in blocks):
        return f".content[{part[1]}]{rest[part.end() :].replace('.image_url', '.source', 1)}"
    if len(results) == len(blocks) > number:
        return f".content[{results[number]}]"
    return ".content" if rest.startswith(".content") else ""
