"""A query on its way in: who asks, since when, under which idempotency key, and whether the client still waits."""

from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Annotated, Any

from starlette.requests import Request

from llm_gateway.domain.idempotency import Idempotency
from llm_gateway.domain.queries import QueryRequest
from llm_gateway.domain.streams import Position
from llm_gateway.domain.terms import Terms
from llm_gateway.entrypoints.declared import Depends
from llm_gateway.entrypoints.http import Caller, Gateway
from llm_gateway.entrypoints.idempotency import IdempotencyKey
from llm_gateway.entrypoints.query_replies import QueryReply as QueryReply
from llm_gateway.entrypoints.query_replies import reply_to, shown_whole
from llm_gateway.entrypoints.request_state import state_of
from llm_gateway.entrypoints.streaming import LONGEST_HEAD_S, Breaker, Writer, event_stream, whole_answer
from llm_gateway.entrypoints.streaming import EventStream as EventStream
from llm_gateway.ports.system import never
from llm_gateway.services.queries.asking import Asked
from llm_gateway.values import dataclass

if TYPE_CHECKING:
    from llm_gateway.domain.prompts.choices import Choices
    from llm_gateway.domain.queries import Query, QueryAnswer
    from llm_gateway.services.queries.foretelling import Foretold
    from llm_gateway.wire.field_names import Named


@dataclass(frozen=True, slots=True)
class _Asking:
    request: Request
    caller: Caller
    gateway: Gateway
    idempotency: Idempotency | None

    def speak_of(self, body: "Named") -> None:
        """Errors call a query's fields as `body`, in whose dialect the request is, calls them."""
        state_of(self.request).called = body.called

    def run(self, query: QueryRequest, choices: "Choices | None" = None) -> QueryReply:
        """The answer, or for an asynchronous query the promise of one."""
        asking = self.gateway.asking
        run = asking.accept if query.mode == "async" else asking.run
        return reply_to(self.request, run(self._asked(query, choices)))

    def stream(
        self,
        query: QueryRequest,
        choices: "Choices | None" = None,
        *,
        write: Writer | None = None,
        break_off: Breaker | None = None,
    ) -> EventStream:
        """The answer as it comes; `write` makes the events of another dialect, and `break_off` the last where it failed."""
        items = self.gateway.asking.stream(self._asked(query, choices))
        silence_s, goes_on = self.gateway.settings.keep_alive_s, query.on_disconnect == "finish"
        return event_stream(
            self.request,
            items,
            start=Position(),
            silence_s=silence_s,
            patience_s=LONGEST_HEAD_S if write else None,
            goes_on=goes_on,
            write=write,
            break_off=break_off,
        )

    def whole(
        self, query: QueryRequest, choices: "Choices | None", show: "Callable[[Query, QueryAnswer], dict[str, Any]]"
    ) -> EventStream:
        """The answer as another dialect has it, which may take as long as a stream."""

        def answer() -> tuple[bytes, dict[str, str]]:
            return shown_whole(self.gateway.asking.run(self._asked(query, choices)), show)

        return whole_answer(self.request, answer, silence_s=self.gateway.settings.keep_alive_s)

    def count(self, query: QueryRequest, choices: "Choices | None" = None) -> int:
        """How many tokens the one who would be asked first would read."""
        tell_room = partial(setattr, state_of(self.request), "room")
        return self.gateway.counting.count(query, self.caller, choices, tell_room=tell_room)

    def _asked(self, query: QueryRequest, choices: "Choices | None") -> Asked:
        state = state_of(self.request)
        return Asked(
            request=query,
            caller=self.caller,
            received_s=state.received_s,
            choices=choices,
            idempotency=self.idempotency,
            cancelled=never if query.on_disconnect == "finish" else state.left.is_set,
            tell_id=partial(setattr, state, "query_id"),
            tell_room=partial(setattr, state, "room"),
        )


def _asking(request: Request, caller: Caller, gateway: Gateway, idempotency: IdempotencyKey) -> _Asking:
    return _Asking(request=request, caller=caller, gateway=gateway, idempotency=idempotency)


Asking = Annotated[_Asking, Depends(_asking)]


@dataclass(frozen=True, slots=True)
class _Foretelling:
    """For a query that nobody is asked: there is nothing that an idempotency key could keep from being done twice."""

    caller: Caller
    gateway: Gateway

    def foretell(self, query: QueryRequest, choices: "Choices | None" = None) -> "Foretold":
        """Which providers would be asked, and what."""
        return self.gateway.foretelling.foretell(query, Terms.of(self.caller), choices, key_id=self.caller.key_id)


def _foretelling(caller: Caller, gateway: Gateway) -> _Foretelling:
    return _Foretelling(caller=caller, gateway=gateway)


Foretelling = Annotated[_Foretelling, Depends(_foretelling)]
