"""Random requests of each dialect, made from the SDKs' own types: none meets a fault of the gateway's, and of those that are
answered every text and every number has reached the provider, but for what the tables of docs/drop-in.md say of it. Every
second one is streamed, and the SDK reads the stream to its end. Requests are made until enough of them are answered: the types
allow more than each model takes, and what it does not take is refused."""

import json
import os
import random
import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

import anthropic
import openai
import pytest
from anthropic.types import Message, RawMessageStreamEvent, message_create_params
from llm_gateway.wire.anthropic.parameters import MESSAGES
from llm_gateway.wire.openai.parameters import CHAT, EMBEDDINGS
from llm_gateway.wire.openai.responses.parameters import RESPONSES
from openai.types import embedding_create_params
from openai.types.chat import ChatCompletion, ChatCompletionChunk, completion_create_params
from openai.types.responses import Response, ResponseStreamEvent, response_create_params

from tests.adapters.upstream import ScriptedUpstream
from tests.clients.random_requests import Maker
from tests.entrypoints.dropped_in import MODELS, client_of, served
from tests.entrypoints.serving import Serving

HOW_MANY: Final = int(os.environ.get("RANDOM_REQUESTS", "1000"))
"""That many of each dialect are answered. `RANDOM_REQUESTS=10000` tries more, and a smaller number takes less time."""
ADDRESSES = [f"{name}/{model}" for name, model in MODELS.items()]


def _schema(maker: Maker) -> Any:
    return {"type": "object", "properties": {maker.word(): {"type": "string"}}, "additionalProperties": False}


def _image(maker: Maker) -> str:
    return f"https://example.com/{maker.word()}.png"


