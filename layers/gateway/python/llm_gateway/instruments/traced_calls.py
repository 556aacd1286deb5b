"""Providers with a span for each call, by OpenTelemetry's conventions for generative AI; the call hands the span on.

The names are those of the package `opentelemetry-semantic-conventions`, which tests hold them to.
"""

from collections.abc import Generator, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import urlsplit

from opentelemetry import trace
from opentelemetry.trace import SpanKind, StatusCode
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

from llm_gateway.correlation import CURRENT, Correlation
from llm_gateway.domain.chat import ChatAnswer, ChatRequest, Delta
from llm_gateway.domain.embeddings import EmbeddingRequest, Embeddings
from llm_gateway.domain.providers import ProviderConfig, ProviderCredentials, ProviderKind, Timeouts
from llm_gateway.errors import GatewayError
from llm_gateway.ports.providers import Provider, Providers
from llm_gateway.ports.system import Cancelled, Clock, never

_W3C: Final = TraceContextTextMapPropagator()
# The conventions' own word, where they have one for the vendor.
_NAMES: Final = {ProviderKind.BEDROCK: "aws.bedrock"}
_BROKEN_OFF: Final = "cancelled"


class TracedProviders(Providers):
    def __init__(self, providers: Providers, tracer: trace.Tracer, *, content: bool, clock: Clock) -> None:
        self._providers = providers
        self._tracer = tracer
        self._content = content
        self._clock = clock

    def open(self, config: ProviderConfig, credentials: ProviderCredentials | None) -> Provider:
        provider = self._providers.open(config, credentials)
        return _Traced(provider=provider, config=config, tracer=self._tracer, content=self._content, clock=self._clock)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Traced(Provider):
    provider: Provider
    config: ProviderConfig
    tracer: trace.Tracer
    content: bool
    clock: Clock

    def complete(self, request: ChatRequest, *, timeouts: Timeouts, cancelled: Cancelled = never) -> ChatAnswer:
        with self._span("chat", request.model) as span:
            self._ask(span, request, streamed=False)
            with _handed_on(span):
                answer = self.provider.complete(request, timeouts=timeouts, cancelled=cancelled)
            self._answer(span, answer)
            return answer

    def stream(
        self, request: ChatRequest, *, timeouts: Timeouts, cancelled: Cancelled = never
    ) -> Generator[Delta | ChatAnswer, None, None]:
        with self._span("chat", request.model) as span:
            self._ask(span, request, streamed=True)
            began_s, first = self.clock.monotonic_s(), True
            with closing(self.provider.stream(request, timeouts=timeouts, cancelled=cancelled)) as items:
                for item in _begun(items, span):
                    if first:
                        first = False
                        waited_s = self.clock.monotonic_s() - began_s
                        span.set_attribute("gen_ai.response.time_to_first_chunk", waited_s)
                    if isinstance(item, ChatAnswer):
                        self._answer(span, item)
                    yield item

    def count_tokens(self, request: ChatRequest, *, timeouts: Timeouts) -> int | None:
        return self.provider.count_tokens(request, timeouts=timeouts)

    def embed(self, request: EmbeddingRequest, *, timeouts: Timeouts, cancelled: Cancelled = never) -> Embeddings:
        with self._span("embeddings", request.model) as span, _handed_on(span):
            made = self.provider.embed(request, timeouts=timeouts, cancelled=cancelled)
            _note(
                span,
                {
                    "gen_ai.response.model": made.model,
                    "gen_ai.usage.input_tokens": made.usage.input_tokens,
                    "gen_ai.embeddings.dimension.count": len(made.vectors[0]) if made.vectors else None,
                },
            )
            return made

    @contextmanager
    def _span(self, operation: str, model: str) -> Iterator[trace.Span]:
        # Not the current one while it is open: a generator's caller goes on with other things between two of its items.
        span = self.tracer.start_span(f"{operation} {model}", kind=SpanKind.CLIENT)
        _note(span, {"gen_ai.operation.name": operation, "gen_ai.request.model": model, **_server(self.config)})
        try:
            yield span
        except GeneratorExit:
            _fail(span, _BROKEN_OFF)
            raise
        except Exception as error:
            # A provider's words may quote what was asked: the error's code alone is told.
            _fail(span, error.code if isinstance(error, GatewayError) else type(error).__qualname__)
            upstream = error.upstream_status if isinstance(error, GatewayError) else None
            _note(span, {"http.response.status_code": upstream})
            raise
        finally:
            span.end()

    def _ask(self, span: trace.Span, request: ChatRequest, *, streamed: bool) -> None:
        wanted = request.parameters
        _note(
            span,
            {
                "gen_ai.request.stream": streamed,
                "gen_ai.request.temperature": wanted.temperature,
                "gen_ai.request.top_p": wanted.top_p,
                "gen_ai.request.max_tokens": wanted.max_output_tokens,
                "gen_ai.request.seed": wanted.seed,
                "gen_ai.request.stop_sequences": wanted.stop if self.content and wanted.stop else None,
                "gen_ai.output.type": "text" if request.output.type == "text" else "json",
            },
        )
        if self.content and span.is_recording():
            from llm_gateway.instruments.traced_words import words_asked

            _note(span, words_asked(request))

    def _answer(self, span: trace.Span, answer: ChatAnswer) -> None:
        usage = answer.usage
        _note(
            span,
            {
                "gen_ai.response.model": answer.model,
                "gen_ai.response.finish_reasons": (answer.finish_reason.value,),
                "gen_ai.usage.input_tokens": usage.input_tokens,
                "gen_ai.usage.output_tokens": usage.output_tokens,
                "gen_ai.usage.cache_read.input_tokens": usage.cached_input_tokens,
                "gen_ai.usage.cache_creation.input_tokens": usage.cache_write_tokens,
                "gen_ai.usage.reasoning.output_tokens": usage.reasoning_tokens,
            },
        )
        for call in answer.tool_calls:
            # The caller makes it: its span says that the model asked for it.
            asked = self.tracer.start_span(f"tool_call {call.name}", context=trace.set_span_in_context(span))
            told = {"gen_ai.tool.name": call.name, "gen_ai.tool.call.id": call.id, "gen_ai.tool.type": "function"}
            _note(asked, told)
            if self.content:
                from llm_gateway.instruments.traced_words import told_text

                _note(asked, {"gen_ai.tool.call.arguments": told_text(call.arguments)})
            asked.end()
        if self.content and span.is_recording():
            from llm_gateway.instruments.traced_words import words_answered

            _note(span, words_answered(answer))


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
    carrier: dict[str, str] = {}
    _W3C.inject(carrier, context=trace.set_span_in_context(span))
    current = CURRENT.get()
    before = CURRENT.set(
        Correlation(
            request_id=current.request_id,
            query_id=current.query_id,
            traceparent=carrier.get("traceparent", current.traceparent),
        )
    )
    try:
        yield
    finally:
        CURRENT.reset(before)


def _server(config: ProviderConfig) -> dict[str, Any]:
    address = urlsplit(config.base_url or config.kind.own_base_url or "")
    default = {"https": 443, "http": 80}.get(address.scheme)
    return {
        "gen_ai.provider.name": _NAMES.get(config.kind, config.kind.value),
        "llm_gateway.provider.id": config.id,
        "server.address": address.hostname,
        "server.port": address.port or default,
    }


def _note(span: trace.Span, facts: dict[str, Any]) -> None:
    for name, value in facts.items():
        if value is not None:
            span.set_attribute(name, value)


def _fail(span: trace.Span, error_type: str) -> None:
    span.set_attribute("error.type", error_type)
    span.set_status(StatusCode.ERROR)
