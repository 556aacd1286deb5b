"""An assistant's turn as clients of Chat Completions send it back: OpenAI has no place for a thought, and others agree on one."""

from collections.abc import Iterator
from dataclasses import replace
from typing import Annotated, Any, Final

from pydantic import AfterValidator, BeforeValidator, Field, model_validator

from llm_gateway.domain import chat
from llm_gateway.wire import sealed_thoughts
from llm_gateway.wire.messages import (
    MOST_THOUGHTS,
    AssistantMessage,
    Instruction,
    Reasoning,
    ToolMessage,
    UserMessage,
)
from llm_gateway.wire.queries import few_files
from llm_gateway.wire.schema import wrong

_SEALED: Final = "reasoning.encrypted"


def details_of(items: "tuple[chat.ReasoningItem, ...]") -> list[dict[str, Any]]:
    """The thoughts as `reasoning_details`, which clients keep and send back unread."""
    return (
        [{"type": _SEALED, "data": sealed_thoughts.sealed(items), "format": "llm-gateway", "index": 0}] if items else []
    )


def _told_to_people(reasoning: Any) -> Any:
    """A thought as a text is for people, and not sent."""
    return None if isinstance(reasoning, str) else reasoning


class AssistantTurn(AssistantMessage):
    """What the model said, with what it thought before: only what the gateway sealed is sent again."""

    reasoning: Annotated[Reasoning | None, BeforeValidator(_told_to_people)] = None
    reasoning_content: str | None = None
    reasoning_details: Annotated[list[dict[str, Any]], Field(fail_fast=True, max_length=MOST_THOUGHTS)] | None = None
    # As LiteLLM keeps an answer: what it has no place for, and thoughts in Anthropic's form.
    provider_specific_fields: Annotated[dict[str, Any], Field(max_length=100)] | None = None
    thinking_blocks: Annotated[list[dict[str, Any]], Field(fail_fast=True, max_length=MOST_THOUGHTS)] | None = None

    @model_validator(mode="after")
    def _is_as_it_was_given(self) -> "AssistantTurn":
        try:
            found = list(self._thoughts())
        except ValueError as fault:
            raise wrong("reasoning_details", str(fault)) from None
        if len(found) > MOST_THOUGHTS:
            raise wrong("reasoning_details", f"has more than {MOST_THOUGHTS} thoughts")
        return self

    def to_domain(self) -> chat.Message:
        message = super().to_domain()
        found = tuple(self._thoughts())
        return replace(message, reasoning=found) if found else message

    def _details(self) -> Iterator[dict[str, Any]]:
        kept = (self.provider_specific_fields or {}).get("reasoning_details") if not self.reasoning_details else None
        found = kept if isinstance(kept, list) else self.reasoning_details or []
        return (detail for detail in found if isinstance(detail, dict))

    def _thoughts(self) -> Iterator[chat.ReasoningItem]:
        for detail in self._details():
            data = detail.get("data")
            if detail.get("type") == _SEALED and isinstance(data, str):
                yield from sealed_thoughts.opened(data) or ()


Turn = Annotated[Instruction | UserMessage | AssistantTurn | ToolMessage, Field(discriminator="role")]
Turns = Annotated[list[Turn], Field(max_length=2000), AfterValidator(few_files)]
