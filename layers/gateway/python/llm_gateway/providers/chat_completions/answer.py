"""Answers in the words of the Chat Completions API, whole or in pieces, checked and normalised."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from llm_gateway.domain.chat import ChatAnswer, Delta, ToolCallDelta
from llm_gateway.domain.faults import ProviderResponseInvalid
from llm_gateway.providers import untrusted
from llm_gateway.providers.writing import Joiner

JsonDict = Mapping[str, Any]


@dataclass(kw_only=True)
class ChunkJoiner(Joiner):
    """Puts chunks together, of which a whole completion is one that says everything."""

    _refused: bool = False

    @property
    def whole(self) -> bool:
        return self.closed or self.reason is not None

    def take_record(self, data: str) -> list[Delta]:
        if data.startswith("[DONE]"):
            self.closed = True
            return []
        return self._take(untrusted.record(untrusted.parsed(data), name="event"))

    def take_document(self, body: dict[str, Any]) -> list[Delta]:
        deltas = self._take(body)
        if not body.get("choices"):
            raise ProviderResponseInvalid("The provider's answer has no choices.")
        return deltas

    def answer(self) -> ChatAnswer:
        if self._refused:
            self.reason = "content_filter"
        return super().answer()

    def _take(self, chunk: JsonDict) -> list[Delta]:
        if self.model and (text := _plain_text(chunk)) is not None:
            self.bill.serve(chunk.get("service_tier"))
            return self.add_text(text)
        return self._take_any(chunk)

    def _take_any(self, chunk: JsonDict) -> list[Delta]:
        if chunk.get("error"):
            raise self.faults.of_event(chunk["error"])
        if chunk.get("object") == "error":
            raise self.faults.of_event(chunk)
        self.name_model(chunk.get("model"))
        self.bill.serve(chunk.get("service_tier"))
        self._count(chunk.get("usage"))
        self._count(untrusted.member(chunk.get("x_groq"), "usage"))
        # The chunk with the usage has no choice, nor has one with a filter's notes.
        choices = untrusted.records(chunk.get("choices"), name="choices")
        if not choices:
            return []
        self._count(choices[0].get("usage"))
        return self._pieces(choices[0])

    def _pieces(self, choice: JsonDict) -> list[Delta]:
        delta, message = choice.get("delta"), choice.get("message")
        said = untrusted.record(delta or message or {}, name="message")
        content = untrusted.content(said.get("content"), name="content")
        refusal = untrusted.optional_text(said.get("refusal"), name="refusal") or ""
        self._refused = self._refused or bool(refusal)
        calls = self._calls(said, add=self._join if delta else self._begin)
        self.annotate(said.get("annotations"))
        self.tell_probabilities(untrusted.member(choice.get("logprobs"), "content"))
        thoughts = self._thoughts(said)
        pieces = [*thoughts, *self.add_text(content), *self.add_text(refusal), *calls]
        self.generating = self.generating or bool(pieces or isinstance(said.get("content"), list))
        self.reason = choice.get("finish_reason") or self.reason
        return pieces

    def _thoughts(self, said: JsonDict) -> list[Delta]:
        """Not in OpenAI's API: what others name the reasoning that they show. Of another form, it only shows that they work."""
        thought = said.get("reasoning_content") or said.get("reasoning")
        if isinstance(thought, str):
            return self.add_thought(thought)
        self.generating = self.generating or bool(thought)
        return []

    def _calls(self, said: JsonDict, *, add: "_Add") -> list[ToolCallDelta]:
        """The calls, under the name that they have today or the older one, which knows a single call."""
        calls = untrusted.records(said.get("tool_calls"), name="tool_calls")
        older = said.get("function_call")
        if older and not calls:
            calls = [{"function": older, "index": 0}]
        self.generating = self.generating or bool(calls)
        begun: set[int] = set()
        return [piece for call in calls for piece in add(call, begun)]

    def _begin(self, call: JsonDict, _: set[int]) -> list[ToolCallDelta]:
        name, arguments = _function(call)
        return self.calls.begin(given=call.get("id"), place=None, name=name, arguments=arguments)

    def _join(self, call: JsonDict, begun: set[int]) -> list[ToolCallDelta]:
        name, arguments = _function(call)
        place = untrusted.index(call.get("index"))
        return self.calls.join(given=call.get("id"), place=place, name=name, arguments=arguments, begun=begun)

    def _count(self, usage: object) -> None:
        """Input includes cached tokens here, output reasoning. DeepSeek and Moonshot tell cached ones in places of their own."""
        if not isinstance(usage, dict):
            return
        inputs, outputs = usage.get("prompt_tokens_details"), usage.get("completion_tokens_details")
        self.bill.note(
            input=usage.get("prompt_tokens"), output=usage.get("completion_tokens"), total=usage.get("total_tokens")
        )
        self.bill.note(
            cached=usage.get("prompt_cache_hit_tokens"), reasoning=untrusted.member(outputs, "reasoning_tokens")
        )
        self.bill.note(cached=usage.get("cached_tokens"), cache_write=untrusted.member(inputs, "cache_write_tokens"))
        self.bill.note(
            cached=untrusted.member(inputs, "cached_tokens"),
            audio_input=untrusted.member(inputs, "audio_tokens"),
            audio_output=untrusted.member(outputs, "audio_tokens"),
        )


# What `_take_any` looks for besides a text.
_OF_A_CHUNK: Final = ("error", "usage", "x_groq")
_OF_A_CHOICE: Final = ("finish_reason", "logprobs", "usage")
_OF_A_DELTA: Final = ("function_call", "annotations", "reasoning_content", "reasoning")


def _plain_text(chunk: JsonDict) -> str | None:
    """The text of a chunk that holds nothing else, as nearly all chunks of a stream do; None for any other."""
    choices = chunk.get("choices")
    if type(choices) is not list or len(choices) != 1 or chunk.get("object") == "error":
        return None
    choice = choices[0]
    if type(choice) is not dict or any(map(chunk.get, _OF_A_CHUNK)) or any(map(choice.get, _OF_A_CHOICE)):
        return None
    delta = choice.get("delta")
    if type(delta) is not dict or (len(delta) > 1 and _says_more(delta)):
        return None
    content = delta.get("content")
    return content if type(content) is str else None


def _says_more(delta: JsonDict) -> bool:
    # Of these two, whatever is no list and no text spoils the answer, be it zero.
    is_more = delta.get("refusal") is not None or delta.get("tool_calls") is not None
    return is_more or any(map(delta.get, _OF_A_DELTA))


_Add = Callable[[JsonDict, set[int]], list[ToolCallDelta]]


def _function(call: JsonDict) -> tuple[object, str]:
    """The name, which may be still to come, and what there is of the arguments."""
    function = untrusted.record(call.get("function") or {}, name="tool_calls.function")
    return function.get("name"), untrusted.arguments(function.get("arguments"), name="tool_calls.function.arguments")
