"""Canaries' events, remembered."""

from dataclasses import dataclass, field

from llm_gateway.domain.prompts.canary_news import CanaryNews
from llm_gateway.ports.evals import CanaryEvents


@dataclass
class RecordingCanaryEvents(CanaryEvents):
    news: list[CanaryNews] = field(default_factory=list)

    def rolled_back(self, news: CanaryNews) -> None:
        self.news.append(news)
