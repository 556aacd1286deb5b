"""Token estimates: how much room a request takes, bounded from both sides, since only the provider counts exactly.

Three figures answer three questions. `upper_bound` costs nothing and settles most requests: what is sure to fit needs no
tokenizer. `TokenRange.least` says what surely does not fit a window. `TokenRange.most` is what a limit or a budget reserves.
"""

import json
from collections.abc import Callable, Iterator
from math import ceil
from string import ascii_letters

from llm_gateway.domain.chat import UNTOLD_TIER, AudioPart, ChatRequest, FilePart, ImagePart, Message, Part, Usage
from llm_gateway.domain.model_table import ModelProfile
from llm_gateway.errors import ContextWindowExceeded, FieldError
from llm_gateway.values import dataclass

# What a chat's wire format adds: marks around each message and tool call, and the start of the answer.
_TOKENS_PER_MESSAGE = 4
_TOKENS_PER_ANSWER = 3
_TOKENS_PER_TOOL_CALL = 8
# A page of a document is read as its text (https://platform.claude.com/docs/en/build-with-claude/pdf-support) and as an image.
_TOKENS_PER_PAGE = 3_000
# https://developers.openai.com/api/docs/guides/realtime-costs: a token for each 100 ms of a user's sound.
_TOKENS_PER_SECOND = 10
# A reservation this small a part of the limit may be a generous one: it is not worth loading a tokenizer for.
_SMALL_PART = 20
_BLANKS = b" \t\r\n"
_WORDY = _BLANKS + ascii_letters.encode()


@dataclass(frozen=True, slots=True, kw_only=True)
class TokenRange:
    """Not fewer tokens than `least`, not more than `most`, as far as can be told without asking the provider."""

    least: int
    most: int

    @property
    def middle(self) -> int:
        """For a bill: as likely too high as too low."""
        return (self.least + self.most) // 2


Count = Callable[[str, str], TokenRange]
"""The tokens of a text in a named encoding."""


