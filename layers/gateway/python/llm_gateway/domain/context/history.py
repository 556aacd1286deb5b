"""A long conversation cut to its latest turns: the first instructions stay, and a tool's result never comes without its call."""

from collections.abc import Callable, Sequence

from llm_gateway.domain.chat import Message, MessageRole

_INSTRUCTING = (MessageRole.SYSTEM, MessageRole.DEVELOPER)


def question_at(messages: Sequence[Message]) -> int:
    """Where the question begins: the last turn of the user's, and what came after it."""
    asked = [number for number, message in enumerate(messages) if message.role is MessageRole.USER]
    return asked[-1] if asked else max(0, len(messages) - 1)


def question_of(messages: Sequence[Message]) -> str:
    """What the user asked last."""
    return messages[question_at(messages)].text if messages else ""


def kept(messages: Sequence[Message], *, most: int, tokens: Callable[[Message], int]) -> tuple[Message, ...]:
    """The conversation with no more than `most` tokens of turns before the question; the latest ones without a gap.

    Instructions with which it begins stay, and count as nothing.
    """
    begins = next((at for at, message in enumerate(messages) if message.role not in _INSTRUCTING), len(messages))
    asked = max(begins, question_at(messages))
    exchanges = _exchanges(messages[begins:asked])
    room, first = most, len(exchanges)
    while first and (room := room - sum(map(tokens, exchanges[first - 1]))) >= 0:
        first -= 1
    history = [message for exchange in exchanges[first:] for message in exchange]
    return (*messages[:begins], *history, *messages[asked:])


def _exchanges(turns: Sequence[Message]) -> list[list[Message]]:
    """Turns that are kept or left out together: what the user says, and all that follows until the user speaks again."""
    exchanges: list[list[Message]] = []
    for message in turns:
        if message.role is MessageRole.USER or not exchanges:
            exchanges.append([])
        exchanges[-1].append(message)
    return exchanges
