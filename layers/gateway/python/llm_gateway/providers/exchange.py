"""One exchange with a provider, whatever its wire: a request goes out, its answer is read as it comes, within one deadline."""

from collections.abc import Generator, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager, suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Protocol

from llm_gateway.domain.chat import ChatAnswer, ChatRequest, Delta
from llm_gateway.domain.faults import ProviderResponseInvalid
from llm_gateway.domain.providers import Timeouts
from llm_gateway.errors import GatewayError
from llm_gateway.ports.system import Cancelled, Clock, never
from llm_gateway.providers.deadline import Deadline
from llm_gateway.providers.faults import ContentFiltered, FaultTable
from llm_gateway.providers.sse import Document, Event
from llm_gateway.providers.writing import Joiner

if TYPE_CHECKING:
    import httpx2

    from llm_gateway.domain.embeddings import EmbeddingRequest, Embeddings
    from llm_gateway.providers.embedding import EmbeddingWire

_LEFTOVER_S: Final = 0.05


class ChatWire(Protocol):
    """How one API is asked in a chat: what is sent, how failures are told, and how an answer is put together."""

    def faults(self, request: ChatRequest) -> FaultTable: ...

    def joiner(self, request: ChatRequest, faults: FaultTable) -> Joiner: ...

    def opened(
        self, request: ChatRequest, *, streamed: bool, timeout: "httpx2.Timeout"
    ) -> AbstractContextManager[Iterator[Event]]:
        """Sends the request, and gives what comes back piece by piece. Leaving it closes the connection."""
        ...


class Wire(ChatWire, Protocol):
    """All that a provider is asked for."""

    def load(self) -> None:
        """Imports what every call needs. The first time that takes a second, which is none of the provider's."""
        ...

    def count_tokens(self, request: ChatRequest, *, timeout: "httpx2.Timeout") -> int | None:
        """The input tokens of `request`, by a call of its own; None where the API has none for that."""
        ...

    def embeddings(self) -> "EmbeddingWire":
        """How this API is asked for embeddings. Raises `UnsupportedParameter` where it has none."""
        ...


@dataclass(frozen=True, kw_only=True)
class WiredProvider:
    """A `Provider`. Whole and streamed answers are read alike: servers send either, whichever they were asked for."""

    wire: Wire
    clock: Clock

    def complete(self, request: ChatRequest, *, timeouts: Timeouts, cancelled: Cancelled = never) -> ChatAnswer:
        deadline = Deadline.of_whole_answer(timeouts, self.clock, cancelled)
        for item in self._exchange(request, timeouts, deadline, streamed=False):
            if isinstance(item, ChatAnswer):
                return item
        raise AssertionError("an exchange ends with its answer")

    def stream(
        self, request: ChatRequest, *, timeouts: Timeouts, cancelled: Cancelled = never
    ) -> Generator[Delta | ChatAnswer, None, None]:
        """Closing the generator closes the connection, which ends the provider's work."""
        deadline = Deadline.of_stream(timeouts, self.clock, cancelled)
        yield from self._exchange(request, timeouts, deadline, streamed=True)

    def count_tokens(self, request: ChatRequest, *, timeouts: Timeouts) -> int | None:
        faults = self.wire.faults(request)
        deadline = Deadline.of_whole_answer(timeouts, self.clock)
        with faults.raised(deadline=deadline), deadline.enforced():
            return self.wire.count_tokens(request, timeout=_http_timeout(timeouts, deadline))

    def embed(self, request: "EmbeddingRequest", *, timeouts: Timeouts, cancelled: Cancelled = never) -> "Embeddings":
        from llm_gateway.providers.embedding import embedded

        return embedded(
            self.wire.embeddings(), request, Deadline.of_whole_answer(timeouts, self.clock, cancelled), timeouts
        )

    def _exchange(
        self, request: ChatRequest, timeouts: Timeouts, deadline: Deadline, *, streamed: bool
    ) -> Generator[Delta | ChatAnswer, None, None]:
        faults = self.wire.faults(request)
        joiner = self.wire.joiner(request, faults)
        # Importing a vendor's SDK takes a second, which is none of the provider's.
        deadline.renew()
        with ExitStack() as opened:
            try:
                with faults.raised(deadline=deadline), deadline.enforced():
                    timeout = _http_timeout(timeouts, deadline)
                    events = opened.enter_context(self.wire.opened(request, streamed=streamed, timeout=timeout))
                yield from _deltas(events, joiner, deadline, faults)
            except ContentFiltered:
                joiner.filter()
            with faults.raised(joiner.usage_so_far), _told_whether_complete(joiner):
                rest, answer = joiner.end(), joiner.answer()
            yield from rest
            yield answer
            # A connection is used again only when its answer was read to the very end.
            deadline.allow(_LEFTOVER_S)
            with suppress(Exception), deadline.enforced():
                for _ in events:
                    pass


def _deltas(
    events: Iterator[Event], joiner: Joiner, deadline: Deadline, faults: FaultTable
) -> Generator[Delta, None, None]:
    was_whole, enforced = False, deadline.enforced()
    try:
        with faults.raised(joiner.usage_so_far, deadline=deadline), _told_whether_complete(joiner):
            while not joiner.closed:
                was_whole = joiner.whole
                with enforced:
                    event = next(events, None)
                if event is None:
                    return
                deltas = _read(event, joiner)
                if joiner.generating:
                    deadline.renew()
                yield from deltas
    except GatewayError:
        # What breaks after the last piece of an answer does not spoil it.
        if not was_whole:
            raise


def _read(event: Event, joiner: Joiner) -> list[Delta]:
    deltas = joiner.take(event)
    if isinstance(event, Document):
        # Nothing of a whole answer is handed on before all of it is known to be good: somebody else may still be asked.
        deltas += joiner.end()
        joiner.answer()
    return deltas


@contextmanager
def _told_whether_complete(joiner: Joiner) -> Iterator[None]:
    """Marks a fault in an answer that has all come and is paid for."""
    try:
        yield
    except ProviderResponseInvalid as fault:
        fault.complete = joiner.whole and joiner.usage_so_far() is not None
        raise


def _http_timeout(timeouts: Timeouts, deadline: Deadline) -> "httpx2.Timeout":
    from llm_gateway.providers.transport import http_timeout

    return http_timeout(timeouts, deadline)
