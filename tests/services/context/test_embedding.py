"""Vectors of texts: asked for once, kept up to a bound, and bounded in number."""

from collections.abc import Sequence
from dataclasses import replace

import pytest
from llm_gateway.domain.chat import Usage
from llm_gateway.domain.embeddings import Embedded, EmbeddingQuery
from llm_gateway.domain.keys import Allowed
from llm_gateway.domain.terms import FREE
from llm_gateway.errors import ValidationFailed
from llm_gateway.ports.system import never
from llm_gateway.services.context.embedding import MOST_TEXTS, Asker, KeptVectors

from tests.adapters.clock import FakeClock
from tests.adapters.ids import FakeIds

ALICE = Asker(owner="key_alice", terms=FREE, ends_s=9, timeout_s=5, cancelled=never)


class LengthEmbedder:
    """A text's vector is its length, as often as it has `dimensions`."""

    def __init__(self) -> None:
        self.asked: list[EmbeddingQuery] = []
        self.dimensions = 2

    def embed(self, asked: EmbeddingQuery) -> Embedded:
        self.asked.append(asked)
        vectors = tuple((float(len(text)),) * self.dimensions for text in asked.texts)
        return Embedded(vectors=vectors, provider="e", model=asked.model, usage=Usage(), cost_usd=None, attempts=())


def vectors(embedder: LengthEmbedder, *, most: int = 100) -> KeptVectors:
    return KeptVectors(embedder=embedder, ids=FakeIds(FakeClock()), most=most)


def texts_asked(embedder: LengthEmbedder) -> list[Sequence[str]]:
    return [asked.texts for asked in embedder.asked]


def test_each_text_is_asked_for_once_a_model() -> None:
    embedder = LengthEmbedder()
    kept = vectors(embedder)
    embed = kept.of("e/one", ALICE)
    assert [list(vector) for vector in embed(["a", "bb", "a"])] == [[1, 1], [2, 2], [1, 1]]
    assert [list(vector) for vector in embed(["bb", "ccc"])] == [[2, 2], [3, 3]]
    kept.of("e/other/model", ALICE)(["a"])
    assert texts_asked(embedder) == [("a", "bb"), ("ccc",), ("a",)]
    assert [(asked.provider, asked.model) for asked in embedder.asked] == [
        ("e", "one"),
        ("e", "one"),
        ("e", "other/model"),
    ]
    first = embedder.asked[0]
    assert (first.owner, first.ends_s, first.timeout_s) == ("key_alice", 9, 5)
    assert len({asked.id for asked in embedder.asked}) == 3


@pytest.mark.holds("LLM08")
def test_vectors_are_of_one_key_and_of_what_it_may_ask() -> None:
    embedder = LengthEmbedder()
    kept = vectors(embedder)
    other = replace(ALICE, owner="key_bob")
    narrowed = replace(ALICE, terms=replace(FREE, allow=Allowed(providers=("f",))))
    for asker in (ALICE, ALICE, other, narrowed, ALICE, other):
        kept.of("e/one", asker)(["a"])
    assert [(asked.owner, asked.terms.allow) for asked in embedder.asked] == [
        (asker.owner, asker.terms.allow) for asker in (ALICE, other, narrowed)
    ]


def test_what_was_used_longest_ago_is_forgotten() -> None:
    embedder = LengthEmbedder()
    embed = vectors(embedder, most=4).of("e/one", ALICE)
    for text in ("a", "bb", "a", "ccc", "a", "bb"):
        embed([text])
    assert texts_asked(embedder) == [("a",), ("bb",), ("ccc",), ("bb",)]


def test_more_than_can_be_embedded_at_once_is_refused() -> None:
    embedder = LengthEmbedder()
    with pytest.raises(ValidationFailed):
        vectors(embedder).of("e/one", ALICE)([str(number) for number in range(MOST_TEXTS + 1)])
    assert embedder.asked == []


def test_vectors_of_a_model_that_another_took_the_place_of_are_asked_for_anew() -> None:
    embedder = LengthEmbedder()
    embed = vectors(embedder).of("e/one", ALICE)
    embed(["a", "bb"])

    embedder.dimensions = 3

    assert [list(vector) for vector in embed(["a", "bb", "why"])] == [[1] * 3, [2] * 3, [3] * 3]
    assert [list(vector) for vector in embed(["a", "why"])] == [[1] * 3, [3] * 3]
    assert texts_asked(embedder) == [("a", "bb"), ("why",), ("a", "bb", "why")]


def test_kept_vectors_of_two_lengths_are_not_compared() -> None:
    embedder = LengthEmbedder()
    embed = vectors(embedder).of("e/one", ALICE)
    embed(["a"])
    embedder.dimensions = 3
    embed(["bb"])
    assert [len(vector) for vector in embed(["a", "bb"])] == [3, 3]
