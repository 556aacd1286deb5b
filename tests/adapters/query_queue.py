"""A queue that remembers what was sent."""

from dataclasses import dataclass

from llm_gateway.ports import Priority, QueryQueue


@dataclass(frozen=True, slots=True, kw_only=True)
class Sent:
    query_id: str
    delay_s: float
    priority: Priority


class RecordingQueryQueue(QueryQueue):
    def __init__(self) -> None:
        self.sent: list[Sent] = []

    def send(self, query_id: str, *, delay_s: float = 0, priority: Priority = "normal") -> None:
        self.sent.append(Sent(query_id=query_id, delay_s=min(delay_s, 900), priority=priority))
