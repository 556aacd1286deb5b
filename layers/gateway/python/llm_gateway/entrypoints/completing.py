"""OpenAI's clients on their way in: whole answers and streams of Chat Completions."""

from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Annotated

from fastapi import Depends

from llm_gateway.entrypoints.asking import Asking
from llm_gateway.entrypoints.asking import EventStream as EventStream
from llm_gateway.wire.openai.completions import Manner, chunks, completion

if TYPE_CHECKING:
    from llm_gateway.wire.openai.chat import ChatCompletionBody


@dataclass(frozen=True, slots=True)
class _Completing:
    asking: Asking

    def complete(self, body: "ChatCompletionBody") -> EventStream:
        """The answer, whole or chunk by chunk."""
        manner = Manner(tells_usage=body.tells_usage, one_call=body.one_call_at_a_time)
        query, choices = body.to_domain(), body.choices()
        if not body.streams:
            return self.asking.whole(query, choices, partial(completion, manner=manner))
        created = int(self.asking.gateway.outside.clock.now().timestamp())
        return self.asking.stream(query, choices, write=partial(chunks, manner=manner, created=created))


async def _completing(asking: Asking) -> _Completing:
    return _Completing(asking)


Completing = Annotated[_Completing, Depends(_completing)]
