"""OpenAI's clients on their way in: whole answers and streams of Chat Completions."""

from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Annotated

from llm_gateway.entrypoints.asking import Asking
from llm_gateway.entrypoints.asking import EventStream as EventStream
from llm_gateway.entrypoints.declared import Depends
from llm_gateway.wire.openai.completions import chunks, completion

if TYPE_CHECKING:
    from llm_gateway.wire.openai.chat import ChatCompletionBody


@dataclass(frozen=True, slots=True)
class _Completing:
    asking: Asking

    def complete(self, body: "ChatCompletionBody") -> EventStream:
        """The answer, whole or chunk by chunk."""
        self.asking.speak_of(body)
        query, choices = body.to_domain(), body.choices()
        if not body.streams:
            return self.asking.whole(query, choices, completion)
        created = int(self.asking.gateway.outside.clock.now().timestamp())
        return self.asking.stream(query, choices, write=partial(chunks, tells_usage=body.tells_usage, created=created))


def _completing(asking: Asking) -> _Completing:
    return _Completing(asking)


Completing = Annotated[_Completing, Depends(_completing)]
