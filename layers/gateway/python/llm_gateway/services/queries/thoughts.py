"""Thoughts: a model that thinks within a budget refuses to go on with a round of tools without the thought that began it."""

from dataclasses import replace

from llm_gateway.domain.chat import ChatRequest, MessageRole
from llm_gateway.domain.routing import Candidate


def thinkable(chat: ChatRequest, candidate: Candidate) -> tuple[ChatRequest, tuple[str, ...]]:
    """`chat` as such a model takes it: it refuses to think on without its thought. A warning says where it was not to think."""
    if chat.parameters.reasoning_effort == "none" or not _lacks_a_thought(chat):
        return chat, ()
    who = f"{candidate.provider.id}/{candidate.model.name}"
    warning = (
        f"{who} was asked to answer without thinking: the turn that called the tools came back without its reasoning."
    )
    return replace(chat, parameters=replace(chat.parameters, reasoning_effort="none")), (warning,)


def _lacks_a_thought(chat: ChatRequest) -> bool:
    """Whether a round of tools goes on without the thought that began it, of which most clients know nothing."""
    if not chat.messages or chat.messages[-1].role is not MessageRole.TOOL:
        return False
    begun = next((message for message in reversed(chat.messages) if message.role is MessageRole.ASSISTANT), None)
    return begun is not None and not begun.reasoning