FIXED: Mapping[str, Any] = {
    "model": lambda maker: maker.random.choice(ADDRESSES),
    # Anthropic has no embeddings.
    "EmbeddingCreateParams.model": lambda maker: maker.random.choice([f"{name}/{MODELS[name]}" for name in ("a", "d")]),
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
    "ResponseCreateParamsStreaming.text": lambda maker: {"verbosity": maker.random.choice(["low", "high"])},
    "CompletionCreateParamsStreaming.stream": True,
    "MessageCreateParamsStreaming.stream": True,
    "ResponseCreateParamsStreaming.stream": True,
    "CompletionCreateParamsStreaming.stream_options": {"include_usage": True},
    "ResponseCreateParamsStreaming.stream_options": {"include_obfuscation": False},
    "MessageCreateParamsNonStreaming.tool_choice": {"type": "auto"},
    "MessageCreateParamsStreaming.tool_choice": {"type": "auto"},
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
class Sdks:
    openai: openai.OpenAI
    anthropic: anthropic.Anthropic


@dataclass(frozen=True, kw_only=True)
class Streams:
    """How a dialect is streamed: the type of a request, how the SDK opens a stream, and whether an event ends a whole one.

    The body is posted as it was made: the methods that have a parameter each send some of them as headers.
    """

    kind: Any
    open: Callable[[Sdks, Any], Iterable[Any]]
    is_end: Callable[[Any], bool]


@dataclass(frozen=True, kw_only=True)
class Dialect:
    """`silent` are the places whose words reach no provider, as the page says of them."""

    path: str
    kind: Any
    streams: Streams | None = None
    table: Mapping[str, tuple[str, str]]
    usual: frozenset[str]
    silent: str
    besides: Mapping[str, Any]


# Two of so many requests may be the same, and no provider is asked for what the cache has.
_UNCACHED: Mapping[str, Any] = {"gateway": {"cache": "bypass"}}
_HINTS = r"prediction|prompt_cache_key|prompt_cache_options|prompt_cache_retention|safety_identifier|user"
DIALECTS = {
    "chat": Dialect(
        path="/v1/chat/completions",
        kind=completion_create_params.CompletionCreateParamsNonStreaming,
        streams=Streams(
            kind=completion_create_params.CompletionCreateParamsStreaming,
            open=lambda sdks, asked: sdks.openai.post(
                "/chat/completions",
                body=asked,
                cast_to=ChatCompletion,
                stream=True,
                stream_cls=openai.Stream[ChatCompletionChunk],
            ),
            is_end=lambda chunk: "gateway" in (chunk.model_extra or {}),
        ),
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
        besides=_UNCACHED,
    ),
    "responses": Dialect(
        path="/v1/responses",
        kind=response_create_params.ResponseCreateParamsNonStreaming,
        streams=Streams(
            kind=response_create_params.ResponseCreateParamsStreaming,
            open=lambda sdks, asked: sdks.openai.post(
                "/responses",
                body=asked,
                cast_to=Response,
                stream=True,
                stream_cls=openai.Stream[ResponseStreamEvent],
            ),
            is_end=lambda event: event.type == "response.completed",
        ),
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
        besides=_UNCACHED,
    ),
    "messages": Dialect(
        path="/v1/messages",
        kind=message_create_params.MessageCreateParamsNonStreaming,
        streams=Streams(
            kind=message_create_params.MessageCreateParamsStreaming,
            open=lambda sdks, asked: sdks.anthropic.post(
                "/v1/messages",
                body=asked,
                cast_to=Message,
                stream=True,
                stream_cls=anthropic.Stream[RawMessageStreamEvent],
            ),
            is_end=lambda event: event.type == "message_stop",
        ),
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
        # A thought goes to its vendor's models alone.
        silent=r"model|metadata\.user_id|top_k|inference_geo|.*\.cache_control.*|.*\.(data|thinking|signature)",
        besides=_UNCACHED,
    ),
    "embeddings": Dialect(
        path="/v1/embeddings",
        kind=embedding_create_params.EmbeddingCreateParams,
        table=EMBEDDINGS,
        usual=frozenset(),
        silent="model",
        besides={},
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


@pytest.fixture(scope="module")
def sdks(serving: Serving) -> Iterator[Sdks]:
    address = f"http://127.0.0.1:{serving.port}"
    with (
        client_of(serving) as client,
        anthropic.Anthropic(base_url=address, api_key=serving.key, max_retries=0) as other,
    ):
        yield Sdks(openai=client, anthropic=other)


@pytest.mark.unmeasured  # Thousands of requests: the tests of each dialect try the same lines.
@pytest.mark.parametrize("name", DIALECTS)
def test_random_requests(name: str, serving: Serving, upstreams: dict[str, ScriptedUpstream], sdks: Sdks) -> None:
    dialect = DIALECTS[name]
    rare = _RARE | {parameter for parameter, (fate, _) in dialect.table.items() if fate == "refused"}
    lost, why, unnamed, answered = Counter[str](), Counter[str](), list[Any](), list[bool]()
    for seed in range(4 * HOW_MANY):
        if len(answered) == HOW_MANY:
            break
        maker = Maker(random.Random(seed), usual=dialect.usual, fixed=FIXED, rare=rare, always=_ALWAYS)  # noqa: S311
        streams = dialect.streams if seed % 2 else None
        asked = maker.object(streams.kind if streams else dialect.kind, "") | dialect.besides
        for upstream in upstreams.values():
            upstream.reset()
        status, told = _read(streams, sdks, asked) if streams else _called(serving, dialect, asked)
        assert status in {200, 400, 404, 502}, (status, asked, told)
        if status != 200:
            if not told["message"]:
                unnamed.append(told)
            why[re.sub(r"w\d+x|\d+", "*", told["message"])[:110]] += 1
            continue
        answered.append(streams is not None)
        sent = json.dumps([request.body for upstream in upstreams.values() for request in upstream.requests])
        lost.update(
            path for path, word in maker.words if str(word) not in sent and not re.fullmatch(dialect.silent, path)
        )
    assert not unnamed
    assert not lost, lost
    assert len(answered) == HOW_MANY, why.most_common(10)
    assert dialect.streams is None or sum(answered) >= HOW_MANY // 4, why.most_common(10)


def _called(serving: Serving, dialect: Dialect, asked: Any) -> tuple[int, Any]:
    """The status, and what is told of an error."""
    response, body = serving.call("POST", dialect.path, asked)
    return response.status, json.loads(body).get("error")


def _read(streams: Streams, sdks: Sdks, asked: Any) -> tuple[int, Any]:
    """The same of a stream. Raises what the SDK raises where it breaks off."""
    try:
        events = streams.open(sdks, asked)
    except (openai.APIStatusError, anthropic.APIStatusError) as refused:
        return refused.status_code, refused.response.json()["error"]
    *_, last = events
    assert streams.is_end(last), (asked, last)
    return 200, None
