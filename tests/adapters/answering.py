"""Providers that answer without a network: what a test scripts, in its order, then always the same."""

from collections.abc import Callable, Generator
from dataclasses import dataclass, field

from llm_gateway.domain.chat import ChatAnswer, ChatRequest, Delta, FinishReason, TextDelta, Usage
from llm_gateway.domain.embeddings import EmbeddingRequest, Embeddings
from llm_gateway.domain.faults import CallCancelled
from llm_gateway.domain.providers import ProviderConfig, ProviderCredentials, Timeouts
from llm_gateway.ports.providers import Provider, Providers

Said = str | ChatAnswer | Exception


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """One call: which provider was asked, and what."""

    config: ProviderConfig
    credentials: ProviderCredentials | None
    request: ChatRequest


@dataclass(slots=True)
class AnsweringProviders(Providers):
    """`script` holds what the next calls meet: a text to answer, a whole answer, what is raised, or a function that gives
    one of these when it is its turn; then comes "Hello!". `pause` is called before a stream's words, and again before its
    end, with what tells whether it was cancelled. A vector tells the length of its text; `users` are those on whose behalf
    vectors were asked for."""

    script: list[Said | Callable[[], Said]] = field(default_factory=list)
    asked: list[Asked] = field(default_factory=list)
    users: list[str | None] = field(default_factory=list)
    pause: Callable[[Callable[[], bool]], None] = lambda _: None

    def open(self, config: ProviderConfig, credentials: ProviderCredentials | None) -> Provider:
        return _Answering(self, config, credentials)


@dataclass(frozen=True, slots=True)
class _Answering(Provider):
    providers: AnsweringProviders
    config: ProviderConfig
    credentials: ProviderCredentials | None

    def complete(
        self, request: ChatRequest, *, timeouts: Timeouts, cancelled: Callable[[], bool] = lambda: False
    ) -> ChatAnswer:
        self.providers.asked.append(Asked(config=self.config, credentials=self.credentials, request=request))
        said = self.providers.script.pop(0) if self.providers.script else "Hello!"
        if callable(said):
            said = said()
        if isinstance(said, Exception):
            raise said
        if isinstance(said, ChatAnswer):
            return said
        usage = Usage(input_tokens=10, output_tokens=len(said.split()))
        return ChatAnswer(text=said, finish_reason=FinishReason.STOP, model=request.model, usage=usage)

    def embed(
        self, request: EmbeddingRequest, *, timeouts: Timeouts, cancelled: Callable[[], bool] = lambda: False
    ) -> Embeddings:
        self.providers.users.append(request.user)
        words = sum(len(text.split()) for text in request.texts)
        vectors = tuple((float(len(text)), 0.5) for text in request.texts)
        return Embeddings(vectors=vectors, model=request.model, usage=Usage(input_tokens=words))

    def stream(
        self, request: ChatRequest, *, timeouts: Timeouts, cancelled: Callable[[], bool] = lambda: False
    ) -> Generator[Delta | ChatAnswer, None, None]:
        answer = self.complete(request, timeouts=timeouts)
        self._pause(cancelled)
        yield TextDelta(text=answer.text or "")
        self._pause(cancelled)
        yield answer

    def _pause(self, cancelled: Callable[[], bool]) -> None:
        self.providers.pause(cancelled)
        if cancelled():
            raise CallCancelled("The query was cancelled.")
