"""Random requests of each dialect, made from the SDKs' own types: none meets a fault of the gateway's, and of those that are
answered every text and every number has reached the provider, but for what the tables of docs/drop-in.md say of it."""

import json
import os
import random
import re
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import pytest
from anthropic.types import message_create_params
from llm_gateway.wire.anthropic.parameters import MESSAGES
from llm_gateway.wire.openai.parameters import CHAT, EMBEDDINGS
from llm_gateway.wire.openai.responses.parameters import RESPONSES
from openai.types import embedding_create_params
from openai.types.chat import completion_create_params
from openai.types.responses import response_create_params

from tests.adapters.upstream import ScriptedUpstream
from tests.clients.random_requests import Maker
from tests.entrypoints.dropped_in import MODELS, served
from tests.entrypoints.serving import Serving

HOW_MANY = int(os.environ.get("RANDOM_REQUESTS", "100"))
"""Of each dialect; 1,000 of each were tried with the SDKs that the lock names."""
ADDRESSES = [f"{name}/{model}" for name, model in MODELS.items()]


def _schema(maker: Maker) -> Any:
    return {"type": "object", "properties": {maker.word(): {"type": "string"}}, "additionalProperties": False}


def _image(maker: Maker) -> str:
    return f"https://example.com/{maker.word()}.png"


FIXED: Mapping[str, Any] = {
    "model": lambda maker: maker.random.choice(ADDRESSES),
    "parameters": _schema,
    "schema": _schema,
    "input_schema": _schema,
    "arguments": lambda maker: json.dumps({"q": maker.word()}),
    "ToolUseBlockParam.input": lambda maker: {"q": maker.word()},
    "url": _image,
    "image_url": _image,
    "ChatCompletionContentPartImageParam.image_url": lambda maker: {"url": _image(maker)},
    "FunctionCallOutput.output": lambda maker: maker.word(),
    "FunctionCallOutput.call_id": lambda maker: maker.word(),
    "text": lambda maker: maker.word(),
    "stop": lambda maker: [maker.word()],
    "ResponseCreateParamsNonStreaming.text": lambda maker: {"verbosity": maker.random.choice(["low", "high"])},
    "CompletionCreateParamsNonStreaming.stream": False,
    "MessageCreateParamsNonStreaming.stream": False,
    "MessageCreateParamsNonStreaming.tool_choice": {"type": "auto"},
    "ResponseFormatJSONSchema.json_schema": {"name": "answer", "schema": {"type": "object"}},
    "ResponseReasoningItemParam.encrypted_content": lambda maker: maker.word(),
    "annotations": [],
    "background": False,
    "caller": None,
    "citations": None,
    "defer_loading": False,
    "allowed_callers": ["direct"],
    "async": False,
    "input_examples": None,
    "output_schema": None,
    "toolset_name": None,
    "namespace": None,
    "transformations": None,
    "file_id": None,
    "audio": None,
    "function_call": None,
    "refusal": None,
    "ResponseOutputRefusalParam.refusal": lambda maker: maker.word(),
    "detail": "auto",
    "dimensions": 8,
    "encoding_format": "float",
    "include": ["reasoning.encrypted_content"],
    "logit_bias": {"50256": -1},
    "logprobs": True,
    "top_logprobs": None,
    "modalities": ["text"],
    "n": 1,
    "output_config": {},
    "phase": None,
    "prediction": {"type": "content", "content": "a"},
    "prompt": None,
    "prompt_cache_options": {"mode": "explicit"},
    "reasoning": {},
    "reasoning_effort": None,
    "response_format": {"type": "text"},
    "service_tier": "auto",
    "store": False,
    "stream": False,
    "stream_options": None,
    "thinking": {"type": "disabled"},
    "tool_choice": "auto",
    "truncation": "disabled",
    "ResponseOutputTextParam.logprobs": [],
}
"""Members whose values must mean something; most are what asks for nothing, so that a request is more than its refusal."""


@dataclass(frozen=True, kw_only=True)
class Dialect:
    """`silent` are the places whose words reach no provider, as the page says of them."""

    path: str
    kind: Any
    table: Mapping[str, tuple[str, str]]
    usual: frozenset[str]
    silent: str


