"""Providers that behave as scripted, each by its own script, and take their time by a clock that stands still."""

from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from llm_gateway.domain.chat import ChatAnswer, ChatRequest, Delta, FinishReason, TextDelta, Usage
from llm_gateway.domain.faults import ProviderFault, ProviderTimeout
from llm_gateway.domain.providers import ProviderConfig, ProviderCredentials, Timeouts
from llm_gateway.ports.providers import Provider, Providers
from llm_gateway.ports.system import Cancelled, never

from tests.adapters.clock import FakeClock

USAGE = Usage(input_tokens=10, output_tokens=5)


@dataclass(frozen=True, slots=True, kw_only=True)
class Says:
    """An answer after `after_s`; as a stream it comes word by word."""

    text: str = "Hello there."
    after_s: float = 0
    usage: Usage = USAGE
    finish: FinishReason = FinishReason.STOP
    model: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Raises:
    """A fault after `after_s`; in a stream once `words` have come. It is made anew each time, as exceptions are."""

    fault: Callable[[], Exception]
    after_s: float = 0
    words: tuple[str, ...] = ()


Behavior = Says | Raises


@dataclass(slots=True, kw_only=True)
class Called:
    """One call as the provider met it; `ended_s` is when it was answered, broke, or was left, `raised` what it ended with."""

    provider: str
    request: ChatRequest
    timeouts: Timeouts
    credentials: ProviderCredentials | None
    started_s: float
    behavior: Behavior
    ended_s: float | None = None
    raised: Exception | None = None


@dataclass(slots=True, kw_only=True)
class ScriptedProviders(Providers):
    """`scripts` hold what the next calls of each provider meet; after that, `otherwise`. `left` lists whose stream was closed.

    To make an adapter ready takes `opening_s`.
    """

    clock: FakeClock
    scripts: dict[str, list[Behavior]] = field(default_factory=dict)
    otherwise: Behavior = field(default_factory=Says)
    called: list[Called] = field(default_factory=list)
    left: list[str] = field(default_factory=list)
    opening_s: float = 0

    def script(self, provider_id: str, *behaviors: Behavior | Exception) -> None:
        """An exception stands for itself, raised at once."""
        made = [_raising(one) if isinstance(one, Exception) else one for one in behaviors]
        self.scripts.setdefault(provider_id, []).extend(made)

    def open(self, config: ProviderConfig, credentials: ProviderCredentials | None) -> Provider:
        self.clock.advance(self.opening_s)
        return _Scripted(self, config, credentials)

    @property
    def order(self) -> list[str]:
        return [call.provider for call in self.called]


def _raising(fault: Exception) -> Raises:
    return Raises(fault=lambda: fault)


@dataclass(frozen=True, slots=True)
class _Scripted(Provider):
    providers: ScriptedProviders
    config: ProviderConfig
    credentials: ProviderCredentials | None

    def complete(self, request: ChatRequest, *, timeouts: Timeouts, cancelled: Cancelled = never) -> ChatAnswer:
        with self._met(request, timeouts) as behavior:
            self._pass_time(behavior.after_s, timeouts.longest_s)
            return _ended(behavior, request)

    def stream(
        self, request: ChatRequest, *, timeouts: Timeouts, cancelled: Cancelled = never
    ) -> Generator[Delta | ChatAnswer, None, None]:
        with self._met(request, timeouts) as behavior:
            self._pass_time(behavior.after_s, timeouts.silence_s)
            words = behavior.words if isinstance(behavior, Raises) else tuple(behavior.text.split())
            try:
                yield from (TextDelta(text=word) for word in words)
            except GeneratorExit:
                self.providers.left.append(self.config.id)
                raise
            yield _ended(behavior, request)

    @contextmanager
    def _met(self, request: ChatRequest, timeouts: Timeouts) -> Iterator[Behavior]:
        script = self.providers.scripts.get(self.config.id)
        behavior = script.pop(0) if script else self.providers.otherwise
        call = Called(
            provider=self.config.id,
            request=request,
            timeouts=timeouts,
            credentials=self.credentials,
            started_s=self.providers.clock.monotonic_s(),
            behavior=behavior,
        )
        self.providers.called.append(call)
        try:
            yield behavior
        except Exception as error:
            call.raised = error
            raise
        finally:
            call.ended_s = self.providers.clock.monotonic_s()

    def _pass_time(self, duration_s: float, allowed_s: float) -> None:
        self.providers.clock.advance(min(duration_s, allowed_s))
        if duration_s > allowed_s:
            raise ProviderTimeout("The provider did not answer in time.")


def _ended(behavior: Behavior, request: ChatRequest) -> ChatAnswer:
    if isinstance(behavior, Raises):
        raise behavior.fault()
    return ChatAnswer(
        text=behavior.text, finish_reason=behavior.finish, model=behavior.model or request.model, usage=behavior.usage
    )


def failing(kind: type[ProviderFault], *, after_s: float = 0, **arguments: object) -> Raises:
    """A fault of that kind, new each time."""
    return Raises(fault=lambda: kind("It failed.", **arguments), after_s=after_s)  # type: ignore[arg-type]
