"""Routing: who is asked for a query, with which model, in what order."""

import random
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from llm_gateway.domain.chat import Message, MessageRole, TextPart
from llm_gateway.domain.providers import ModelConfig, ProviderConfig
from llm_gateway.domain.queries import QueryRequest
from llm_gateway.domain.routing import Candidate, Draw, candidates
from llm_gateway.errors import NoProviderAvailable, ProviderNotFound, ValidationFailed

from tests.stores.values import provider

_MESSAGES = (Message(role=MessageRole.USER, content=(TextPart(text="x"),)),)


def _provider(provider_id: str, *, models: Sequence[str] = (), **changes: Any) -> ProviderConfig:
    described: dict[str, Any] = {
        "default_model": f"{provider_id}-default",
        "models": tuple(ModelConfig(name=model) for model in models),
        "enabled": True,
        "priority": 10,
        "weight": 1,
    }
    return provider(provider_id, **(described | changes))


def _draw(seed: int) -> Draw:
    return random.Random(seed).random  # noqa: S311 - the same draws on every run.


def _found(providers: Sequence[ProviderConfig], **asked: Any) -> tuple[Candidate, ...]:
    return candidates(QueryRequest(messages=_MESSAGES, **asked), providers, draw=_draw(4))


def _names(found: Sequence[Candidate]) -> list[str]:
    return [f"{candidate.provider.id}/{candidate.model.name}" for candidate in found]


BOOK = [
    _provider("a", priority=2, models=["shared"]),
    _provider("b", priority=1),
    replace(
        _provider("c", priority=3),
        models=(ModelConfig(name="shared", aliases=("other-name",)), ModelConfig(name="meta/shared")),
    ),
    _provider("off", priority=0, enabled=False),
]


@pytest.mark.parametrize(
    ("asked", "order"),
    [
        ({}, ["b/b-default", "a/a-default", "c/c-default"]),
        ({"model": "shared"}, ["a/shared", "c/shared"]),
        ({"model": "b-default"}, ["b/b-default"]),
        ({"model": "meta/shared"}, ["c/meta/shared"]),
        ({"model": "other-name"}, ["c/shared"]),
        ({"model": "c/shared"}, ["c/shared"]),
        ({"model": "c/other-name"}, ["c/shared"]),
        ({"model": "c/unheard-of"}, ["c/unheard-of"]),
        ({"model": "c/"}, ["c/c-default"]),
        ({"model": "c"}, ["c/c-default"]),
        ({"provider": "c"}, ["c/c-default"]),
        ({"provider": "c", "model": "shared"}, ["c/shared"]),
        ({"provider": "c", "model": "c/shared"}, ["c/shared"]),
        ({"provider": "a", "model": "c/shared"}, ["a/c/shared"]),
        ({"provider": "off"}, ["off/off-default"]),
        ({"provider": "c", "fallback": ("*",)}, ["c/c-default", "b/b-default", "a/a-default"]),
        ({"provider": "c", "model": "shared", "fallback": ("*",)}, ["c/shared", "b/b-default", "a/shared"]),
        ({"model": "c/other-name", "fallback": ("*",)}, ["c/shared", "b/b-default", "a/shared"]),
        ({"provider": "c", "fallback": ("a/x", "*")}, ["c/c-default", "a/x", "b/b-default"]),
        ({"model": "shared", "fallback": ("*",)}, ["a/shared", "c/shared", "b/b-default"]),
        ({"fallback": ("*",)}, ["b/b-default", "a/a-default", "c/c-default"]),
        ({"provider": "c", "fallback": ()}, ["c/c-default"]),
        ({"provider": "c", "fallback": ("b", "a/shared")}, ["c/c-default", "b/b-default", "a/shared"]),
        ({"provider": "c", "fallback": ("c", "c/c-default", "c/shared")}, ["c/c-default", "c/shared"]),
        ({"provider": "c", "fallback": ("a/meta/x",)}, ["c/c-default", "a/meta/x"]),
        ({"provider": "c", "fallback": ("off",)}, ["c/c-default", "off/off-default"]),
    ],
)
def test_the_order(asked: dict[str, Any], order: list[str]) -> None:
    assert _names(_found(BOOK, **asked)) == order


def test_only_who_was_named_is_named() -> None:
    assert [candidate.named for candidate in _found(BOOK, provider="c", fallback=("*",))] == [True, False, False]
    assert [candidate.named for candidate in _found(BOOK, model="c/shared", fallback=("a",))] == [True, False]
    assert not any(candidate.named for candidate in _found(BOOK, model="shared", fallback=("b",)))


def test_without_a_fallback_the_rest_stands_in_for_one_that_cannot_be_called() -> None:
    found = _found(BOOK, fallback=())
    assert _names(found) == ["b/b-default", "a/a-default", "c/c-default"]
    assert [candidate.spare for candidate in found] == [False, True, True]
    found = _found(BOOK, fallback=("c",))
    assert [(name, candidate.spare) for name, candidate in zip(_names(found), found, strict=True)] == [
        ("b/b-default", False),
        ("a/a-default", True),
        ("c/c-default", True),
        ("c/c-default", False),
    ]


