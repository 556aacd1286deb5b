"""Asking in words for a form that a wire has no field for; whoever asked validates the answer."""

import json
from typing import Final

from llm_gateway.domain.chat import JsonObject

ANY_JSON: Final = "Answer with one JSON value and nothing else: no explanation, no code fence."


def json_of_schema(schema: JsonObject) -> str:
    return f"{ANY_JSON} It must be valid under this JSON schema:\n{json.dumps(dict(schema), ensure_ascii=False)}"
