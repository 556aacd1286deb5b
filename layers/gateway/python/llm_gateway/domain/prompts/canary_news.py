"""News of canaries: a version that lost its weight by itself."""

from datetime import datetime

from llm_gateway.values import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class CanaryNews:
    """`version` has lost its weight under `label` to `heaviest`, because of `reason`."""

    prompt_id: str
    label: str
    version: int
    heaviest: int
    reason: str
    at: datetime
