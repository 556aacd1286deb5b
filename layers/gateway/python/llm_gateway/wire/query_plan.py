"""Which providers would be asked, and what, over HTTP."""

from typing import Literal

from llm_gateway.services.queries.foretelling import Foretold
from llm_gateway.wire.context import ContextShown
from llm_gateway.wire.query_status import PromptUsedShown, RoleUsedShown
from llm_gateway.wire.schema import Outgoing, Usd


class TokenPartsShown(Outgoing):
    """Input tokens by what they are for."""

    system: int
    context: int
    history: int
    question: int
    tools: int
    total: int


class PlannedCandidateShown(Outgoing):
    """One who would be asked, or would be skipped."""

    provider: str
    model: str
    outcome: Literal["ready", "skipped"]
    detail: str | None
    tokens: TokenPartsShown | None
    estimated_usd: Usd | None
    max_usd: Usd | None


class QueryPlanShown(Outgoing):
    """Which provider a query would be sent to, and with what. Nobody was asked."""

    candidates: list[PlannedCandidateShown]
    prompt: PromptUsedShown | None
    roles: list[RoleUsedShown]
    system: str | None
    context: ContextShown | None
    warnings: list[str]

    @classmethod
    def of(cls, foretold: Foretold) -> "QueryPlanShown":
        return cls(
            candidates=foretold.candidates,
            prompt=foretold.origin.prompt,
            roles=foretold.origin.roles,
            system=foretold.system,
            context=ContextShown.of(foretold.context) if foretold.context else None,
            warnings=list(foretold.warnings),
        )
