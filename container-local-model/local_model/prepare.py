"""From what a client asked to what the model has to do."""

import secrets
from collections.abc import Sequence

from local_model.chat_request import ChatRequest, ResponseFormat
from local_model.errors import ContextOverflow, InvalidRequest
from local_model.generation import Generation, Model
from local_model.json_grammar import grammar_for_any_object, grammar_for_schema

# llama.cpp takes 32 bits and reads the largest value as "none".
_SEEDS = 2**32 - 1
_SCHEMA_FIELD = "response_format.json_schema.schema"


def prepare(asked: ChatRequest, model: Model, *, usual_tokens: int | None = None) -> Generation:
    """Raises InvalidRequest or ContextOverflow. Slow for long prompts: not for the event loop."""
    grammar = _grammar(asked.response_format, model)
    prompt = model.encode_chat([message.value() for message in asked.messages])
    room = model.context_tokens - len(prompt)
    return Generation(
        prompt=prompt,
        max_tokens=min(asked.most_tokens or usual_tokens or room, room),
        temperature=asked.temperature,
        top_p=asked.top_p,
        presence_penalty=asked.presence_penalty,
        frequency_penalty=asked.frequency_penalty,
        seed=secrets.randbelow(_SEEDS) if asked.seed is None else asked.seed % _SEEDS,
        stop=tuple(asked.stop),
        grammar=grammar,
    )


def prepare_texts(texts: Sequence[str], model: Model) -> list[list[int]]:
    """Raises InvalidRequest where nothing is embedded, ContextOverflow for a text that is too long."""
    most = model.embedding_tokens
    if most is None:
        raise InvalidRequest("this server makes no embeddings: start it with EMBEDDINGS=on", param="model")
    encoded = []
    for place, text in enumerate(texts):
        tokens = model.encode_text(text)
        if len(tokens) > most:
            raise ContextOverflow(f"the text has {len(tokens)} tokens; {most} can be embedded", param=f"input.{place}")
        encoded.append(tokens)
    return encoded


def _grammar(wanted: ResponseFormat | None, model: Model) -> str | None:
    if wanted is None or wanted.type == "text":
        return None
    if wanted.json_schema is None:
        return grammar_for_any_object()
    grammar = grammar_for_schema(wanted.json_schema.document, field=_SCHEMA_FIELD)
    if not model.takes_grammar(grammar):
        raise InvalidRequest("the schema cannot be turned into a grammar", param=_SCHEMA_FIELD)
    return grammar
