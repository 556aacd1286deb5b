"""Canaries' events: a version that lost its weight by itself."""

from llm_gateway.access import CANARY_DETAIL_TYPE
from llm_gateway.domain.prompts.canary_news import CanaryNews
from llm_gateway.stores.event_bus import EventBus


class EventBridgeCanaryEvents:
    def __init__(self, bus: EventBus) -> None:
        self._bus = bus

    def rolled_back(self, news: CanaryNews) -> None:
        detail = {
            "prompt_id": news.prompt_id,
            "label": news.label,
            "version": news.version,
            "heaviest": news.heaviest,
            "reason": news.reason,
            "at": news.at.isoformat(timespec="milliseconds").replace("+00:00", "Z"),
        }
        self._bus.tell(CANARY_DETAIL_TYPE, detail)
