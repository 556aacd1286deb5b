"""docs/queries.md: every query that it shows is one."""

import re
from pathlib import Path

import pytest
from llm_gateway.domain.capabilities import capabilities_of, unsupported
from llm_gateway.domain.chat import ChatRequest
from llm_gateway.domain.providers import ModelConfig, ProviderKind
from llm_gateway.wire.queries import QueryBody

PAGE = (Path(__file__).parents[2] / "docs/queries.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"^```json\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)


def test_there_are_some() -> None:
    assert len(BLOCKS) == PAGE.count("```json") >= 3


@pytest.mark.parametrize("block", BLOCKS)
def test_a_query_that_is_shown_is_taken_by_its_model(block: str) -> None:
    asked = QueryBody.model_validate_json(block).to_domain()

    assert asked.model is not None
    profile = capabilities_of(ProviderKind.OPENAI, ModelConfig(name=asked.model))
    chat = ChatRequest(model=asked.model, messages=asked.messages, tools=asked.tools, parameters=asked.parameters)
    assert unsupported(chat, profile) == ()
    assert all(item.vendor == profile.thoughts for message in asked.messages for item in message.reasoning)
