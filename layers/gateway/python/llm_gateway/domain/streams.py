"""A streamed answer: where a reader stands in it, and what is left for one who comes back."""

import re
from collections.abc import Iterator
from typing import Final

from llm_gateway.domain.chat import Delta, ReasoningDelta, TextDelta, ToolCallDelta
from llm_gateway.domain.queries import Output
from llm_gateway.values import dataclass

_POSITION: Final = re.compile(r"(\d{1,9}(?:\.\d{1,9}){0,128})(?:r(\d{1,9}))?")


@dataclass(frozen=True, slots=True, kw_only=True)
class Opened:
    """Right before the first content: whose answer it will be. `replayed` where it was given before, to an equal request."""

    query_id: str
    provider: str
    model: str
    replayed: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Waiting:
    """Somebody works on the answer, and nothing of it can be read yet."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Position:
    """How many characters of the text, of each tool call's arguments, and of the reasoning have been read.

    Written `12`, `12.0.40` with two tool calls, `12.0.40r300` with a reasoning.

    A position does not depend on how the answer was cut into events, so a reader can go on from it in the stored answer.
    """

    text: int = 0
    arguments: tuple[int, ...] = ()
    reasoning: int = 0

    @classmethod
    def parse(cls, text: str) -> "Position | None":
        """The position that `text` writes; None for any other text."""
        found = _POSITION.fullmatch(text)
        if found is None:
            return None
        first, *others = map(int, found[1].split("."))
        return cls(text=first, arguments=tuple(others), reasoning=int(found[2] or 0))

    def __str__(self) -> str:
        # Once an event: most answers are text alone.
        read = ".".join(map(str, (self.text, *self.arguments))) if self.arguments else str(self.text)
        return f"{read}r{self.reasoning}" if self.reasoning else read

    def after(self, delta: Delta) -> "Position":
        text, arguments, reasoning = self.text, self.arguments, self.reasoning
        if isinstance(delta, TextDelta):
            text += len(delta.text)
        elif isinstance(delta, ReasoningDelta):
            reasoning += len(delta.text)
        else:
            read = list(arguments) + [0] * (delta.index + 1 - len(arguments))
            read[delta.index] += len(delta.arguments)
            arguments = tuple(read)
        return Position(text=text, arguments=arguments, reasoning=reasoning)


def rest_of(output: Output, position: Position) -> Iterator[Delta]:
    """What a reader at `position` has not seen of `output`. A tool call that it has met comes without id and name."""
    thought = output.reasoning.text if output.reasoning else None
    if thought and len(thought) > position.reasoning:
        yield ReasoningDelta(text=thought[position.reasoning :])
    if output.text and len(output.text) > position.text:
        yield TextDelta(text=output.text[position.text :])
    for index, call in enumerate(output.tool_calls):
        if index >= len(position.arguments):
            yield ToolCallDelta(index=index, id=call.id, name=call.name, arguments=call.arguments)
        elif len(call.arguments) > position.arguments[index]:
            yield ToolCallDelta(index=index, arguments=call.arguments[position.arguments[index] :])
