"""Providers that do what they are asked, without a network: they call the tool, fill the schema, and say hello otherwise."""

import json
import re
import threading
from collections.abc import Callable, Generator, Mapping
from dataclasses import dataclass
from typing import Any

from llm_gateway.domain.chat import (
    ChatAnswer,
    ChatRequest,
    Delta,
    FinishReason,
    MessageRole,
    ReasoningDelta,
    TextDelta,
    ToolCall,
    ToolCallDelta,
    Usage,
)
from llm_gateway.domain.chat import Reasoning as Thought
from llm_gateway.domain.embeddings import EmbeddingRequest, Embeddings
from llm_gateway.domain.providers import ProviderConfig, ProviderCredentials, Timeouts
from llm_gateway.ports.providers import Provider, Providers
from llm_gateway.ports.queries import Delivery, Priority

from tests.adapters.query_queue import RecordingQueryQueue


class WorkingQueue(RecordingQueryQueue):
    """A queue whose messages are worked on at once, in threads of their own. `work` is put in once there is a gateway."""

    def __init__(self) -> None:
        super().__init__()
        self.work: Callable[[Delivery], None] | None = None
        self.threads: list[threading.Thread] = []

    def send(self, query_id: str, *, delay_s: float = 0, priority: Priority = "normal", is_paid: bool = False) -> None:
        super().send(query_id, delay_s=delay_s, priority=priority, is_paid=is_paid)
        arn = "arn:aws:sqs:eu-west-1:1:q"
        delivery = Delivery(query_id=query_id, receipt="r", queue_arn=arn, count=1, is_paid=is_paid)
        if self.work is None:
            raise RuntimeError("nobody works on this queue")
        thread = threading.Thread(target=self.work, args=(delivery,))
        self.threads.append(thread)
        thread.start()

    def wait(self) -> None:
        for thread in self.threads:
            thread.join()


class ObligingProviders(Providers):
    """All of them answer alike."""

    def open(self, config: ProviderConfig, credentials: ProviderCredentials | None) -> Provider:
        return _Obliging()


@dataclass(frozen=True, slots=True)
class _Obliging(Provider):
    def complete(
        self, request: ChatRequest, *, timeouts: Timeouts, cancelled: Callable[[], bool] = lambda: False
    ) -> ChatAnswer:
        calls = _calls(request)
        text = None if calls else _text(request)
        thinks = request.parameters.reasoning_effort not in (None, "none")
        return ChatAnswer(
            text=text,
            finish_reason=FinishReason.TOOL_CALLS if calls else FinishReason.STOP,
            model=request.model,
            usage=Usage(input_tokens=20, output_tokens=7),
            tool_calls=calls,
            reasoning=Thought(text="One thing after the other.") if thinks else None,
        )

    def stream(
        self, request: ChatRequest, *, timeouts: Timeouts, cancelled: Callable[[], bool] = lambda: False
    ) -> Generator[Delta | ChatAnswer, None, None]:
        answer = self.complete(request, timeouts=timeouts)
        if answer.reasoning and answer.reasoning.text:
            yield ReasoningDelta(text=answer.reasoning.text)
        yield from (TextDelta(text=word) for word in (answer.text or "").split(" ") if word)
        for index, call in enumerate(answer.tool_calls):
            yield ToolCallDelta(index=index, id=call.id, name=call.name, arguments=call.arguments)
        yield answer

    def embed(
        self, request: EmbeddingRequest, *, timeouts: Timeouts, cancelled: Callable[[], bool] = lambda: False
    ) -> Embeddings:
        vectors = tuple((float(len(text)), 0.5) for text in request.texts)
        return Embeddings(vectors=vectors, model=request.model, usage=Usage(input_tokens=len(vectors)))


def _calls(request: ChatRequest) -> tuple[ToolCall, ...]:
    """The first tool, unless it has answered already or must not be called."""
    answered = request.messages[-1].role is MessageRole.TOOL
    if not request.tools or answered or request.tool_choice == "none":
        return ()
    tool = request.tools[0]
    arguments = filled(tool.parameters, request.messages[-1].text)
    return (ToolCall(id="call_1", name=tool.name, arguments=json.dumps(arguments)),)


def _text(request: ChatRequest) -> str:
    if request.output.type == "json_schema":
        return json.dumps(filled(request.output.schema or {}, request.messages[-1].text))
    return '{"greeting":"Hello!"}' if request.output.type == "json" else "Hello!"


def filled(schema: Mapping[str, Any], question: str) -> Any:
    """A value that the schema validates, for the schemas that people write by hand: a number and a text come from the question,
    where it has a number, or a text in quotation marks."""
    if "anyOf" in schema:
        return filled(schema["anyOf"][0], question)
    if "enum" in schema:
        return schema["enum"][0]
    number, quoted = re.search(r"\d+", question), re.search(r"'([^']+)'", question)
    match schema.get("type", "object"):
        case "object":
            return {name: filled(inner, question) for name, inner in schema.get("properties", {}).items()}
        case "array":
            return [filled(schema.get("items", {}), question)]
        case "integer" | "number":
            return int(number[0]) if number else schema.get("minimum", 7)
        case "boolean":
            return True
        case _:
            return quoted[1] if quoted else "Paris"
