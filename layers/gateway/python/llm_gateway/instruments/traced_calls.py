"""Providers with a span for each call, by OpenTelemetry's conventions for generative AI; the call hands the span on.

The names are those of the package `opentelemetry-semantic-conventions`, which tests hold them to.
"""

import re
from collections.abc import Callable, Generator, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlsplit

from opentelemetry import trace
from opentelemetry.trace import SpanKind

from llm_gateway.correlation import CURRENT, Correlation
from llm_gateway.domain.chat import ChatAnswer, ChatRequest, Delta
from llm_gateway.domain.embeddings import EmbeddingRequest, Embeddings
from llm_gateway.domain.providers import ProviderConfig, ProviderCredentials, ProviderKind, Timeouts
from llm_gateway.domain.redaction import redacted
from llm_gateway.errors import GatewayError
from llm_gateway.instruments.span_facts import fail, note, traceparent_of
from llm_gateway.ports.privacy import Detector
from llm_gateway.ports.providers import Provider, Providers
from llm_gateway.ports.system import Cancelled, Clock, never

# The conventions' own word, where they have one for the vendor.
_NAMES: Final = {ProviderKind.BEDROCK: "aws.bedrock"}
_BROKEN_OFF: Final = "cancelled"
_OTHER: Final = "_OTHER"
_NAME: Final = re.compile(r"[A-Za-z0-9._:/-]{1,128}")
_LONG_NUMBER: Final = re.compile(r"[0-9]{9,}")

if TYPE_CHECKING:
    from llm_gateway.instruments.traced_words import Teller


