"""Spans by OpenTelemetry, sent by OTLP over HTTP. Imported where a deployment has a collector, and nowhere else."""

import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Final

from opentelemetry import trace
from opentelemetry.context import Context
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.trace import SpanKind

from llm_gateway.correlation import Correlation
from llm_gateway.instruments.span_facts import W3C, fail, note, traceparent_of
from llm_gateway.instruments.traced_calls import TracedProviders
from llm_gateway.instruments.traced_store import TracedAnswerCache
from llm_gateway.ports.privacy import Detector
from llm_gateway.ports.providers import Providers
from llm_gateway.ports.queries import AnswerCache
from llm_gateway.ports.system import Clock

_PATH: Final = "/v1/traces"
# All tries of one export together. A collector that is away costs a Lambda this much of each request, and nobody an answer.
_LONGEST_EXPORT_S: Final = 1.0

Fact = str | int | float | bool | None


class _Span:
    def __init__(self, span: trace.Span) -> None:
        self._span = span

    def note(self, **facts: Fact) -> None:
        note(self._span, {name.replace("__", "."): value for name, value in facts.items()})

    def fail(self, error_type: str) -> None:
        fail(self._span, error_type)


class OpenTelemetry:
    """Tracing to the collector at `endpoint`, whose path for traces is added. Words of queries are in it where there is a
    `detector` of what is personal in them."""

    def __init__(self, endpoint: str, *, detector: Callable[[], Detector] | None, clock: Clock) -> None:
        # Its warnings would tell on every request that a collector is away.
        logging.getLogger("opentelemetry").setLevel(logging.ERROR)
        exporter = OTLPSpanExporter(endpoint=endpoint.rstrip("/") + _PATH, timeout=_LONGEST_EXPORT_S)
        self._provider = TracerProvider(resource=Resource.create({"service.name": "llm-gateway"}))
        self._provider.add_span_processor(BatchSpanProcessor(exporter))
        self._tracer = self._provider.get_tracer("llm_gateway")
        self._detector = detector
        self._clock = clock

    @contextmanager
    def serving(self, name: str, correlation: Correlation, *, queued: bool = False) -> Iterator[_Span]:
        carrier = {"traceparent": correlation.traceparent} if correlation.traceparent else {}
        kind = SpanKind.CONSUMER if queued else SpanKind.SERVER
        with self._opened(name, kind=kind, context=W3C.extract(carrier)) as span:
            # None where the SDK itself is switched off by its own variable.
            correlation.traceparent = traceparent_of(span) or correlation.traceparent
            yield _Span(span)

    @contextmanager
    def step(self, name: str) -> Iterator[_Span]:
        with self._opened(name) as span:
            yield _Span(span)

    def providers(self, providers: Providers) -> Providers:
        return TracedProviders(providers, self._tracer, detector=self._detector, clock=self._clock)

    def cache(self, cache: AnswerCache) -> AnswerCache:
        return TracedAnswerCache(cache, self.step)

    def flush(self) -> None:
        self._provider.force_flush(timeout_millis=int(_LONGEST_EXPORT_S * 1000))

    @contextmanager
    def _opened(
        self, name: str, *, kind: SpanKind = SpanKind.INTERNAL, context: Context | None = None
    ) -> Iterator[trace.Span]:
        # What is raised may quote what was asked: its type alone is told.
        with self._tracer.start_as_current_span(
            name, context=context, kind=kind, record_exception=False, set_status_on_exception=False
        ) as span:
            try:
                yield span
            except Exception as error:
                fail(span, getattr(error, "code", None) or type(error).__qualname__)
                raise