def by_bytes(text: str) -> TokenRange:
    """An estimate without a tokenizer: a token per three letters or blanks, and one per byte of everything else.

    That is about twice what English prose takes, and near the truth for digits, code and other scripts. The lower end takes
    a token per eight bytes that are not blanks: real text has shorter tokens in any tokenizer's vocabulary.
    """
    data = _utf8(text)
    others = len(data.translate(None, _WORDY))
    wordy = len(data) - others
    return TokenRange(least=len(data.translate(None, _BLANKS)) // 8, most=ceil(wordy / 3) + others)


def without_tokenizer(text: str, _encoding: str) -> TokenRange:
    """A `Count` for those who have no tokenizer at hand."""
    return by_bytes(text)


def probable_usage(
    request: ChatRequest, generated: str, profile: ModelProfile, count: Count = without_tokenizer
) -> Usage:
    """What a call is probably billed where its provider does not say: `generated` is all that the model wrote."""
    output = _range(generated, profile, count).middle
    return Usage(
        input_tokens=estimate(request, profile, count).middle,
        # The shortest text is a token.
        output_tokens=max(output, 1) if generated else 0,
        service_tier=UNTOLD_TIER if request.may_change_its_price else None,
        estimated=True,
    )


def fits(input_tokens: int, output_tokens: int, profile: ModelProfile) -> bool:
    """Whether the model has room for both; where its window is not known, only it can tell, and True is the answer."""
    within_window = profile.context_window is None or input_tokens + output_tokens <= profile.context_window
    return within_window and (profile.max_input_tokens is None or input_tokens <= profile.max_input_tokens)


def reservation(
    request: ChatRequest, profile: ModelProfile, count: Count, *, output_tokens: int, per_minute: int | None
) -> int:
    """The tokens to reserve for `request` and its answer under a limit of so many `per_minute`; 0 where there is none.

    `output_tokens` are to be reserved for the answer. Raises `ContextWindowExceeded` where the model has no room for both.
    """
    bound, wanted = upper_bound(request, profile), request.parameters.max_output_tokens or 1
    if not fits(bound, wanted, profile):
        least = estimate(request, profile, count).least
        if not fits(least, wanted, profile):
            raise _too_long(request.model, profile, least=least, wanted=wanted)
    if per_minute is None:
        return 0
    if (bound + output_tokens) * _SMALL_PART <= per_minute:
        return bound + output_tokens
    return estimate(request, profile, count).most + output_tokens


def _too_long(model: str, profile: ModelProfile, *, least: int, wanted: int) -> ContextWindowExceeded:
    window = profile.max_input_tokens if profile.max_input_tokens is not None else profile.context_window
    detail = f"At least {least} tokens and {wanted} of the answer do not fit the window of {model}: {window} tokens."
    return ContextWindowExceeded(detail, errors=[FieldError("messages", "are longer than the model's window")])


def upper_bound(request: ChatRequest, profile: ModelProfile) -> int:
    """A bound that no estimate of `request` exceeds: byte-level tokenizers make at most one token of a byte."""
    return sum(len(_utf8(text)) for text in (*_prose(request), *_definitions(request))) + _overhead(request, profile)


def estimate(request: ChatRequest, profile: ModelProfile, count: Count) -> TokenRange:
    """The input tokens of `request`. Tools and schemas count towards `most` only: vendors rewrite them more tersely."""
    prose = [tokens_of(text, profile, count) for text in _prose(request)]
    definitions = [tokens_of(text, profile, count) for text in _definitions(request)]
    return TokenRange(
        least=sum(tokens.least for tokens in prose),
        most=sum(tokens.most for tokens in (*prose, *definitions)) + _overhead(request, profile),
    )


def message_tokens(message: Message, profile: ModelProfile, count: Count) -> int:
    """The most that one turn takes of a conversation."""
    turn = ChatRequest(model="", messages=(message,))
    return estimate(turn, profile, count).most - _TOKENS_PER_ANSWER


def _range(text: str, profile: ModelProfile, count: Count) -> TokenRange:
    encoding = profile.tokenizer.encoding
    return by_bytes(text) if encoding is None else count(text, encoding)


def tokens_of(text: str, profile: ModelProfile, count: Count) -> TokenRange:
    """The tokens of a text, with what the model's tokenizer may make of it beyond the one that is counted with."""
    tokens = _range(text, profile, count)
    reserved = ceil(tokens.most * profile.tokenizer.reserve_percent / 100)
    return TokenRange(least=tokens.least, most=min(reserved, len(_utf8(text))))


def _prose(request: ChatRequest) -> Iterator[str]:
    if request.system:
        yield request.system
    for message in request.messages:
        yield message.text
        if message.name:
            yield message.name
        for call in message.tool_calls:
            yield call.name
            yield call.arguments


def _definitions(request: ChatRequest) -> Iterator[str]:
    for message in request.messages:
        for thought in message.reasoning:
            yield _json(thought.item)
    for tool in request.tools:
        yield _json({"name": tool.name, "description": tool.description, "parameters": tool.parameters})
    if request.output.schema is not None:
        yield _json(request.output.schema)


def _overhead(request: ChatRequest, profile: ModelProfile) -> int:
    messages = len(request.messages) + (1 if request.system else 0)
    tool_calls = sum(len(message.tool_calls) for message in request.messages)
    return (
        messages * _TOKENS_PER_MESSAGE
        + _TOKENS_PER_ANSWER
        + tool_calls * _TOKENS_PER_TOOL_CALL
        + sum(_part_tokens(part, profile) for message in request.messages for part in message.content)
        + (profile.tokenizer.tools_prompt_tokens if request.tools else 0)
    )


def _part_tokens(part: Part, profile: ModelProfile) -> int:
    """The most that a part which is no text may cost."""
    if isinstance(part, ImagePart):
        return profile.image_tokens
    if isinstance(part, FilePart):
        from llm_gateway.domain.media import pdf_pages

        return pdf_pages(part.data) * (_TOKENS_PER_PAGE + profile.image_tokens)
    if isinstance(part, AudioPart):
        from llm_gateway.domain.media import audio_s

        return ceil(audio_s(part.data, part.format) * _TOKENS_PER_SECOND)
    return 0


def _json(value: object) -> str:
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False, default=dict)


def _utf8(text: str) -> bytes:
    # JSON can carry half of a surrogate pair, which plain UTF-8 refuses.
    return text.encode("utf-8", "surrogatepass")
