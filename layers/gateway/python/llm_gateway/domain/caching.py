"""Cached answers, and the places where one is being made: what makes many equal questions one call."""

from datetime import datetime

from llm_gateway.domain.queries import QueryAnswer
from llm_gateway.values import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class CachedAnswer:
    """An answer as query `query_id` got it; nobody is given it from `expires_at` on."""

    answer: QueryAnswer
    query_id: str
    cached_at: datetime
    expires_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Pending:
    """`holder` is making the answer; should it fall silent, the place is free from `until` on."""

    holder: str
    until: datetime
