"""Thoughts that travel sealed: what comes back is what was given, or it is refused."""

from base64 import b64encode
from typing import Any

import pytest
from llm_gateway.domain.chat import ReasoningItem
from llm_gateway.wire.anthropic.thoughts import opened, sealed

from tests.wire.anthropic.bodies import HELLO, read, refused

ITEMS = (
    ReasoningItem(vendor="openai", item={"type": "reasoning", "id": "rs_1", "encrypted_content": "é"}, after=0),
    ReasoningItem(vendor="openai", item={"type": "reasoning", "id": "rs_2"}, after=2),
)


def test_what_is_sealed_comes_back() -> None:
    assert opened(sealed(ITEMS)["data"]) == ITEMS


def test_a_vendors_own_data_is_left_alone() -> None:
    assert opened("EmwKAhgBEgy") is None


def test_a_sealed_block_holds_all_thoughts_of_its_turn() -> None:
    shown = {"type": "thinking", "thinking": "For people.", "signature": ""}
    turn = {"role": "assistant", "content": [shown, {"type": "text", "text": "Hi."}, sealed(ITEMS)]}
    (_, message) = read(messages=[*HELLO["messages"], turn]).messages
    assert message.reasoning == ITEMS


@pytest.mark.parametrize(
    "told",
    [
        b"\xff",
        b"{}",
        b"[1]",
        b'[{"vendor": "openai", "item": {"type": "reasoning"}}]',
        b'[{"vendor": "nobody", "item": {"type": "reasoning"}, "after": 0}]',
        b'[{"vendor": "openai", "item": {"type": "function_call"}, "after": 0}]',
        b'[{"vendor": "openai", "item": {"type": ["reasoning"]}, "after": 0}]',
        b'[{"vendor": "openai", "item": {"type": "reasoning"}, "after": true}]',
        b'[{"vendor": "openai", "item": {"type": "reasoning"}, "after": -1}]',
        b"[" * 5000,
    ],
)
def test_a_seal_that_was_broken_is_refused(told: bytes) -> None:
    block: dict[str, Any] = {"type": "redacted_thinking", "data": "llm-gateway.1." + b64encode(told).decode()}
    ((field, message),) = refused(messages=[{"role": "assistant", "content": [block]}])
    assert field == "messages[0].content"
    assert "unchanged" in message
