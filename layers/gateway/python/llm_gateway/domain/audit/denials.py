"""Denials: refused requests, counted by caller and minute, so that a flood of them is one entry of the log."""

from datetime import datetime, timedelta
from typing import Final

from llm_gateway.domain.audit.entries import Actor, Deed, Outcome, instant
from llm_gateway.values import dataclass

MINUTE: Final = timedelta(minutes=1)
OTHERS: Final = "request.denied"
"""The action of those that are counted together, because too many different ones came within a minute."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Denial:
    """One refusal. `target` is the endpoint where that matters. A caller without a key is known by its address."""

    actor: Actor
    action: str
    target: str | None = None
    request_id: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class CountedDenials:
    """The denials of one kind, by one actor, within the minute that begins then. `denial` is the last of them."""

    denial: Denial
    minute: datetime
    count: int

    def deed(self) -> Deed:
        return Deed(
            actor=self.denial.actor,
            action=self.denial.action,
            target=self.denial.target,
            request_id=self.denial.request_id,
            after={"minute": instant(self.minute)},
            outcome=Outcome.DENIED,
            count=self.count,
        )


def minute_of(moment: datetime) -> datetime:
    return moment.replace(second=0, microsecond=0)
