"""The messages of one turn. To the gateway a turn has one text; to OpenAI it may be several messages with thoughts between them.

Each has a phase (`commentary` or `final_answer`), which newer models want back on every message of theirs, and a thought has to
stand before the message that it led to. So an item beside the thoughts says how long a message is, and what its phase was.
"""

import re
from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Any, Final

from llm_gateway.domain.chat import Message, ReasoningItem

JsonDict = dict[str, Any]

_MESSAGE: Final = "message"
_PHASE: Final = re.compile(r"[a-z][a-z_]{0,39}")


def mark(phase: object, *, length: int) -> JsonDict:
    """The item for a message of so many characters."""
    return {"type": _MESSAGE, "phase": _phase(phase), "length": length}


def worth_keeping(items: Sequence[ReasoningItem]) -> list[ReasoningItem]:
    """The items without those of messages, where these say nothing: one message without a phase, or none among thoughts."""
    marks = [item.item for item in items if _is_mark(item)]
    thoughts = [item for item in items if not _is_mark(item)]
    tells = any(each["phase"] for each in marks) or (len(marks) > 1 and thoughts)
    return list(items) if tells else thoughts


def as_said(message: Message) -> tuple[Message, list[JsonDict]]:
    """A turn as it is sent back: its messages in their places among its thoughts, or else its text as one message.

    The client may have changed the text: then only a phase that all of it had is still true.
    """
    marks = [item.item for item in message.reasoning if _is_mark(item)]
    lengths = [each["length"] for each in marks if type(each.get("length")) is int and each["length"] > 0]
    if marks and len(lengths) == len(marks) and sum(lengths) == len(message.text):
        return replace(message, reasoning=tuple(_in_place(message))), []
    phases = {_phase(each.get("phase")) for each in marks}
    phase = phases.pop() if len(phases) == 1 else None
    thoughts = tuple(item for item in message.reasoning if not _is_mark(item))
    return replace(message, reasoning=thoughts), [_said(message.text, phase)] if message.text else []


def _in_place(message: Message) -> Iterable[ReasoningItem]:
    begin = 0
    for item in message.reasoning:
        if not _is_mark(item):
            yield item
            continue
        end = begin + item.item["length"]
        yield replace(item, item=_said(message.text[begin:end], _phase(item.item.get("phase"))))
        begin = end


def _said(text: str, phase: str | None) -> JsonDict:
    # Parts that go in are of other types than those that came out; a text is either.
    return {"role": "assistant", "content": text, **({"phase": phase} if phase else {})}


def _is_mark(item: ReasoningItem) -> bool:
    return item.item.get("type") == _MESSAGE


def _phase(value: object) -> str | None:
    return value if isinstance(value, str) and _PHASE.fullmatch(value) else None
