"""A queue that remembers what was sent."""

from dataclasses import dataclass

from llm_gateway.ports.queries import Delivery, Priority, QueryQueue


@dataclass(frozen=True, slots=True, kw_only=True)
class Sent:
    query_id: str
    delay_s: float
    priority: Priority
    is_paid: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Held:
    delivery: Delivery
    duration_s: float


class RecordingQueryQueue(QueryQueue):
    """While `fault` is set, the queue cannot be reached."""

    def __init__(self) -> None:
        self.fault: Exception | None = None
        self.sent: list[Sent] = []
        self.held: list[Held] = []

    def send(self, query_id: str, *, delay_s: float = 0, priority: Priority = "normal", is_paid: bool = False) -> None:
        self._reach()
        self.sent.append(Sent(query_id=query_id, delay_s=min(delay_s, 900), priority=priority, is_paid=is_paid))

    def hold(self, delivery: Delivery, *, duration_s: float) -> None:
        self._reach()
        self.held.append(Held(delivery=delivery, duration_s=duration_s))

    def _reach(self) -> None:
        if self.fault:
            raise self.fault
