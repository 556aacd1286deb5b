"""A stream whose placeholders become values again, wherever one is cut."""

from collections.abc import Generator, Iterator, Mapping
from contextlib import closing
from dataclasses import replace

from llm_gateway.domain.chat import ChatAnswer, Delta, ReasoningDelta, TextDelta, ToolCallDelta
from llm_gateway.services.privacy.placeholders import Restorer

Pieces = Generator[Delta | ChatAnswer, None, None]
_Channel = tuple[type[Delta], int]


def restored_pieces(items: Pieces, values: Mapping[str, str], *, is_json: bool) -> Pieces:
    """`items` with the values in their deltas. The answer at their end stays as it is: it is stored so."""
    channels: dict[_Channel, Restorer] = {}
    with closing(items):
        for item in items:
            if isinstance(item, ChatAnswer):
                yield from _rest(channels)
                yield item
                return
            channel = (type(item), item.index if isinstance(item, ToolCallDelta) else 0)
            in_json = is_json if isinstance(item, TextDelta) else isinstance(item, ToolCallDelta)
            restorer = channels.setdefault(channel, Restorer(values, in_json=in_json))
            yield from _told(item, restorer)


def _told(item: Delta, restorer: Restorer) -> Iterator[Delta]:
    if isinstance(item, ToolCallDelta):
        arguments = restorer.feed(item.arguments)
        if arguments or item.id is not None or item.name is not None:
            yield replace(item, arguments=arguments)
    elif text := restorer.feed(item.text):
        yield replace(item, text=text)


def _rest(channels: Mapping[_Channel, Restorer]) -> Iterator[Delta]:
    for (kind, index), restorer in channels.items():
        if held := restorer.rest():
            if kind is ToolCallDelta:
                yield ToolCallDelta(index=index, arguments=held)
            else:
                yield TextDelta(text=held) if kind is TextDelta else ReasoningDelta(text=held)
