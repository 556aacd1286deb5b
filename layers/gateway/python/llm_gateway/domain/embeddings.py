"""Embeddings: texts that become vectors, in calls no larger than a vendor takes."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from decimal import Decimal

from llm_gateway.domain.accounts import Room
from llm_gateway.domain.chat import Message, MessageRole, TextPart, Usage
from llm_gateway.domain.pii import PiiRule
from llm_gateway.domain.queries import Attempt
from llm_gateway.domain.terms import FREE, Terms
from llm_gateway.values import dataclass

Vector = tuple[float, ...]


def messages_of(texts: Iterable[str]) -> tuple[Message, ...]:
    """Texts as a query has them: each is a message of its own."""
    return tuple(Message(role=MessageRole.USER, content=(TextPart(text=text),)) for text in texts)


@dataclass(frozen=True, slots=True, kw_only=True)
class EmbeddingRequest:
    """What one call asks. `dimensions` shortens the vectors where a model can do that; None is the model's own length.

    `user` is on whose behalf it is asked, where the vendor takes that.
    """

    model: str
    texts: tuple[str, ...]
    dimensions: int | None = None
    user: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Embeddings:
    """A vector for each text, in the order of the texts, all of one length. `model` is the name that the provider gave."""

    vectors: tuple[Vector, ...]
    model: str
    usage: Usage


@dataclass(frozen=True, slots=True, kw_only=True)
class EmbeddingProfile:
    """What one call to a model may hold. None: not known, so not checked."""

    most_texts: int
    most_tokens: int | None = None
    most_tokens_a_text: int | None = None
    can_shorten: bool = True


def batches(
    texts: Sequence[str], tokens: Sequence[int], profile: EmbeddingProfile
) -> Iterator[tuple[tuple[str, ...], int]]:
    """`texts` in calls that such a model takes, in their order, each with the sum of its `tokens`.

    A text that alone is more than a call may hold is a call of its own, for the vendor to judge.
    """
    batch: list[str] = []
    held = 0
    for text, size in zip(texts, tokens, strict=True):
        is_over = profile.most_tokens is not None and held + size > profile.most_tokens
        if batch and (is_over or len(batch) >= profile.most_texts):
            yield tuple(batch), held
            batch, held = [], 0
        batch.append(text)
        held += size
    if batch:
        yield tuple(batch), held


@dataclass(frozen=True, slots=True, kw_only=True)
class EmbeddingQuery:
    """What a caller asks: the vectors of `texts` by `model`, at the named `provider` or at any that lists the model.

    `model` may be `provider/model`. It counts against the limits and the budget of the key `owner` under its `terms`, as the
    query `id`; `ends_s`, a time of the monotonic clock, is when an answer is of no use any more, `timeout_s` the limit behind it.
    `pii` are the policies that were applied to the texts: nothing is asked of anybody without those that it is under.
    `tell_room` is told what the key's limits leave, where it has any.
    """

    id: str
    owner: str
    texts: tuple[str, ...]
    model: str
    provider: str | None = None
    dimensions: int | None = None
    user: str | None = None
    terms: Terms = FREE
    pii: tuple[PiiRule, ...] = ()
    ends_s: float
    timeout_s: float
    cancelled: Callable[[], bool] = lambda: False
    tell_room: Callable[[Room], None] = lambda _: None


@dataclass(frozen=True, slots=True, kw_only=True)
class Embedded:
    """A vector for each text, in their order. `cost_usd` is None where a call of it has no known price."""

    vectors: tuple[Vector, ...]
    provider: str
    model: str
    usage: Usage
    cost_usd: Decimal | None
    attempts: tuple[Attempt, ...]
