"""What is told of a span, and how a span is handed on: the one way for all of them."""

from collections.abc import Mapping
from typing import Any, Final

from opentelemetry import trace
from opentelemetry.trace import StatusCode
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

W3C: Final = TraceContextTextMapPropagator()


def note(span: trace.Span, facts: Mapping[str, Any]) -> None:
    """Adds attributes; None adds nothing."""
    for name, value in facts.items():
        if value is not None:
            span.set_attribute(name, value)


def fail(span: trace.Span, error_type: str) -> None:
    span.set_attribute("error.type", error_type)
    span.set_status(StatusCode.ERROR)


def traceparent_of(span: trace.Span) -> str | None:
    """The header that hands the span on; None for one that is not recorded."""
    carrier: dict[str, str] = {}
    W3C.inject(carrier, context=trace.set_span_in_context(span))
    return carrier.get("traceparent")
