"""Sanitizing: what in a text is there to be read by a model and not by people, taken out or told of; nothing is changed silently.

Only what is text for the model is changed, and only where the query asks for that: names, ids and JSON stay as they came.
"""

import re
from collections.abc import Iterator
from dataclasses import replace
from typing import Final
from unicodedata import normalize

from llm_gateway.domain.chat import Message, MessageRole, TextPart
from llm_gateway.domain.queries import QueryRequest
from llm_gateway.errors import FieldError, ValidationFailed

_MOST_TOLD: Final = 20
# The three flags that are written with tags: England's, Scotland's, Wales'. Whatever else follows a black flag is hidden text.
_FLAG: Final = (
    "\U0001f3f4\U000e0067\U000e0062"
    "(?:\U000e0065\U000e006e\U000e0067|\U000e0073\U000e0063\U000e0074|\U000e0077\U000e006c\U000e0073)\U000e007f"
)
_FLAGS: Final = re.compile(_FLAG)
# Controls but for white space, what turns the direction of the text around, and tags that are part of no flag.
_UNSEEN: Final = re.compile(
    rf"(?P<flag>{_FLAG})|[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]|[\U000E0000-\U000E007F]+"
)
_HIDDEN: Final = {
    "characters that cannot be seen": re.compile(
        r"[\u200b-\u200d\u2060-\u2064\ufeff\u00ad]{4,}|[\U000E0000-\U000E007F]"
        r"|[\ufe00-\ufe0f\U000E0100-\U000E01EF]{3,}"
    ),
    "characters that turn the direction of reading around": re.compile(r"[\u202d\u202e]"),
    # As chat templates and transcripts write them: no text of people's has them by chance.
    "marks of a role": re.compile(
        r"<\|(?:im_start|im_end|system|user|assistant|endoftext|start_header_id|end_header_id|eot_id|begin_of_text)\|>"
        r"|\[/?INST\]|<</?SYS>>|</?(?:start|end)_of_turn>|\n\n(?:Human|Assistant): |<｜(?:User|Assistant|System)｜>"  # noqa: RUF001
        r"|^#{2,3} (?:System|Instruction|Assistant):?\s*$",
        re.MULTILINE,
    ),
}


def sanitized(request: QueryRequest) -> QueryRequest:
    """`request` with notes of what is hidden in its context and its tools' results, and its text cleaned where it asks for that.

    Raises `ValidationFailed` where it wants to be refused instead.
    """
    notes = tuple(_told_of(request))
    mode = request.sanitize.text if request.sanitize else None
    if mode is None:
        return replace(request, notes=(*request.notes, *notes)) if notes else request
    cleaner = _Cleaner()
    cleaned = replace(
        request,
        system=None if request.system is None else cleaner.text(request.system, "system.text"),
        messages=tuple(
            cleaner.message(message, f"messages[{place}].content") for place, message in enumerate(request.messages)
        ),
        context=request.context
        and replace(
            request.context,
            items=tuple(
                replace(item, text=cleaner.text(item.text, f"context.items[{place}].text"))
                for place, item in enumerate(request.context.items)
            ),
        ),
    )
    if mode == "refuse" and cleaner.taken:
        message = "has characters that cannot be seen: take them out, or ask for them to be cleaned"
        raise ValidationFailed(
            f"{', '.join(cleaner.taken)}: {message}.", errors=[FieldError(field, message) for field in cleaner.taken]
        )
    if mode == "refuse":
        # There was nothing to take out, and nothing else is changed.
        return replace(request, notes=(*request.notes, *notes)) if notes else request
    cleanings = [
        f"{count} character{'' if count == 1 else 's'} that cannot be seen went out of {field}."
        for field, count in cleaner.taken.items()
    ] + [
        f"{field}: characters that can be written in several ways are written in one (NFC)."
        for field in cleaner.rewritten
    ]
    return replace(cleaned, notes=(*request.notes, *notes, *cleanings[:_MOST_TOLD]))


class _Cleaner:
    """Counts what it has `taken` out of each field. Characters that can be written in several ways are written in one (NFC): in
    the fields that are `rewritten`."""

    def __init__(self) -> None:
        self.taken = dict[str, int]()
        self.rewritten = dict[str, None]()

    def text(self, text: str, field: str) -> str:
        if text.isascii() and text.isprintable():
            return text
        cleaned = _UNSEEN.sub(lambda found: found["flag"] or "", text)
        if cleaned != text:
            self.taken[field] = self.taken.get(field, 0) + len(text) - len(cleaned)
        written = normalize("NFC", cleaned)
        if written != cleaned:
            self.rewritten[field] = None
        return written

    def message(self, message: Message, field: str) -> Message:
        content = tuple(
            replace(part, text=self.text(part.text, field)) if isinstance(part, TextPart) else part
            for part in message.content
        )
        return replace(message, content=content)


def _told_of(request: QueryRequest) -> Iterator[str]:
    """What a document or a tool's result hides; of many, the first."""
    told = 0
    for field, written in _foreign(request):
        text = _FLAGS.sub("", written)
        for what, pattern in _HIDDEN.items():
            if told < _MOST_TOLD and pattern.search(text):
                told += 1
                yield f"{field} has {what}: whoever wrote it may want to give orders to the model."


def _foreign(request: QueryRequest) -> Iterator[tuple[str, str]]:
    """Texts that others than the caller may have written."""
    for place, item in enumerate(request.context.items if request.context else ()):
        yield f"context.items[{place}].text", item.text
    for place, message in enumerate(request.messages):
        if message.role is MessageRole.TOOL:
            yield f"messages[{place}].content", message.text
