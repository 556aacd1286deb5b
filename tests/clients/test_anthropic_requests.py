"""Random valid requests in Anthropic's shape: each is answered, and nothing of it is dropped on the way to Anthropic."""

import json
import random
from collections.abc import Iterator
from typing import Any

import pytest

from tests.clients.anthropic_house import CLAUDE, GPT, House, house

REQUESTS = 320
_PDF, _PIXEL = "JVBERi0xLjQKJSVFT0Y=", "iVBORw0KGgo="


@pytest.fixture(scope="module")
def at() -> Iterator[House]:
    with house() as at:
        yield at


class Writer:
    """Makes requests; `words` are what each of them has said, and what must arrive."""

    def __init__(self, seed: int) -> None:
        self.random = random.Random(seed)  # noqa: S311 — it keeps no secret
        self.words: list[str] = []

    def request(self) -> dict[str, Any]:
        self.words = []
        body: dict[str, Any] = {"model": CLAUDE, "max_tokens": self.random.randint(3000, 8000)}
        tools = [self.tool(number) for number in range(self.random.randint(0, 3))]
        thinks = self.maybe()
        body["messages"] = self.conversation(bool(tools), thinks)
        optional: dict[str, Any] = {
            "system": self.random.choice([self.word(), [self.text(), self.text()]]),
            "tools": tools,
            "tool_choice": self.choice(tools, thinks) if tools else None,
            "thinking": {"type": "enabled", "budget_tokens": self.random.randint(1024, 2999)} if thinks else None,
            "temperature": None if thinks else self.random.choice([0, 0.5, 1]),
            "top_k": self.random.randint(1, 50),
            "stop_sequences": [self.word() for _ in range(self.random.randint(1, 6))],
            "metadata": {"user_id": self.word()},
            "service_tier": self.random.choice(["auto", "standard_only"]),
            "inference_geo": "us",
            "stream": self.maybe(),
            "output_config": {"format": {"type": "json_schema", "schema": self.schema()}} if not tools else None,
        }
        needed = ("tools", "tool_choice", "thinking")
        body |= {
            name: value
            for name, value in optional.items()
            if value is not None and value != [] and (name in needed or self.maybe())
        }
        if "thinking" in body:
            for name in ("top_k", "temperature"):
                body.pop(name, None)
        said = json.dumps(body)
        self.words = [word for word in self.words if word in said]
        return body

    def maybe(self) -> bool:
        return self.random.random() < 0.5

    def word(self) -> str:
        self.words.append(f"w{self.random.getrandbits(60):x}w")
        return self.words[-1]

    def marked(self, block: dict[str, Any]) -> dict[str, Any]:
        marks = [None, {"type": "ephemeral"}, {"type": "ephemeral", "ttl": "1h"}]
        mark = self.random.choice(marks)
        return block if mark is None else {**block, "cache_control": mark}

    def text(self) -> dict[str, Any]:
        return self.marked({"type": "text", "text": self.word()})

    def image(self) -> dict[str, Any]:
        sources = [
            {"type": "base64", "media_type": "image/png", "data": _PIXEL},
            {"type": "url", "url": f"https://images.example/{self.word()}.png"},
        ]
        source = self.random.choice(sources)
        return self.marked({"type": "image", "source": source})

    def document(self) -> dict[str, Any]:
        sources = [
            {"type": "base64", "media_type": "application/pdf", "data": _PDF},
            {"type": "text", "media_type": "text/plain", "data": self.word()},
            {"type": "content", "content": [{"type": "text", "text": self.word()}]},
        ]
        return self.marked({"type": "document", "title": self.word(), "source": self.random.choice(sources)})

    def block(self) -> dict[str, Any]:
        return self.random.choice([self.text, self.text, self.image, self.document])()

    def content(self) -> Any:
        return self.word() if self.maybe() else [self.block() for _ in range(self.random.randint(1, 4))]

    def conversation(self, has_tools: bool, thinks: bool) -> list[Any]:
        turns: list[Any] = [{"role": "user", "content": self.content()}]
        for number in range(self.random.randint(0, 3)):
            if has_tools and self.maybe():
                turns += self.use_of_a_tool(number, thinks)
            else:
                turns += [{"role": "assistant", "content": self.said()}, {"role": "user", "content": self.content()}]
        return turns

    def said(self) -> Any:
        thought = {"type": "thinking", "thinking": self.word(), "signature": self.word()}
        secret = {"type": "redacted_thinking", "data": self.word()}
        return self.random.choice([self.word(), [self.text()], [thought, self.text()], [secret, self.text()]])

    def use_of_a_tool(self, number: int, thinks: bool) -> list[Any]:
        # A model that thinks wants the thought back that began a round of tools.
        thought = [{"type": "thinking", "thinking": self.word(), "signature": self.word()}] if thinks else []
        call = {"type": "tool_use", "id": f"toolu_{number}", "name": "tool_0", "input": {"a": self.word()}}
        result = {"type": "tool_result", "tool_use_id": f"toolu_{number}", "content": self.word()}
        if self.maybe():
            result |= {"content": [self.text(), self.image()], "is_error": self.maybe()}
        after = [self.text()] if self.maybe() else []
        return [
            {"role": "assistant", "content": [*thought, *([self.text()] if self.maybe() else []), self.marked(call)]},
            {"role": "user", "content": [self.marked(result), *after]},
        ]

    def tool(self, number: int) -> dict[str, Any]:
        tool = {"name": f"tool_{number}", "description": self.word(), "input_schema": self.schema()}
        return self.marked(tool)

    def schema(self) -> dict[str, Any]:
        return {
            "type": "object",
            "properties": {"a": {"type": "string", "description": self.word()}},
            "required": ["a"],
            "additionalProperties": False,
        }

    def choice(self, tools: list[Any], thinks: bool) -> dict[str, Any]:
        kinds: list[dict[str, Any]] = [{"type": "auto"}]
        if not thinks:
            kinds += [{"type": "any"}, {"type": "tool", "name": tools[-1]["name"]}]
        found = self.random.choice(kinds)
        return found | {"disable_parallel_tool_use": True} if self.maybe() else found


def test_whatever_is_asked_arrives_whole_and_is_answered(at: House) -> None:
    writer = Writer(16)
    for _ in range(REQUESTS):
        body = writer.request()
        if "output_config" in body:
            at.claude.otherwise = _says('{"a": "b"}')
        response, raw = at.serving.call("POST", "/v1/messages", body)
        assert response.status == 200, (raw, body)
        assert b"error" not in raw.replace(b'"error_code"', b""), raw
        sent = json.dumps(at.claude.requests[-1].body)
        assert [word for word in writer.words if word not in sent] == []
        assert sent.count('"cache_control"') == _marks(body)
        assert sent.count('"is_error": true') == json.dumps(body).count('"is_error": true')


def test_another_vendor_may_be_asked_all_of_it(at: House) -> None:
    """Where it cannot take something, that is named: nothing fails inside."""
    writer = Writer(17)
    for _ in range(REQUESTS // 4):
        body = writer.request() | {"model": f"gpt/{GPT}"}
        response, raw = at.serving.call("POST", "/v1/messages", body)
        assert response.status in (200, 400, 502), (raw, body)
        if response.status == 502:
            # The scripted model's words are not the JSON that was asked for.
            assert json.loads(raw)["gateway"]["code"] == "response_validation_failed"


def _says(text: str) -> Any:
    from tests.adapters.upstream import Answer
    from tests.adapters.upstream_wires import Said

    return Answer(said=Said(pieces=(text,)))


def _marks(body: dict[str, Any]) -> int:
    return json.dumps(body).count('"cache_control"')
