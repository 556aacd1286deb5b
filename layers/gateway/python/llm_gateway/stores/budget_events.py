"""Budget events on EventBridge, and in the log: an operator may have them mailed, posted or counted."""

import json
import logging

from llm_gateway.access import BUDGET_DETAIL_TYPE, BUDGET_SOURCE
from llm_gateway.domain.budget_news import BudgetReached
from llm_gateway.domain.money import usd
from llm_gateway.stores.connection import Aws

_log = logging.getLogger(__name__)


class EventBridgeBudgetEvents:
    """Without a bus, the log alone is told."""

    def __init__(self, *, aws: Aws, bus: str) -> None:
        self._aws = aws
        self._bus = bus

    def reached(self, news: BudgetReached) -> None:
        detail = {
            "key_id": news.key_id,
            "percent": news.percent,
            "period": news.period,
            "amount_usd": usd(news.amount_usd),
            "spent_usd": usd(news.spent_usd),
            "resets_at": news.resets_at.isoformat().replace("+00:00", "Z"),
        }
        _log.warning("Budget reached: %s", json.dumps(detail))
        if self._bus:
            self._send(json.dumps(detail))

    def _send(self, detail: str) -> None:
        entry = {"EventBusName": self._bus, "Source": BUDGET_SOURCE, "DetailType": BUDGET_DETAIL_TYPE, "Detail": detail}
        try:
            answer = self._aws.events.put_events(Entries=[entry])
        except Exception:
            _log.warning("The event bus cannot be reached.", exc_info=True)
            return
        if answer["FailedEntryCount"]:
            _log.warning("The event bus has not taken an event: %s", answer["Entries"][0].get("ErrorCode"))
