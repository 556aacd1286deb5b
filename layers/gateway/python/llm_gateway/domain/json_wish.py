"""Asking in words for JSON, where a model or a wire has no field for it. The answer is validated all the same."""

import json
from typing import Final

from llm_gateway.domain.chat import JsonObject

_ANY: Final = "Answer with one JSON value and nothing else: no explanation, no code fence."


def wish_for_json(schema: JsonObject | None = None) -> str:
    """The instruction, with the `schema` that the answer must match where there is one."""
    if schema is None:
        return _ANY
    return f"{_ANY} It must be valid under this JSON schema:\n{json.dumps(dict(schema), ensure_ascii=False)}"
