"""Where the pieces of a model's thought stand among those of its turn: vendors want them back in their places."""

from collections.abc import Iterator, Sequence
from typing import Any, TypeVar

from llm_gateway.domain.chat import Message

T = TypeVar("T")


def in_place(message: Message, *, said: Sequence[T], calls: Sequence[T]) -> Iterator[T | dict[str, Any]]:
    """The pieces of an assistant's turn in their order: what was thought, what was `said`, and the `calls`."""
    thoughts = [(thought.after, dict(thought.item)) for thought in message.reasoning]

    def up_to(place: int) -> Iterator[dict[str, Any]]:
        while thoughts and thoughts[0][0] <= place:
            yield thoughts.pop(0)[1]

    yield from up_to(0)
    yield from said
    for place, call in enumerate(calls, 1):
        yield from up_to(place)
        yield call
    yield from (item for _, item in thoughts)
