"""OpenAI's clients on their way in: whole answers and streams of the Responses API."""

from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Annotated

from llm_gateway.entrypoints.asking import Asking
from llm_gateway.entrypoints.asking import EventStream as EventStream
from llm_gateway.entrypoints.declared import Depends
from llm_gateway.wire.openai.responses.answers import response_of
from llm_gateway.wire.openai.responses.events import Story

if TYPE_CHECKING:
    from llm_gateway.wire.openai.responses.requests import ResponsesBody


@dataclass(frozen=True, slots=True)
class _Responding:
    asking: Asking

    def respond(self, body: "ResponsesBody") -> EventStream:
        """The answer, whole or event by event."""
        self.asking.speak_of(body)
        query, choices = body.to_domain(), body.choices()
        if not body.streams:
            return self.asking.whole(query, choices, partial(response_of, body=body))
        created = int(self.asking.gateway.outside.clock.now().timestamp())
        story = Story(body=body, created=created)
        return self.asking.stream(query, choices, write=story.events, break_off=story.break_off)


def _responding(asking: Asking) -> _Responding:
    return _Responding(asking)


Responding = Annotated[_Responding, Depends(_responding)]