_HINTS = r"prediction|prompt_cache_key|prompt_cache_options|prompt_cache_retention|safety_identifier|user"
DIALECTS = {
    "chat": Dialect(
        path="/v1/chat/completions",
        kind=completion_create_params.CompletionCreateParamsNonStreaming,
        table=CHAT,
        usual=frozenset(
            {
                "ChatCompletionUserMessageParam",
                "ChatCompletionSystemMessageParam",
                "ChatCompletionDeveloperMessageParam",
                "ChatCompletionAssistantMessageParam",
                "ChatCompletionToolMessageParam",
                "ChatCompletionContentPartTextParam",
                "ChatCompletionContentPartImageParam",
                "ChatCompletionFunctionToolParam",
                "ChatCompletionMessageFunctionToolCallParam",
                "ResponseFormatText",
                "ResponseFormatJSONObject",
            }
        ),
        silent=rf"model|metadata.*|{_HINTS}|.*\.prompt_cache_breakpoint.*|messages\[\]\.name",
    ),
    "responses": Dialect(
        path="/v1/responses",
        kind=response_create_params.ResponseCreateParamsNonStreaming,
        table=RESPONSES,
        usual=frozenset(
            {
                "EasyInputMessageParam",
                "ResponseOutputMessageParam",
                "ResponseOutputTextParam",
                "ResponseOutputRefusalParam",
                "ResponseFunctionToolCallParam",
                "FunctionCallOutput",
                "ResponseInputTextParam",
                "ResponseInputImageParam",
                "FunctionToolParam",
            }
        ),
        silent=rf"model|metadata.*|{_HINTS}|input\[\]\.id|input\[\]\.name|.*\.prompt_cache_breakpoint.*|.*\.logprobs.*",
    ),
    "messages": Dialect(
        path="/v1/messages",
        kind=message_create_params.MessageCreateParamsNonStreaming,
        table=MESSAGES,
        usual=frozenset(
            {
                "UserMessageParam",
                "AssistantMessageParam",
                "TextBlockParam",
                "ImageBlockParam",
                "ToolUseBlockParam",
                "ToolResultBlockParam",
                "URLImageSourceParam",
                "ToolParam",
            }
        ),
        silent=r"model|metadata\.user_id|top_k|inference_geo|.*\.cache_control.*",
    ),
    "embeddings": Dialect(
        path="/v1/embeddings",
        kind=embedding_create_params.EmbeddingCreateParams,
        table=EMBEDDINGS,
        usual=frozenset(),
        silent="model",
    ),
}


_RARE = frozenset(
    {
        *("prompt_cache_breakpoint", "frequency_penalty", "presence_penalty", "logit_bias", "verbosity", "speed"),
        *(
            "inference_geo",
            "max_tokens",
            "safety_identifier",
            "file_id",
            "input_examples",
            "output_schema",
            "citations",
        ),
        *("toolset_name", "namespace", "transformations", "audio", "function_call", "refusal", "thinking", "top_k"),
    }
)
_ALWAYS = frozenset({"model", "input", "content", "call_id", "image_url"})


@pytest.fixture(scope="module")
def upstreams() -> Iterator[dict[str, ScriptedUpstream]]:
    with ScriptedUpstream() as a, ScriptedUpstream() as b, ScriptedUpstream() as d:
        yield {"a": a, "b": b, "d": d}


@pytest.fixture(scope="module")
def serving(upstreams: dict[str, ScriptedUpstream]) -> Iterator[Serving]:
    with served(upstreams) as serving:
        yield serving


@pytest.mark.parametrize("name", DIALECTS)
def test_random_requests(name: str, serving: Serving, upstreams: dict[str, ScriptedUpstream]) -> None:
    dialect = DIALECTS[name]
    rare = _RARE | {parameter for parameter, (fate, _) in dialect.table.items() if fate == "refused"}
    statuses, lost, why, unnamed = Counter[int](), Counter[str](), Counter[str](), list[str]()
    for seed in range(HOW_MANY):
        maker = Maker(random.Random(seed), usual=dialect.usual, fixed=FIXED, rare=rare, always=_ALWAYS)  # noqa: S311
        asked = maker.object(dialect.kind, "")
        for upstream in upstreams.values():
            upstream.reset()
        response, body = serving.call("POST", dialect.path, asked)
        statuses[response.status] += 1
        told = json.loads(body)
        assert response.status != 500, (asked, told)
        if response.status != 200:
            if not told["error"]["message"]:
                unnamed.append(str(told))
            why[re.sub(r"w\d+x|\d+", "*", told["error"]["message"])[:110]] += 1
            continue
        sent = json.dumps([request.body for upstream in upstreams.values() for request in upstream.requests])
        lost.update(
            path for path, word in maker.words if str(word) not in sent and not re.fullmatch(dialect.silent, path)
        )
    assert not unnamed
    assert not lost, lost
    assert set(statuses) <= {200, 400, 404, 502}, statuses
    assert statuses[200] >= HOW_MANY // 4, (statuses, why.most_common(10))
