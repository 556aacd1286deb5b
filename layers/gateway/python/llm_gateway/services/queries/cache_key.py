"""Caching: which answers may be given again, and under which key."""

from typing import Final

from llm_gateway.domain.chat import FinishReason
from llm_gateway.domain.queries import QueryAnswer, QueryRequest
from llm_gateway.domain.routing import Step
from llm_gateway.domain.strict_json import digest

_WHOLE: Final = frozenset({FinishReason.STOP, FinishReason.TOOL_CALLS})


def reads_cache(request: QueryRequest) -> bool:
    """Whether an earlier answer will do: always where the caller says so, else where asking again would give the same."""
    return request.cache == "force" or (request.cache == "auto" and _is_deterministic(request))


def writes_cache(request: QueryRequest) -> bool:
    return request.cache == "refresh" or reads_cache(request)


def is_cacheable(answer: QueryAnswer, step: Step) -> bool:
    """Only whole answers are kept, and only those of the candidate that the key names: its provider and its model."""
    if answer.cache.hit:
        return False
    named, called = step.candidate, answer.attempts[-1]
    return answer.finish_reason in _WHOLE and (called.provider, called.model) == (named.provider.id, named.model.name)


def cache_key(step: Step, *, owner: str) -> str:
    """A hash over all that affects the answer, and over whose it is: answers are never shared between API keys."""
    provider = step.candidate.provider
    return digest([owner, provider.id, provider.kind, provider.base_url, step.chat, step.output])


def _is_deterministic(request: QueryRequest) -> bool:
    return request.parameters.temperature == 0 or request.parameters.seed is not None
