"""Answers in the words of OpenAI's Responses API, whole or in events, checked and normalised."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from llm_gateway.domain.chat import ChatAnswer, Delta
from llm_gateway.domain.faults import ProviderFailed
from llm_gateway.providers import untrusted
from llm_gateway.providers.responses.messages import mark, worth_keeping
from llm_gateway.providers.writing import LEFT_OUT, Joiner

JsonDict = Mapping[str, Any]

_VENDOR: Final = "openai"
# Why an answer is incomplete, in the words that the gateway has for it.
_INCOMPLETE: Final[Mapping[str, str]] = {"max_output_tokens": "length", "content_filter": "content_filter"}


@dataclass(kw_only=True)
class ItemJoiner(Joiner):
    """Puts items together. A whole response is read as the ends of its items, and so is one whose pieces did not come.

    `_begun` are the places of the items of which pieces have come, `_closed` those of the items that have ended. `_told` is how
    many pieces of text are of messages that have ended.
    """

    _refused: bool = False
    _begun: set[int] = field(default_factory=set)
    _closed: set[int] = field(default_factory=set)
    _told: int = 0

    @property
    def whole(self) -> bool:
        return self.closed

    def take_record(self, data: str) -> list[Delta]:
        if data.startswith("[DONE]"):
            # Another wire's last event, which some servers add to this one's.
            return []
        event = untrusted.record(untrusted.parsed(data), name="event")
        kind = event.get("type")
        handle = _HANDLERS.get(kind) if isinstance(kind, str) else None
        # Events of tools that run at the provider, and of tomorrow, say nothing here.
        return handle(self, event) if handle else []

    def take_document(self, body: dict[str, Any]) -> list[Delta]:
        return self._finish(body)

    def answer(self) -> ChatAnswer:
        if self._refused:
            self.reason = "content_filter"
        self.items = worth_keeping(self.items)
        return super().answer()

    def _hear(self, event: JsonDict) -> list[Delta]:
        """Of a response that has only begun."""
        self._note(untrusted.record(event.get("response"), name="response"))
        return []

    def _end(self, event: JsonDict) -> list[Delta]:
        self.closed = True
        return self._finish(untrusted.record(event.get("response"), name="response"))

    def _finish(self, response: JsonDict) -> list[Delta]:
        """Reads the response as it is at its end. Raises a fault for one that failed, whatever came before."""
        self._note(response)
        self._check(response)
        items = untrusted.records(response.get("output"), name="output")
        return [delta for place, item in enumerate(items) for delta in self._close(place, item)]

    def _check(self, response: JsonDict) -> None:
        status, error = response.get("status"), response.get("error")
        if error:
            raise self.faults.of_event(error)
        if status in ("failed", "cancelled"):
            raise ProviderFailed("The provider failed to answer.")
        details = response.get("incomplete_details")
        told = details.get("reason") if isinstance(details, dict) else None
        if status == "incomplete":
            self.reason = _INCOMPLETE.get(told, told) if isinstance(told, str) else told
        else:
            self.reason = "stop" if status == "completed" else status

    def _note(self, response: JsonDict) -> None:
        self.name_model(response.get("model"))
        self.bill.serve(response.get("service_tier"))
        usage = response.get("usage")
        if isinstance(usage, dict):
            self._count(usage)
        removed = untrusted.tolerated(response.get("input_transformations"))
        if any(item.get("action") == "removed" for item in removed):
            self.warn(LEFT_OUT)

    def _count(self, usage: JsonDict) -> None:
        inputs, outputs = usage.get("input_tokens_details"), usage.get("output_tokens_details")
        self.bill.note(
            input=usage.get("input_tokens"),
            output=usage.get("output_tokens"),
            total=usage.get("total_tokens"),
            cached=untrusted.member(inputs, "cached_tokens"),
            cache_write=untrusted.member(inputs, "cache_write_tokens"),
            reasoning=untrusted.member(outputs, "reasoning_tokens"),
        )

    def _add_item(self, event: JsonDict) -> list[Delta]:
        item = untrusted.record(event.get("item"), name="item")
        self.generating = self.generating or item.get("type") != "message"
        if item.get("type") != "function_call":
            return []
        place = self._place(event)
        self._begun.add(place)
        return [*self.calls.begin(given=item.get("call_id"), place=place, name=item.get("name"))]

    def _close_item(self, event: JsonDict) -> list[Delta]:
        return self._close(self._place(event), untrusted.record(event.get("item"), name="item"))

    def _close(self, place: int, item: JsonDict) -> list[Delta]:
        """What an item at its end has that its pieces did not have. An item may end twice: by itself, and in the whole."""
        if place in self._closed:
            return []
        self._closed.add(place)
        match item.get("type"):
            case "message":
                return self._close_message(place, item)
            case "function_call":
                return self._close_call(place, item)
            case "reasoning":
                return self._close_thought(place, item)
            case _:
                # The output of a tool that ran at the provider, say: none was asked for.
                return []

    def _close_message(self, place: int, item: JsonDict) -> list[Delta]:
        deltas: list[Delta] = []
        for part in untrusted.records(item.get("content"), name="content"):
            refusal = part.get("type") == "refusal"
            self._refused = self._refused or refusal
            self.annotate(part.get("annotations"))
            if place not in self._begun:
                text = untrusted.text(part.get("refusal" if refusal else "text"), name="text")
                deltas += self.add_text(text)
                self.tell_probabilities(part.get("logprobs"))
        pieces, self._told = self.text.pieces[self._told :], len(self.text.pieces)
        if length := sum(map(len, pieces)):
            self.keep_thought(_VENDOR, mark(item.get("phase"), length=length))
        return deltas

    def _close_call(self, place: int, item: JsonDict) -> list[Delta]:
        arguments = untrusted.arguments(item.get("arguments"), name="arguments")
        if place in self._begun:
            return [*self.calls.settle(place, whole=arguments)]
        self._begun.add(place)
        self.generating = True
        begun = self.calls.begin(given=item.get("call_id"), place=place, name=item.get("name"), arguments=arguments)
        return [*begun, *self.calls.settle(place)]

    def _close_thought(self, place: int, item: JsonDict) -> list[Delta]:
        self.generating = True
        self.keep_thought(_VENDOR, item)
        if place in self._begun:
            return []
        parts = untrusted.records(item.get("summary"), name="summary")
        texts = (untrusted.text(part.get("text"), name="summary.text") for part in parts)
        return [delta for text in texts for delta in (*self.part_thoughts(), *self.add_thought(text))]

    def _say(self, event: JsonDict) -> list[Delta]:
        self._begun.add(self._place(event))
        self.tell_probabilities(event.get("logprobs"))
        return self.add_text(untrusted.text(event.get("delta"), name="delta"))

    def _refuse(self, event: JsonDict) -> list[Delta]:
        self._refused = True
        self._begun.add(self._place(event))
        return self.add_text(untrusted.text(event.get("delta"), name="delta"))

    def _think(self, event: JsonDict) -> list[Delta]:
        self._begun.add(self._place(event))
        return self.add_thought(untrusted.text(event.get("delta"), name="delta"))

    def _think_on(self, _: JsonDict) -> list[Delta]:
        return self.part_thoughts()

    def _work(self, _: JsonDict) -> list[Delta]:
        """Thoughts that are not shown: the model is at work."""
        self.generating = True
        return []

    def _call(self, event: JsonDict) -> list[Delta]:
        self.generating = True
        return [*self.calls.extend(self._place(event), untrusted.text(event.get("delta"), name="delta"))]

    def _fail(self, event: JsonDict) -> list[Delta]:
        # Some servers nest it, as other wires do.
        raise self.faults.of_event(event.get("error") or {**event, "type": event.get("code")})

    def _place(self, event: JsonDict) -> int:
        """Where the item stands in the output; a server that does not say it has one after the other."""
        found = untrusted.index(event.get("output_index"))
        return len(self._closed) if found is None else found


_HANDLERS: Final[Mapping[str, Callable[[ItemJoiner, JsonDict], list[Delta]]]] = {
    "response.created": ItemJoiner._hear,
    "response.queued": ItemJoiner._hear,
    "response.in_progress": ItemJoiner._hear,
    "response.output_item.added": ItemJoiner._add_item,
    "response.output_item.done": ItemJoiner._close_item,
    "response.output_text.delta": ItemJoiner._say,
    "response.refusal.delta": ItemJoiner._refuse,
    "response.reasoning_summary_part.added": ItemJoiner._think_on,
    "response.reasoning_summary_text.delta": ItemJoiner._think,
    "response.reasoning_text.delta": ItemJoiner._work,
    "response.function_call_arguments.delta": ItemJoiner._call,
    "response.completed": ItemJoiner._end,
    "response.incomplete": ItemJoiner._end,
    "response.failed": ItemJoiner._end,
    "response.cancelled": ItemJoiner._end,
    "error": ItemJoiner._fail,
}
