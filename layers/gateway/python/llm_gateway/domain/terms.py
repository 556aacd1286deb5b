"""The terms on which a key asks: its limits, its budget, the providers and models that its queries may use, and what becomes of
personal data in them."""

from typing import Final

from llm_gateway.domain.keys import Allowed, Budget, Caller, KeyLimits
from llm_gateway.domain.pii import PiiRule
from llm_gateway.domain.providers import ModelConfig
from llm_gateway.values import dataclass

_UNLIMITED: Final = KeyLimits()
_EVERYTHING: Final = Allowed()


@dataclass(frozen=True, slots=True, kw_only=True)
class Terms:
    """A query keeps those under which it was accepted."""

    limits: KeyLimits = _UNLIMITED
    budget: Budget | None = None
    allow: Allowed = _EVERYTHING
    pii: tuple[PiiRule, ...] = ()

    @classmethod
    def of(cls, caller: Caller) -> "Terms":
        return cls(limits=caller.limits, budget=caller.budget_usd, allow=caller.allow, pii=caller.pii)

    def allows(self, provider_id: str, model: ModelConfig) -> bool:
        """Whether the provider may be asked, and the model by its name or an alias."""
        if self.allow == _EVERYTHING:
            return True
        return self.allow.provider(provider_id) and any(map(self.allow.model, (model.name, *model.aliases)))


FREE = Terms()
"""Without any limit."""