class TracedProviders(Providers):
    """`detector` is asked for where words of queries are to be in spans; None: none are."""

    def __init__(
        self, providers: Providers, tracer: trace.Tracer, *, detector: Callable[[], Detector] | None, clock: Clock
    ) -> None:
        self._providers = providers
        self._tracer = tracer
        self._detector = detector
        self._clock = clock

    def open(self, config: ProviderConfig, credentials: ProviderCredentials | None) -> Provider:
        provider = self._providers.open(config, credentials)
        return _Traced(
            provider=provider, config=config, tracer=self._tracer, detector=self._detector, clock=self._clock
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class _Traced(Provider):
    provider: Provider
    config: ProviderConfig
    tracer: trace.Tracer
    detector: Callable[[], Detector] | None
    clock: Clock

    def complete(self, request: ChatRequest, *, timeouts: Timeouts, cancelled: Cancelled = never) -> ChatAnswer:
        with self._span("chat", request.model) as span:
            teller = self._ask(span, request, streamed=False)
            with _handed_on(span):
                answer = self.provider.complete(request, timeouts=timeouts, cancelled=cancelled)
            self._answer(span, answer, request, teller)
            return answer

    def stream(
        self, request: ChatRequest, *, timeouts: Timeouts, cancelled: Cancelled = never
    ) -> Generator[Delta | ChatAnswer, None, None]:
        with self._span("chat", request.model) as span:
            teller = self._ask(span, request, streamed=True)
            began_s, first = self.clock.monotonic_s(), True
            with closing(self.provider.stream(request, timeouts=timeouts, cancelled=cancelled)) as items:
                for item in _begun(items, span):
                    if first:
                        first = False
                        waited_s = self.clock.monotonic_s() - began_s
                        span.set_attribute("gen_ai.response.time_to_first_chunk", waited_s)
                    if isinstance(item, ChatAnswer):
                        self._answer(span, item, request, teller)
                    yield item

    def count_tokens(self, request: ChatRequest, *, timeouts: Timeouts) -> int | None:
        return self.provider.count_tokens(request, timeouts=timeouts)

    def embed(self, request: EmbeddingRequest, *, timeouts: Timeouts, cancelled: Cancelled = never) -> Embeddings:
        with self._span("embeddings", request.model) as span, _handed_on(span):
            made = self.provider.embed(request, timeouts=timeouts, cancelled=cancelled)
            note(
                span,
                {
                    "gen_ai.response.model": _name(made.model),
                    "gen_ai.usage.input_tokens": made.usage.input_tokens,
                    "gen_ai.embeddings.dimension.count": len(made.vectors[0]) if made.vectors else None,
                },
            )
            return made

    @contextmanager
    def _span(self, operation: str, model: str) -> Iterator[trace.Span]:
        # Not the current one while it is open: a generator's caller goes on with other things between two of its items.
        span = self.tracer.start_span(f"{operation} {model}", kind=SpanKind.CLIENT)
        note(span, {"gen_ai.operation.name": operation, "gen_ai.request.model": model, **_server(self.config)})
        try:
            yield span
        except GeneratorExit:
            fail(span, _BROKEN_OFF)
            raise
        except Exception as error:
            # A provider's words may quote what was asked: the error's code alone is told.
            fail(span, error.code if isinstance(error, GatewayError) else type(error).__qualname__)
            upstream = error.upstream_status if isinstance(error, GatewayError) else None
            note(span, {"http.response.status_code": upstream})
            raise
        finally:
            span.end()

    def _ask(self, span: trace.Span, request: ChatRequest, *, streamed: bool) -> "Teller | None":
        wanted = request.parameters
        note(
            span,
            {
                "gen_ai.request.stream": streamed,
                "gen_ai.request.temperature": wanted.temperature,
                "gen_ai.request.top_p": wanted.top_p,
                "gen_ai.request.max_tokens": wanted.max_output_tokens,
                "gen_ai.request.seed": wanted.seed,
                "gen_ai.output.type": "text" if request.output.type == "text" else "json",
            },
        )
        if self.detector is None or not span.is_recording():
            return None
        from llm_gateway.instruments.traced_words import Teller

        teller = Teller(self.detector())
        note(span, teller.asked(request))
        return teller

    def _answer(self, span: trace.Span, answer: ChatAnswer, request: ChatRequest, teller: "Teller | None") -> None:
        usage = answer.usage
        note(
            span,
            {
                "gen_ai.response.model": _name(answer.model),
                "gen_ai.response.finish_reasons": (answer.finish_reason.value,),
                "gen_ai.usage.input_tokens": usage.input_tokens,
                "gen_ai.usage.output_tokens": usage.output_tokens,
                "gen_ai.usage.cache_read.input_tokens": usage.cached_input_tokens,
                "gen_ai.usage.cache_creation.input_tokens": usage.cache_write_tokens,
                "gen_ai.usage.reasoning.output_tokens": usage.reasoning_tokens,
            },
        )
        if teller is not None:
            note(span, teller.answered(answer))
        offered = {tool.name for tool in request.tools}
        for call in answer.tool_calls:
            # The caller makes it: its span says that the model asked for it. A name that the model made up may be anything.
            name = call.name if call.name in offered else _OTHER
            asked = self.tracer.start_span(f"tool_call {name}", context=trace.set_span_in_context(span))
            told = {"gen_ai.tool.name": name, "gen_ai.tool.call.id": _name(call.id), "gen_ai.tool.type": "function"}
            note(asked, told)
            if teller is not None:
                note(asked, teller.called(call))
            asked.end()


def _begun(items: Generator[Delta | ChatAnswer, None, None], span: trace.Span) -> Iterator[Delta | ChatAnswer]:
    """The items; the request goes out when the first is asked for."""
    try:
        with _handed_on(span):
            first = next(items)
    except StopIteration:
        return
    yield first
    yield from items


@contextmanager
def _handed_on(span: trace.Span) -> Iterator[None]:
    """What is sent meanwhile goes on with the trace from `span`."""
    current = CURRENT.get()
    before = CURRENT.set(
        Correlation(
            request_id=current.request_id,
            query_id=current.query_id,
            traceparent=traceparent_of(span) or current.traceparent,
        )
    )
    try:
        yield
    finally:
        CURRENT.reset(before)


def _name(text: str) -> str | None:
    """What a provider calls something, where it looks like a name: no address, no long number, no credential."""
    return text if _NAME.fullmatch(text) and not _LONG_NUMBER.search(text) and redacted(text) == text else None


def _server(config: ProviderConfig) -> dict[str, Any]:
    address = urlsplit(config.base_url or config.kind.own_base_url or "")
    default = {"https": 443, "http": 80}.get(address.scheme)
    return {
        "gen_ai.provider.name": _NAMES.get(config.kind, config.kind.value),
        "llm_gateway.provider.id": config.id,
        "server.address": address.hostname,
        "server.port": address.port or default,
    }
