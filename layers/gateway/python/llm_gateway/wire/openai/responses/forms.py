"""The form of an answer, and how much is thought before it, in the shape of OpenAI's Responses API."""

from typing import Annotated, Any, Final, Literal

from pydantic import Field

from llm_gateway.domain import chat
from llm_gateway.wire.messages import JsonSchema
from llm_gateway.wire.refusals import only, refused
from llm_gateway.wire.schema import Flag, Incoming

_ONE_SUMMARY: Final = "every vendor tells its summary in its own length: leave it out, or say 'auto'"


class TextFormat(Incoming):
    """Any text."""

    type: Literal["text"]

    def to_domain(self) -> chat.OutputFormat:
        return chat.OutputFormat()

    def shown(self) -> dict[str, Any]:
        return {"type": self.type}


class JsonFormat(Incoming):
    """Any JSON."""

    type: Literal["json_object"]

    def to_domain(self) -> chat.OutputFormat:
        return chat.OutputFormat(type="json")

    def shown(self) -> dict[str, Any]:
        return {"type": self.type}


class SchemaFormat(Incoming):
    """JSON that the schema validates; `description` is told to the model with it."""

    elsewhere = {"json_schema": "its members stand in format itself"}

    type: Literal["json_schema"]
    name: Annotated[str, Field(pattern=r"^[a-zA-Z0-9_-]{1,64}$")]
    json_schema: Annotated[JsonSchema, Field(alias="schema")]
    description: str | None = None
    strict: Flag | None = None

    def to_domain(self) -> chat.OutputFormat:
        told = {"description": self.description} if self.description else {}
        return chat.OutputFormat(type="json_schema", schema={**told, **self.json_schema})

    def shown(self) -> dict[str, Any]:
        told = {"name": self.name, "description": self.description, "schema": self.json_schema}
        return {"type": self.type, **told, "strict": bool(self.strict)}


class TextConfig(Incoming):
    """The form of the answer's text, and how wordy it is."""

    format: Annotated[TextFormat | JsonFormat | SchemaFormat, Field(discriminator="type")] | None = None
    verbosity: Literal["low", "medium", "high"] | None = None


class Reasoning(Incoming):
    """How long the model is to think, and whether it tells of it, which it does where an effort is named."""

    effort: chat.ReasoningEffort | None = None
    summary: Annotated[Any, only("auto", instead=_ONE_SUMMARY)] = None
    generate_summary: Annotated[Any, refused("it is summary")] = None
    context: Annotated[Any, only("auto", instead="which thoughts are read again is the model's choice")] = None
    mode: Annotated[Any, only("standard", instead="name another model")] = None
