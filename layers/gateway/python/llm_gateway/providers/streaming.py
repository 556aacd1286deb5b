"""Reading one streamed answer, whatever the wire: its deadline, its faults, its end."""

from collections.abc import Callable, Generator, Iterable
from contextlib import AbstractContextManager, ExitStack, suppress
from typing import TYPE_CHECKING, Final, Protocol

from llm_gateway.domain.chat import ChatAnswer, Delta, Usage
from llm_gateway.errors import GatewayError
from llm_gateway.providers.deadline import Deadline
from llm_gateway.providers.faults import FaultTable

if TYPE_CHECKING:
    import httpx2

_LEFTOVER_S: Final = 0.05


class Joiner(Protocol):
    """Puts one stream's events together."""

    @property
    def generating(self) -> bool:
        """Whether the model has made anything yet, be it reasoning that nobody sees."""
        ...

    @property
    def whole(self) -> bool:
        """Whether nothing of the answer itself is still to come."""
        ...

    @property
    def closed(self) -> bool:
        """Whether the wire's last event has come."""
        ...

    def take(self, data: str) -> Iterable[Delta]:
        """What an event's data adds. Raises a fault for an error event, or for one that cannot be read."""
        ...

    def answer(self) -> ChatAnswer:
        """The whole answer. Raises `ProviderResponseInvalid` where the stream ended before it was whole."""
        ...

    def usage_so_far(self) -> Usage | None:
        """What a call that breaks off here is billed, as far as anybody knows; None before anything came."""
        ...


def read_stream(
    open_response: Callable[[], AbstractContextManager["httpx2.Response"]],
    joiner: Joiner,
    *,
    deadline: Deadline,
    faults: FaultTable,
) -> Generator[Delta | ChatAnswer, None, None]:
    """Deltas, then the whole answer. Closing the generator closes the connection, which ends the provider's work."""
    import httpx2

    with ExitStack() as opened:
        with faults.raised(), deadline.enforced():
            response = opened.enter_context(open_response())
        events = iter(httpx2.EventSource(response))
        while not joiner.closed:
            try:
                with faults.raised(joiner.usage_so_far), deadline.enforced():
                    event = next(events, None)
                    deltas = tuple(joiner.take(event.data)) if event else ()
            except GatewayError:
                # What breaks after the last piece of an answer does not spoil it.
                if joiner.whole:
                    break
                raise
            if event is None:
                break
            if joiner.generating:
                deadline.renew()
            yield from deltas
        with faults.raised(joiner.usage_so_far):
            answer = joiner.answer()
        yield answer
        # A connection is used again only when its answer was read to the very end.
        deadline.allow(_LEFTOVER_S)
        with suppress(Exception), deadline.enforced():
            for _ in events:
                pass
