"""Wishes: parameters that a prompt asks for and its query does not. A candidate that cannot take one is asked without it."""

from dataclasses import fields, replace
from typing import Any, Final

from llm_gateway.domain.capabilities import unsupported
from llm_gateway.domain.chat import ChatRequest, Parameters
from llm_gateway.domain.model_table import ModelProfile

_UNSET: Final[dict[str, Any]] = {f"parameters.{field.name}": field.default for field in fields(Parameters)}


def within_reach(
    chat: ChatRequest, wishes: tuple[str, ...], profile: ModelProfile
) -> tuple[ChatRequest, tuple[str, ...]]:
    """`chat` without the wishes that such a model cannot take, and which those are."""
    left_out = tuple(wish for wish in unsupported(chat, profile) if wish in wishes)
    chat = _without(chat, left_out)
    # A parameter of the query's own may be one too many beside a wish.
    for wish in wishes:
        too_many = unsupported(chat, profile)
        if too_many and wish not in left_out and len(unsupported(_without(chat, (wish,)), profile)) < len(too_many):
            chat, left_out = _without(chat, (wish,)), (*left_out, wish)
    return chat, left_out


def _without(chat: ChatRequest, wishes: tuple[str, ...]) -> ChatRequest:
    if not wishes:
        return chat
    unset = {wish.removeprefix("parameters."): _UNSET[wish] for wish in wishes}
    return replace(chat, parameters=replace(chat.parameters, **unset))
