"""Embeddings as a scripted upstream makes them: a vector tells the length of its text, and where it stood."""

import base64
import json
import struct
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from tests.adapters.upstream_converse import CONVERSE, check_signature
from tests.adapters.upstream_rules import Complaint
from tests.adapters.upstream_wires import CHAT_COMPLETIONS, JsonDict

_FIELDS = {"model", "input", "encoding_format", "dimensions", "user"}
_MOST_TEXTS = 2048


def vector_of(text: str, dimensions: int = 3) -> list[float]:
    return [float(len(text)), 0.5, *([-1.0] * (dimensions - 2))]


def _embeddings(body: JsonDict) -> JsonDict:
    texts, dimensions = body["input"], body.get("dimensions") or 3
    vectors: list[Any] = [vector_of(text, dimensions) for text in texts]
    if body.get("encoding_format") == "base64":
        vectors = [base64.b64encode(struct.pack(f"<{len(one)}f", *one)).decode() for one in vectors]
    data = [{"object": "embedding", "index": index, "embedding": one} for index, one in enumerate(vectors)]
    tokens = sum(len(text.split()) for text in texts)
    # Vendors say which is which, and need not keep the order.
    return {
        "object": "list",
        "data": data[::-1],
        "model": f"{body['model']}-2026",
        "usage": {"prompt_tokens": tokens, "total_tokens": tokens},
    }


def _titan(body: JsonDict) -> JsonDict:
    text = body["inputText"]
    vector = vector_of(text, body.get("dimensions") or 3)
    return {"embedding": vector, "embeddingsByType": {"float": vector}, "inputTextTokenCount": len(text.split())}


EMBEDDINGS = replace(CHAT_COMPLETIONS, answering=_embeddings)
TITAN = replace(CONVERSE, answering=_titan)


def check_embeddings(headers: Mapping[str, str], body: Mapping[str, Any]) -> None:
    """Raises `Complaint`. A model named `fixed` has one length of vectors."""
    if headers.get("authorization") == "Bearer wrong":
        raise Complaint(401, code="invalid_api_key")
    texts = body.get("input")
    if not isinstance(texts, list) or not 0 < len(texts) <= _MOST_TEXTS or not all(texts):
        raise Complaint(param="input")
    for name in body.keys() - _FIELDS:
        raise Complaint(param=name, code="unknown_parameter")
    if body["model"] == "fixed" and "dimensions" in body:
        raise Complaint(param="dimensions", code="unsupported_parameter")


def check_titan(path: str, headers: Mapping[str, str], raw: bytes) -> None:
    check_signature(path, headers, raw)
    body = json.loads(raw)
    if body.keys() - {"inputText", "dimensions", "normalize"} or not body.get("inputText"):
        raise Complaint(type="ValidationException")
