"""Booking with a span around it."""

from collections.abc import Callable
from contextlib import AbstractContextManager

from llm_gateway.domain.idempotency import Idempotency, Replayed
from llm_gateway.domain.queries import Query
from llm_gateway.domain.routing import Step
from llm_gateway.ports.tracing import Span
from llm_gateway.services.queries.booking import Booked, Booking
from llm_gateway.services.queries.charge import Charge
from llm_gateway.services.queries.progress import Deadline
from llm_gateway.values import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class TracedBooking(Booking):
    step: Callable[[str], AbstractContextManager[Span]]

    def open(
        self,
        query: Query,
        first: Step,
        *,
        deadline: Deadline,
        charge: Charge | None,
        idempotency: Idempotency | None,
        stored: bool,
    ) -> Booked | Replayed[Query]:
        with self.step("booking") as span:
            span.note(llm_gateway__query_id=query.id)
            return Booking.open(
                self, query, first, deadline=deadline, charge=charge, idempotency=idempotency, stored=stored
            )

    def open_queued(
        self, query: Query, *, deadline: Deadline, charge: Charge | None, idempotency: Idempotency | None
    ) -> Booked | Replayed[Query]:
        with self.step("booking") as span:
            span.note(llm_gateway__query_id=query.id)
            return Booking.open_queued(self, query, deadline=deadline, charge=charge, idempotency=idempotency)
