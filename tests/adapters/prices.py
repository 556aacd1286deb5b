"""Prices that a test can work out in its head."""

from datetime import datetime
from decimal import Decimal

from llm_gateway.domain.chat import Usage
from llm_gateway.domain.providers import ModelConfig, ProviderKind


class FlatPrices:
    """A dollar per million tokens, whichever they are; models named in `unknown` have no price."""

    def __init__(self, *unknown: str) -> None:
        self._unknown = frozenset(unknown)

    def cost(
        self, kind: ProviderKind, model: ModelConfig, *, answered_model: str, usage: Usage, at: datetime
    ) -> Decimal | None:
        return None if model.name in self._unknown else Decimal(usage.total_tokens) / 1_000_000
