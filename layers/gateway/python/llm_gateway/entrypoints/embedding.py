"""Requests for embeddings, in OpenAI's dialect."""

import json
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Annotated

from fastapi import Depends
from starlette.requests import Request

from llm_gateway.domain.identifiers import QUERY_PREFIX
from llm_gateway.domain.terms import Terms
from llm_gateway.entrypoints.http import Caller, Gateway
from llm_gateway.entrypoints.request_state import state_of
from llm_gateway.entrypoints.sse import EventStream as EventStream
from llm_gateway.entrypoints.streaming import LONGEST_HEAD_S, whole_answer
from llm_gateway.wire.openai.embeddings import embeddings_shown

if TYPE_CHECKING:
    from llm_gateway.domain.embeddings import EmbeddingQuery
    from llm_gateway.wire.openai.embeddings import EmbeddingsBody


@dataclass(frozen=True, slots=True)
class _Embedding:
    request: Request
    caller: Caller
    gateway: Gateway

    def embed(self, body: "EmbeddingsBody") -> EventStream:
        """A vector for each text."""
        query = self._query(body)

        def answer() -> tuple[bytes, dict[str, str]]:
            embedded = self.gateway.embeddings.embed(query)
            shown = embeddings_shown(embedded, encoding=body.encoding_format, query_id=query.id)
            return json.dumps(shown).encode(), {"X-Gateway-Provider": embedded.provider}

        return whole_answer(self.request, answer, silence_s=self.gateway.settings.keep_alive_s)

    def _query(self, body: "EmbeddingsBody") -> "EmbeddingQuery":
        from llm_gateway.domain.embeddings import EmbeddingQuery

        state, options = state_of(self.request), body.gateway
        timeout_s = (options.timeout_s if options else None) or LONGEST_HEAD_S
        return EmbeddingQuery(
            id=f"{QUERY_PREFIX}{self.gateway.outside.ids.ulid()}",
            owner=self.caller.key_id,
            texts=body.texts,
            model=body.model,
            provider=options.provider if options else None,
            dimensions=body.dimensions,
            terms=Terms.of(self.caller),
            ends_s=state.received_s + timeout_s,
            timeout_s=timeout_s,
            cancelled=state.left.is_set,
            tell_room=partial(setattr, state, "room"),
        )


async def _embedding(request: Request, caller: Caller, gateway: Gateway) -> _Embedding:
    return _Embedding(request=request, caller=caller, gateway=gateway)


Embedding = Annotated[_Embedding, Depends(_embedding)]
