"""Caching: which answers may be given again, and under which key."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from enum import Enum
from typing import Any, Final

from llm_gateway.domain.chat import FinishReason
from llm_gateway.domain.queries import QueryAnswer, QueryRequest
from llm_gateway.services.queries.planning import Step

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


def canonical(value: Any) -> Any:
    """`value` as JSON that is the same for equal values: `1.0` is `1`, but `true` is not."""
    if is_dataclass(value):
        return {field.name: canonical(getattr(value, field.name)) for field in fields(value)}
    if isinstance(value, Enum):
        return value.value
    if isinstance(value, Mapping):
        return {str(key): canonical(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [canonical(item) for item in value]
    return int(value) if isinstance(value, float) and value.is_integer() else value


def digest(value: Any) -> str:
    """What equal values have in common, and no others: neither the order of members counts nor how a number is written."""
    return hashlib.sha256(json.dumps(canonical(value), sort_keys=True, separators=(",", ":")).encode()).hexdigest()


def _is_deterministic(request: QueryRequest) -> bool:
    return request.parameters.temperature == 0 or request.parameters.seed is not None