@pytest.mark.parametrize(
    "asked", [{"provider": "nobody"}, {"fallback": ("nobody",)}, {"provider": "a", "fallback": ("nobody/shared",)}]
)
def test_a_name_that_is_nobodys(asked: dict[str, Any]) -> None:
    with pytest.raises(ProviderNotFound) as refused:
        _found(BOOK, **asked)
    assert refused.value.detail == "There is no provider 'nobody'. There are: a, b, c, off."


def test_of_many_ids_the_first_are_told() -> None:
    with pytest.raises(ProviderNotFound) as refused:
        _found([_provider(f"p{number:02}") for number in range(23)], provider="nobody")
    assert refused.value.detail.endswith("p18, p19 and 3 more.")


def test_a_model_that_nobody_lists() -> None:
    for model in ("unheard-of", "off-default"):
        with pytest.raises(ValidationFailed) as refused:
            _found(BOOK, model=model)
        assert refused.value.errors[0].field == "model"
        assert "<provider>/<model> (a, b, c)" in refused.value.errors[0].message


@pytest.mark.parametrize("book", [[], [BOOK[-1]]])
def test_nobody_to_ask(book: list[ProviderConfig]) -> None:
    with pytest.raises(NoProviderAvailable):
        _found(book)


def test_equals_share_by_weight() -> None:
    book = [
        _provider("heavy", weight=3),
        _provider("light", weight=1),
        _provider("last", priority=11, weight=1_000_000),
    ]
    draw = _draw(1)
    request = QueryRequest(messages=_MESSAGES)
    first = Counter(candidates(request, book, draw=draw)[0].provider.id for _ in range(4_000))
    assert set(first) == {"heavy", "light"}
    assert 0.72 < first["heavy"] / 4_000 < 0.78


@given(
    st.lists(st.tuples(st.integers(0, 3), st.integers(1, 1_000_000), st.booleans()), min_size=1, max_size=8),
    st.integers(0, 2**32),
)
def test_everybody_enabled_comes_once_in_order_of_priority(drawn: list[tuple[int, int, bool]], seed: int) -> None:
    book = [
        _provider(f"p{number}", priority=priority, weight=weight, enabled=enabled)
        for number, (priority, weight, enabled) in enumerate(drawn)
    ]
    enabled = {one.id for one in book if one.enabled}
    if not enabled:
        return
    found = candidates(QueryRequest(messages=_MESSAGES), book, draw=_draw(seed))
    assert {candidate.provider.id for candidate in found} == enabled
    assert len(found) == len(enabled)
    priorities = [candidate.provider.priority for candidate in found]
    assert priorities == sorted(priorities)


_NAMES = [f"p{number}" for number in range(4)]
_MODELS = [*_NAMES, "shared", "rare", *(f"{name}-default" for name in _NAMES)]
_BOOKS = st.lists(
    st.tuples(st.integers(0, 2), st.booleans(), st.lists(st.sampled_from(["shared", "rare"]), max_size=2, unique=True)),
    min_size=1,
    max_size=4,
).map(
    lambda drawn: [
        _provider(f"p{number}", priority=priority, enabled=enabled, models=models)
        for number, (priority, enabled, models) in enumerate(drawn)
    ]
)


@given(
    book=_BOOKS,
    named=st.none() | st.sampled_from(_NAMES),
    model=st.none() | st.sampled_from(_MODELS + [f"{name}/shared" for name in _NAMES]),
    fallback=st.none() | st.lists(st.sampled_from([*_NAMES, "p0/rare", "*"]), max_size=3).map(tuple),
    seed=st.integers(0, 2**32),
)
def test_words_reach_nobody_that_the_query_neither_names_nor_leaves_open(
    book: list[ProviderConfig], named: str | None, model: str | None, fallback: tuple[str, ...] | None, seed: int
) -> None:
    request = QueryRequest(messages=_MESSAGES, provider=named, model=model, fallback=fallback)
    try:
        found = candidates(request, book, draw=_draw(seed))
    except (ProviderNotFound, ValidationFailed, NoProviderAvailable):
        return
    ids = {one.id for one in book}
    first = named or (model.partition("/")[0] if model and model.partition("/")[0] in ids else None)
    listed = {entry.partition("/")[0] for entry in fallback or ()} - {"*"}
    open_to = (
        {one.id for one in book if one.enabled and (model is None or one.lists(model))} if first is None else {first}
    )
    if "*" in (fallback or ()):
        open_to |= {one.id for one in book if one.enabled}
    assert {candidate.provider.id for candidate in found} <= open_to | listed
    assert first is None or found[0].provider.id == first
    assert len({(one.provider.id, one.model.name, one.spare) for one in found}) == len(found)
