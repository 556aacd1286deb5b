"""Random valid requests of OpenAI's API: an answer or an error that names a parameter, and nothing that is said is dropped."""

import json
import random
from collections import Counter
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from tests.adapters.upstream import Answer, ScriptedUpstream
from tests.adapters.upstream_wires import Said
from tests.entrypoints.dropped_in import MODELS, served
from tests.entrypoints.serving import Serving

REQUESTS = 320
TOOL = {"type": "function", "function": {"name": "f", "parameters": {"type": "object", "properties": {}}}}
FORM = {"type": "object", "properties": {"a": {"type": "string"}}, "required": ["a"], "additionalProperties": False}
Make = Callable[[random.Random], Any]
# Each with what the body that OpenAI is sent has for it; None: it is not one of its members, or not under a name of its own.
PARAMETERS: dict[str, tuple[Make, str | None]] = {
    "frequency_penalty": (lambda r: r.choice([-1, 0.5, 2]), "frequency_penalty"),
    "presence_penalty": (lambda r: r.choice([-2, 1.5]), "presence_penalty"),
    "logit_bias": (lambda r: {str(r.randrange(9)): r.choice([-100, 5])}, "logit_bias"),
    "logprobs": (lambda _: True, "logprobs"),
    "max_completion_tokens": (lambda r: r.randrange(16, 900), "max_completion_tokens"),
    "max_tokens": (lambda r: r.randrange(16, 900), "max_completion_tokens"),
    "metadata": (lambda r: {"customer": str(r.randrange(99))}, None),
    "modalities": (lambda _: ["text"], None),
    "n": (lambda _: 1, None),
    "parallel_tool_calls": (lambda r: r.random() < 0.5, None),
    "prediction": (lambda _: {"type": "content", "content": "Hello there."}, "prediction"),
    "prompt_cache_key": (lambda r: f"key-{r.randrange(9)}", "prompt_cache_key"),
    "prompt_cache_retention": (lambda r: r.choice(["in_memory", "24h"]), "prompt_cache_retention"),
    "response_format": (lambda r: r.choice([{"type": "text"}, {"type": "json_object"}, _form()]), None),
    "safety_identifier": (lambda _: "user-1", "safety_identifier"),
    "seed": (lambda r: r.randrange(99), "seed"),
    "service_tier": (lambda r: r.choice(["auto", "default", "flex", "priority"]), "service_tier"),
    "stop": (lambda r: r.choice(["END", ["a", "b"]]), None),
    "store": (lambda _: False, None),
    "stream": (lambda r: r.random() < 0.5, "stream"),
    "temperature": (lambda r: r.choice([0, 0.3, 2]), "temperature"),
    "tools": (lambda _: [TOOL], None),
    "top_p": (lambda r: r.choice([0.1, 1]), "top_p"),
    "user": (lambda _: "user-1", "user"),
    "verbosity": (lambda r: r.choice(["low", "high"]), "verbosity"),
}


def _form() -> dict[str, Any]:
    return {"type": "json_schema", "json_schema": {"name": "a", "schema": FORM}}


def _content(chance: random.Random) -> Any:
    text = chance.choice(["Hello.", "Grüße 🙂", "a\u0000b", "x" * 300])
    picture = {"type": "image_url", "image_url": {"url": "data:image/png;base64,aGVsbG8="}}
    return chance.choice([text, [{"type": "text", "text": text}], [{"type": "text", "text": text}, picture]])


def _request(number: int) -> dict[str, Any]:
    chance = random.Random(number)  # noqa: S311
    name = chance.choice(sorted(MODELS))
    said = {each: PARAMETERS[each][0](chance) for each in chance.sample(sorted(PARAMETERS), chance.randrange(9))}
    if "max_tokens" in said:
        said.pop("max_completion_tokens", None)
    if said.get("stream"):
        said["stream_options"] = {"include_usage": chance.random() < 0.5}
    turns = [{"role": chance.choice(["system", "developer"]), "content": "Be brief."}] if chance.random() < 0.3 else []
    turns.append({"role": "user", "content": _content(chance)})
    if chance.random() < 0.3:
        call = {"id": "call_1", "type": "function", "function": {"name": "f", "arguments": "{}"}}
        turns.append({"role": "assistant", "content": None, "refusal": None, "annotations": [], "tool_calls": [call]})
        turns.append({"role": "tool", "tool_call_id": "call_1", "content": "Rain."})
        said["tools"] = [TOOL]
    return {"model": f"{name}/{MODELS[name]}", "messages": turns, **said}


@pytest.fixture(scope="module")
def upstreams() -> Iterator[dict[str, ScriptedUpstream]]:
    with ScriptedUpstream() as a, ScriptedUpstream() as b, ScriptedUpstream() as d:
        yield {"a": a, "b": b, "d": d}


@pytest.fixture(scope="module")
def serving(upstreams: dict[str, ScriptedUpstream]) -> Iterator[Serving]:
    with served(upstreams) as serving:
        yield serving


def test_no_request_makes_the_gateway_fail_and_nothing_is_dropped(
    serving: Serving, upstreams: dict[str, ScriptedUpstream]
) -> None:
    statuses: Counter[int] = Counter()
    for number in range(REQUESTS):
        body = _request(number)
        name = body["model"].partition("/")[0]
        before = len(upstreams[name].requests)
        upstreams[name].otherwise = Answer(said=Said(pieces=('{"a": ', '"b"}')))
        response, answer = serving.call("POST", "/v1/chat/completions", body)
        statuses[response.status] += 1
        if response.status == 200:
            assert (b"[DONE]" in answer) == bool(body.get("stream")), number
            if name == "a":
                _check_sent(body, upstreams[name].requests[-1].body, number)
            continue
        error = json.loads(answer)["error"]
        assert response.status == 400, (number, answer)
        assert error["param"] is not None or len(upstreams[name].requests) > before, (number, error)
    assert statuses[200] > REQUESTS / 3, statuses
    assert not statuses[500], statuses


def _check_sent(body: dict[str, Any], sent: dict[str, Any], number: int) -> None:
    for said, (_, there) in PARAMETERS.items():
        if there is not None and said in body and body[said] is not False:
            assert sent.get(there) == body[said], (number, said)
    assert (sent.get("tools") is None) == ("tools" not in body), number
