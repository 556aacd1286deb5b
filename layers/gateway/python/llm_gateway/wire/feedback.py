"""Feedback over HTTP."""

from decimal import Decimal
from typing import Annotated

from pydantic import Field

from llm_gateway.services.evals.feedback import FeedbackGiven
from llm_gateway.wire.schema import Incoming

_DIGITS = 6


class FeedbackBody(Incoming):
    """What somebody thinks of an answer. `name` tells several opinions of one answer apart; the last one under a name counts."""

    score: Annotated[float, Field(strict=True, ge=0, le=1)]
    name: Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]{0,63}$")] = "default"
    comment: Annotated[str, Field(max_length=2000)] | None = None

    def to_domain(self) -> FeedbackGiven:
        return FeedbackGiven(score=round(Decimal(str(self.score)), _DIGITS), name=self.name, comment=self.comment)
