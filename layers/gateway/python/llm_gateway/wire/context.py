"""What a query hands over for the model to read, and what its answer tells of that."""

from collections.abc import Sequence
from typing import Annotated, Final, Literal, Self

from pydantic import AfterValidator, Field, model_validator

from llm_gateway.domain.query_context import ContextItem, ContextReport, ContextWish, Outcome, Strategy
from llm_gateway.wire.schema import Incoming, Outgoing, PositiveInt, wrong

MOST_ITEMS: Final = 5_000


class ContextItemBody(Incoming):
    """A text for the model to read."""

    id: Annotated[str, Field(min_length=1, max_length=200)]
    text: Annotated[str, Field(min_length=1)]
    source: Annotated[str, Field(max_length=2_000)] | None = None
    pinned: bool = False

    def to_domain(self) -> ContextItem:
        return ContextItem(id=self.id, text=self.text, source=self.source, pinned=self.pinned)


def _each_once(items: list[ContextItemBody]) -> list[ContextItemBody]:
    seen = set[str]()
    for item in items:
        if item.id in seen:
            raise ValueError(f"two items are called {item.id!r}: each needs an id of its own")
        seen.add(item.id)
    return items


Items = Annotated[list[ContextItemBody], Field(fail_fast=True, max_length=MOST_ITEMS), AfterValidator(_each_once)]


class HistoryBody(Incoming):
    """How much of the conversation before the question is sent."""

    max_tokens: PositiveInt | None = None
    keep: Literal["recent"] = "recent"


class ContextBody(Incoming):
    """Texts for the model to read, and how to choose from them where not all fit."""

    elsewhere = {
        "documents": "they are items",
        "top_k": "max_tokens bounds what is sent",
        "max_input_tokens": "it is max_tokens",
    }

    items: Items = []
    strategy: Strategy = "relevance"
    max_tokens: PositiveInt | None = None
    ranking: Literal["bm25", "embeddings"] = "bm25"
    embedding_model: Annotated[str, Field(max_length=300, pattern=r"^[^/]+/.+$")] | None = None
    exact: bool = False
    cache: bool = False
    history: HistoryBody | None = None

    @model_validator(mode="after")
    def _names_who_embeds(self) -> Self:
        if (self.ranking == "embeddings") != (self.embedding_model is not None):
            reason = "is required where ranking is 'embeddings', as provider/model, and has no place elsewhere"
            raise wrong("embedding_model", reason)
        return self

    def to_domain(self) -> ContextWish:
        return ContextWish(
            items=tuple(item.to_domain() for item in self.items),
            strategy=self.strategy,
            max_tokens=self.max_tokens,
            ranking=self.ranking,
            embedding_model=self.embedding_model,
            exact=self.exact,
            cache=self.cache,
            history_tokens=self.history.max_tokens if self.history else None,
        )


class ContextItemShown(Outgoing):
    """What became of an item."""

    id: str
    outcome: Outcome
    score: float | None
    tokens: int
    reason: str | None
    duplicate_of: str | None


class ContextShown(Outgoing):
    """What was sent of a query's context to the model that answered."""

    included: Sequence[str]
    truncated: Sequence[str]
    dropped: Sequence[str]
    tokens: int
    exact: bool
    items: Sequence[ContextItemShown]

    @classmethod
    def of(cls, report: ContextReport) -> "ContextShown":
        return cls(
            included=report.ids("included"),
            truncated=report.ids("truncated"),
            dropped=report.ids("dropped"),
            tokens=report.tokens,
            exact=report.exact,
            items=report.items,
        )
