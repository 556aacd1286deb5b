"""What a query hands over for the model to read, and what became of it: values alone, which a stored query keeps."""

from typing import Literal

from llm_gateway.values import dataclass

Strategy = Literal["relevance", "recent", "head", "tail", "middle_out"]
Outcome = Literal["included", "truncated", "dropped"]


@dataclass(frozen=True, slots=True, kw_only=True)
class ContextItem:
    """A text to read. A `pinned` one is sent whole or the query is refused."""

    id: str
    text: str
    source: str | None = None
    pinned: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class ContextWish:
    """What may be sent with a query, and how to choose where not all of it fits.

    `max_tokens` bounds what the items take, `history_tokens` what the turns before the question take; None is the window alone.
    `embedding_model` (`provider/model`) is who ranks where `ranking` is by embeddings.
    `exact` asks the provider to count, `cache` asks it to keep what precedes the items that may change.
    """

    items: tuple[ContextItem, ...] = ()
    strategy: Strategy = "relevance"
    max_tokens: int | None = None
    ranking: Literal["bm25", "embeddings"] = "bm25"
    embedding_model: str | None = None
    exact: bool = False
    cache: bool = False
    history_tokens: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ItemReport:
    """What became of an item; `tokens` are those of it that were sent, `score` (0 to 1) is there where items were ranked."""

    id: str
    outcome: Outcome
    tokens: int = 0
    score: float | None = None
    reason: str | None = None
    duplicate_of: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ContextReport:
    """What was sent to one candidate, by item in the order of the query; `tokens` are those of all of it, marks included.

    `exact` is whether they are counted by the model's own tokenizer; otherwise they are an estimate that is rather too high.
    """

    items: tuple[ItemReport, ...] = ()
    tokens: int = 0
    exact: bool = False
    warnings: tuple[str, ...] = ()

    def ids(self, outcome: Outcome) -> tuple[str, ...]:
        return tuple(item.id for item in self.items if item.outcome == outcome)
