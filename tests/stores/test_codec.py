"""A document without its nulls is read as the value that was written."""

import types
from collections.abc import Iterator
from dataclasses import fields, is_dataclass
from typing import Any, Union, get_args, get_origin, get_type_hints

from llm_gateway.domain.chat import Message, MessageRole, TextPart, Tool
from llm_gateway.domain.queries import QueryRequest
from llm_gateway.stores.codec import from_json, to_json


def kinds_in(kind: Any, seen: set[Any]) -> Iterator[type]:
    """The dataclasses that a value of `kind` may hold, however deep."""
    if kind in seen:
        return
    seen.add(kind)
    if is_dataclass(kind):
        yield kind
        parts = tuple(get_type_hints(kind).values())
    else:
        parts = get_args(kind)
    for part in parts:
        yield from kinds_in(part, seen)


def test_what_may_be_none_in_a_request_is_none_by_default() -> None:
    kinds = list(kinds_in(QueryRequest, set()))
    otherwise = [
        f"{kind.__name__}.{field.name}"
        for kind in kinds
        for field in fields(kind)
        if get_origin(get_type_hints(kind)[field.name]) in (Union, types.UnionType)
        and type(None) in get_args(get_type_hints(kind)[field.name])
        and field.default is not None
    ]
    assert {"Message", "TextPart", "Tool", "ContextWish"} <= {kind.__name__ for kind in kinds}
    assert otherwise == []


def test_nulls_that_somebody_sent_are_kept() -> None:
    schema = {"type": "object", "properties": {"unit": {"enum": ["C", None], "default": None}}}
    request = QueryRequest(
        messages=(Message(role=MessageRole.USER, content=(TextPart(text="How warm is it?"),)),),
        tools=(Tool(name="weather", parameters=schema),),
        vendor={"openai": {"store": None}},
        metadata={"ticket": None},
    )
    document = to_json(QueryRequest, request, with_nulls=False)
    assert from_json(QueryRequest, document) == request
    assert document.count(b"null") == 4
    assert to_json(QueryRequest, request).count(b"null") > 20
