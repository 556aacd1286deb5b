"""Random texts of many scripts and kinds, and what fits them into windows, for tests of contexts."""

from collections.abc import Callable
from random import Random
from typing import Any, Final

from llm_gateway.domain.chat import ChatRequest, Message, MessageRole, TextPart
from llm_gateway.domain.model_table import BYTES, ModelProfile, Tokenizer
from llm_gateway.domain.queries import QueryRequest
from llm_gateway.domain.query_context import ContextItem, ContextWish
from llm_gateway.domain.tokens import TokenRange, without_tokenizer
from llm_gateway.instruments.segmenter import UnicodeSegmenter
from llm_gateway.services.context.assembling import Assembler
from llm_gateway.services.context.fitted import Fitted

_UNSPACED: Final = "敏捷的棕色狐狸跳过了懒狗今天天气很好ひらがなカタカナค่าธรรมเนียม"
_RUNS: Final = ("🇩🇪", "👩‍👩‍👧", "x", "=", "  ", "\n", "| a | b |\n", "    return x\n")


class Counting:
    """A `TokenCounter` by any function; `texts` are what it was asked."""

    def __init__(self, count: Callable[[str, str], TokenRange]) -> None:
        self._count = count
        self.texts: list[str] = []

    def count(self, text: str, encoding: str) -> TokenRange:
        self.texts.append(text)
        return self._count(text, encoding)


def item(name: str, text: str, **fields: Any) -> ContextItem:
    return ContextItem(id=name, text=text, **fields)


def items(*texts: str) -> tuple[ContextItem, ...]:
    return tuple(item(f"doc-{number}", text) for number, text in enumerate(texts))


def said(text: str, role: MessageRole = MessageRole.USER) -> Message:
    return Message(role=role, content=(TextPart(text=text),))


def window(tokens: int | None, *, tokenizer: Tokenizer = BYTES) -> ModelProfile:
    return ModelProfile(context_window=tokens, capabilities=frozenset(), tokenizer=tokenizer)


def assembler(count: Callable[[str, str], TokenRange] = without_tokenizer) -> Assembler:
    return Assembler(UnicodeSegmenter(), Counting(count))


def fitted(
    wish: ContextWish,
    *,
    question: str | tuple[Message, ...] = "What is it?",
    profile: ModelProfile | None = None,
    system: str | None = None,
    output_tokens: int = 100,
    by: Assembler | None = None,
) -> Fitted:
    """The context of one question, in the window of one model."""
    messages = (said(question),) if isinstance(question, str) else question
    request = QueryRequest(messages=messages, system=system, context=wish)
    chat = ChatRequest(model="m", messages=messages, system=system)
    prepared = (by or assembler()).prepare(request, wish)
    return prepared.fit(chat, profile or window(None), output_tokens=output_tokens)


def words_of(random: Random, count: int) -> str:
    return " ".join("".join(random.choices("etaoinshrdlu", k=random.randint(1, 12))) for _ in range(count))


def random_text(random: Random, length: int) -> str:
    """Prose, scripts without blanks, tables, code, emoji, and runs of one sign."""
    parts: list[str] = []
    while sum(map(len, parts)) < length:
        kind = random.random()
        if kind < 0.2:
            parts.append("".join(random.choices(_UNSPACED, k=random.randint(3, 40))) + "。")
        elif kind < 0.3:
            parts.append(random.choice(_RUNS) * random.randint(1, 60))
        else:
            parts.append(words_of(random, random.randint(2, 20)) + random.choice(".!?"))
        parts.append(random.choice((" ", " ", " ", "\n", "\n\n")))
    return "".join(parts)[:length]


def random_items(random: Random) -> tuple[ContextItem, ...]:
    return tuple(
        item(
            f"doc-{number}",
            random_text(random, random.choice((20, 200, 1_400, 4_000))),
            source=random.choice((None, "https://shop.example/terms")),
            pinned=random.random() < 0.05,
        )
        for number in range(random.randint(1, 14))
    )
