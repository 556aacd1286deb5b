"""Prompts for queries to be made from."""

from datetime import UTC, datetime
from typing import Any

from llm_gateway.domain.chat import Message, MessageRole, OutputFormat, TextPart
from llm_gateway.domain.prompts.prompts import Defaults, Label, PromptKind, PromptMetadata, PromptVersion
from llm_gateway.domain.prompts.templates import PromptTemplate, Variable, VariableType

from tests.adapters.prompt_store import InMemoryPrompts

NOW = datetime(2026, 11, 30, tzinfo=UTC)
THING = {"thing": Variable(type=VariableType.STRING, max_length=20)}


def user(text: str) -> Message:
    return Message(role=MessageRole.USER, content=(TextPart(text=text),))


def greeting(number: int, **changes: Any) -> PromptVersion:
    """Asks whether a thing is good; each version in its own words."""
    template = PromptTemplate(
        messages=(user(f"{number}: is {{{{ thing }}}} good?"),), system_text="About {{ thing }}.", variables=THING
    )
    return PromptVersion(
        prompt_id="greeting",
        number=number,
        template=changes.pop("template", template),
        defaults=changes.pop("defaults", Defaults()),
        output=changes.pop("output", OutputFormat()),
        author="key_1",
        created_at=NOW,
        commit_message=None,
        content_hash=str(number),
    )


def keep(
    prompts: InMemoryPrompts,
    *versions: PromptVersion,
    labels: dict[str, dict[int, int]] | None = None,
    kind: PromptKind = PromptKind.PROMPT,
    **said: Any,
) -> None:
    named = {name: Label(name=name, versions=weights, revision=1) for name, weights in (labels or {}).items()}
    metadata = PromptMetadata(
        id=versions[0].prompt_id,
        kind=kind,
        name="Greeting",
        version=max(version.number for version in versions),
        revision=1,
        created_at=NOW,
        updated_at=NOW,
        labels=named,
        **said,
    )
    prompts.put(metadata, *versions)
