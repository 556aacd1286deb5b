"""Assembling: the texts that come with a query, fitted into what a candidate's window leaves free."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import TYPE_CHECKING, Final

from llm_gateway.domain.chat import ChatRequest
from llm_gateway.domain.context.history import kept, question_of
from llm_gateway.domain.context.layout import Block, block_of
from llm_gateway.domain.context.pool import Pool
from llm_gateway.domain.context.ranking import bm25, cosine
from llm_gateway.domain.context.report import report_of
from llm_gateway.domain.context.selection import PinnedTooLong, Selection, Selector
from llm_gateway.domain.context.windows import Window
from llm_gateway.domain.model_table import ModelProfile
from llm_gateway.domain.queries import QueryRequest
from llm_gateway.domain.query_context import ContextReport, ContextWish
from llm_gateway.domain.tokens import estimate, message_tokens, tokens_of
from llm_gateway.errors import (
    ContextWindowExceeded,
    FieldError,
    GatewayError,
    ModelNotAllowed,
    NoProviderAvailable,
    ProviderNotFound,
)
from llm_gateway.ports.context import Segmenter
from llm_gateway.ports.providers import TokenCounter
from llm_gateway.services.context.counting import KeptCounts
from llm_gateway.services.context.fitted import CountExactly, Fitted
from llm_gateway.services.context.memory import Memory, digest_of

if TYPE_CHECKING:
    from llm_gateway.services.context.embedding import Embed

_MOST_ROUNDS: Final = 5
_APART: Final = "\n\n"


@dataclass(frozen=True)
class Assembler:
    """Prepares contexts. What it works out is kept in memory, and so are counts."""

    segmenter: Segmenter
    counter: TokenCounter
    memory: Memory = field(default_factory=Memory)

    def prepare(self, request: QueryRequest, wish: ContextWish, *, embed: "Embed | None" = None) -> "Prepared":
        """The context of `request`, for as many candidates as there are; `embed` makes vectors, where the query ranks by them."""
        return Prepared(wish=wish, question=question_of(request.messages), assembler=self, embed=embed)

    @cached_property
    def counts(self) -> KeptCounts:
        return KeptCounts(self.counter)


@dataclass(frozen=True, kw_only=True)
class Prepared:
    """One query's context, ranked once and fitted into each candidate's window."""

    wish: ContextWish
    question: str
    assembler: Assembler
    embed: "Embed | None" = None

    def fit(
        self, chat: ChatRequest, profile: ModelProfile, *, output_tokens: int, exactly: CountExactly | None = None
    ) -> Fitted:
        """`chat` with as much of the context as fits, for an answer of `output_tokens`.

        Raises `ContextWindowExceeded` where the pinned items do not fit.
        """
        chat, warnings = self._shortened(chat, profile)
        if any(message.reasoning for message in chat.messages):
            chat = replace(chat, is_recomposed=True)
        asked = chat.parameters.max_output_tokens is not None
        window = Window.of(profile, output_tokens=output_tokens, asked=asked)
        found = self._fitted(chat, profile, window)
        if exactly is not None:
            from llm_gateway.services.context.exact import fitted_exactly

            found = fitted_exactly(
                chat,
                found,
                budget_beside=lambda tokens: self._budget(None if window.input is None else window.input - tokens),
                filled=lambda tokens: self._filled(chat, profile, tokens),
                exactly=exactly,
            )
        warnings = (*self._ranked[1], *warnings, *found.report.warnings)
        return replace(found, report=replace(found.report, warnings=warnings))

    def _fitted(self, chat: ChatRequest, profile: ModelProfile, window: Window) -> Fitted:
        """By the gateway's own counts."""
        free = window.left(chat, lambda request: self._most(request, profile))
        budget = self._budget(free)
        for _ in range(_MOST_ROUNDS):
            found = self._filled(chat, profile, budget)
            over = -(window.left(found.chat, lambda request: self._most(request, profile)) or 0)
            if over <= 0 or budget is None or not found.report.tokens:
                break
            # The system prompt takes a few tokens more than its parts.
            budget = max(0, budget - over)
        return found

    def _budget(self, free: int | None) -> int | None:
        """What the items may take, of the tokens that are `free`."""
        bounds = [None if free is None else max(0, free), self.wish.max_tokens]
        return min((bound for bound in bounds if bound is not None), default=None)

    def _filled(self, chat: ChatRequest, profile: ModelProfile, budget: int | None) -> Fitted:
        """`chat` with as much as takes `budget` tokens by the gateway's own counts. Raises `ContextWindowExceeded`."""
        selection, report = self._selected(chat, profile, budget)
        return Fitted(chat=_with_block(chat, selection.block, cached=self.wish.cache), report=report)

    def _selected(
        self, chat: ChatRequest, profile: ModelProfile, budget: int | None
    ) -> tuple[Selection, ContextReport]:
        def measure(text: str) -> int:
            return tokens_of(text, profile, self.assembler.counts.count).most

        selector = Selector(self._pool, self.wish.strategy, measure, self.assembler.segmenter.pieces)

        def select() -> tuple[Selection, ContextReport]:
            selection = selector.select(budget)
            tokens = tokens_of(selection.block.text, profile, self.assembler.counts.count)
            report = replace(report_of(self._pool, selection, measure), exact=tokens.least == tokens.most)
            return replace(selection, block=Block()), report

        scores = digest_of(map(repr, self._pool.scores or ()))
        key = digest_of((self._digest, scores, budget, profile.tokenizer))
        try:
            selection, report = self.assembler.memory.recall(
                key, select, weight=lambda made: 2 + len(made[1].items) * 2
            )
        except PinnedTooLong as error:
            raise _too_long(chat, error.tokens, budget or 0) from None
        return replace(selection, block=block_of(self.wish.items, selection.pieces, selector.tag)), report

    @property
    def _pool(self) -> Pool:
        return self._ranked[0]

    @cached_property
    def _ranked(self) -> tuple[Pool, tuple[str, ...]]:
        """The items in passages with their scores, and the warnings about how these came about."""
        if self.wish.strategy != "relevance" or self.wish.ranking == "bm25":
            return self._worked_out(self._by_words), ()
        try:
            return self._worked_out(self._by_vectors), ()
        except (ProviderNotFound, ModelNotAllowed):
            raise
        except GatewayError as error:
            warning = f"context.ranking: no embeddings came ({error.code}); the items are ranked by their words (bm25)."
            return self._worked_out(self._by_words), (warning,)

    def _worked_out(self, scored: Callable[[Pool], Sequence[float]]) -> Pool:
        def work_out() -> Pool:
            pool = Pool.of(self.wish.items, self.assembler.segmenter.pieces)
            if self.wish.strategy == "relevance":
                pool = pool.ranked(scored(pool))
            return replace(pool, items=())

        way = scored.__name__ if self.wish.strategy == "relevance" else ""
        pool = self.assembler.memory.recall(
            digest_of((way, self.wish.embedding_model, self._digest)),
            work_out,
            weight=lambda made: 2 + len(made.passages) + len(made.repeats),
        )
        return replace(pool, items=self.wish.items)

    def _by_words(self, pool: Pool) -> Sequence[float]:
        return bm25(pool.texts(), self.question)

    def _by_vectors(self, pool: Pool) -> Sequence[float]:
        if self.embed is None:
            raise NoProviderAvailable("Nobody is asked for embeddings.", retry_after_s=1)
        if not pool.passages:
            return []
        *vectors, question = self.embed([*pool.texts(), self.question or "?"])
        return cosine(vectors, question)

    @cached_property
    def _digest(self) -> bytes:
        wish, question = self.wish, self.question if self.wish.strategy == "relevance" else ""
        parts = (part for item in wish.items for part in (item.id, item.text, item.source, item.pinned))
        return digest_of((wish.strategy, question, *parts))

    def _most(self, chat: ChatRequest, profile: ModelProfile) -> int:
        return estimate(chat, profile, self.assembler.counts.count).most

    def _shortened(self, chat: ChatRequest, profile: ModelProfile) -> tuple[ChatRequest, tuple[str, ...]]:
        """The conversation with as much before the question as the query allows."""
        if self.wish.history_tokens is None:
            return chat, ()
        count = self.assembler.counts.count
        messages = kept(
            chat.messages, most=self.wish.history_tokens, tokens=lambda message: message_tokens(message, profile, count)
        )
        if not (left_out := len(chat.messages) - len(messages)):
            return chat, ()
        told = f"{left_out} earlier messages were left out (context.history.max_tokens: {self.wish.history_tokens})."
        return replace(chat, messages=messages), (told,)


def _with_block(chat: ChatRequest, block: Block, *, cached: bool) -> ChatRequest:
    """`chat` with the block after its system text; where it is to be `cached`, with the border that the block has."""
    if not block.text:
        return chat
    before = f"{chat.system}{_APART}" if chat.system else ""
    steady = len(before) + len(block.steady) if cached and block.has_steady_items else 0
    return replace(chat, system=before + block.text, cached_system_chars=steady)


def _too_long(chat: ChatRequest, tokens: int, budget: int) -> ContextWindowExceeded:
    detail = (
        f"The pinned items of the context take {tokens} tokens, and {chat.model} has room for {budget} beside the rest."
    )
    message = "pinned items are sent whole: pin fewer of them, or raise context.max_tokens where that is the limit"
    return ContextWindowExceeded(detail, errors=[FieldError("context.items", message)])
