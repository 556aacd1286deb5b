"""The bodies of answers, shaped as OpenAI's API shapes them."""

import base64
import json
import struct
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from local_model.generation import Finished


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What every body about one answer repeats."""

    id: str
    model: str
    created: int
    prompt_tokens: int

    def whole(self, text: str, end: Finished) -> dict[str, Any]:
        choice = {
            "index": 0,
            "message": {"role": "assistant", "content": text, "refusal": None},
            "logprobs": None,
            "finish_reason": end.reason,
        }
        return {**self._head("chat.completion"), "choices": [choice], "usage": self._usage(end)}

    def chunk(self, delta: Mapping[str, str], *, reason: str | None = None) -> dict[str, Any]:
        choice = {"index": 0, "delta": dict(delta), "logprobs": None, "finish_reason": reason}
        return {**self._head("chat.completion.chunk"), "choices": [choice]}

    def usage_chunk(self, end: Finished) -> dict[str, Any]:
        return {**self._head("chat.completion.chunk"), "choices": [], "usage": self._usage(end)}

    def _head(self, kind: str) -> dict[str, Any]:
        return {"id": self.id, "object": kind, "created": self.created, "model": self.model}

    def _usage(self, end: Finished) -> dict[str, int]:
        return {
            "prompt_tokens": self.prompt_tokens,
            "completion_tokens": end.completion_tokens,
            "total_tokens": self.prompt_tokens + end.completion_tokens,
        }


def server_sent(data: Mapping[str, Any] | str) -> bytes:
    text = data if isinstance(data, str) else json.dumps(data, ensure_ascii=False, separators=(",", ":"))
    return f"data: {text}\n\n".encode()


def embeddings(vectors: Sequence[Sequence[float]], *, model: str, tokens: int, encoding: str) -> dict[str, Any]:
    """The body of an answer with embeddings; `encoding` is `float` or `base64`, of 32-bit floats."""
    data = [
        {"object": "embedding", "index": place, "embedding": list(one) if encoding == "float" else _packed(one)}
        for place, one in enumerate(vectors)
    ]
    usage = {"prompt_tokens": tokens, "total_tokens": tokens}
    return {"object": "list", "data": data, "model": model, "usage": usage}


def _packed(vector: Sequence[float]) -> str:
    return base64.b64encode(struct.pack(f"<{len(vector)}f", *vector)).decode()
