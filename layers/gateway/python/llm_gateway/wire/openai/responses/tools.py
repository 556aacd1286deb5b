"""Functions that the model may call, in the shape of OpenAI's Responses API: none of them runs at OpenAI."""

from typing import Annotated, Any, Final, Literal

from pydantic import AfterValidator, Discriminator, Field, Tag

from llm_gateway.domain import chat
from llm_gateway.wire.messages import JsonSchema, ToolName
from llm_gateway.wire.refusals import only, refused
from llm_gateway.wire.schema import Flag, Incoming

_SERVER_TOOLS: Final = "tools that run at OpenAI are not offered"
_FUNCTION, _WORD = "[function]", "[word]"


class FunctionTool(Incoming):
    """A function that the model may call; `parameters` is a JSON schema."""

    elsewhere = {"function": "its members stand in the tool itself"}

    type: Literal["function"]
    name: ToolName
    description: str | None = None
    parameters: JsonSchema | None = None
    strict: Flag | None = None
    allowed_callers: Annotated[Any, only(["direct"], instead=_SERVER_TOOLS)] = None
    defer_loading: Annotated[Any, only(False, instead=_SERVER_TOOLS)] = None
    asynchronous: Annotated[Any, Field(alias="async"), only(False, instead="calls are answered in turn")] = None
    output_schema: Annotated[Any, refused("say in the description what the function answers")] = None

    def to_domain(self) -> chat.Tool:
        return chat.Tool(
            name=self.name, description=self.description, parameters=self.parameters or {}, strict=self.strict
        )

    def shown(self) -> dict[str, Any]:
        """The tool as an answer tells it."""
        return {
            "type": "function",
            "name": self.name,
            "description": self.description,
            "parameters": self.parameters,
            "strict": bool(self.strict),
        }


def _kind(tool: Any) -> str | None:
    return _FUNCTION if isinstance(tool, dict) and tool.get("type") == "function" else None


Tool = Annotated[
    Annotated[FunctionTool, Tag(_FUNCTION)],
    Discriminator(
        _kind,
        custom_error_type="tool",
        custom_error_message=(
            f"must have type 'function': {_SERVER_TOOLS}, and a custom tool is described as a function that takes a text"
        ),
    ),
]


def _each_once(tools: list[FunctionTool]) -> list[FunctionTool]:
    seen = set[str]()
    for tool in tools:
        if tool.name in seen:
            raise ValueError(f"two tools are called {tool.name!r}: each needs a name of its own")
        seen.add(tool.name)
    return tools


Tools = Annotated[list[Tool], Field(fail_fast=True, max_length=128), AfterValidator(_each_once)]


class ChosenFunction(Incoming):
    """The choice of exactly this function."""

    type: Literal["function"]
    name: ToolName


def _choice(choice: Any) -> str | None:
    return _WORD if isinstance(choice, str) else _kind(choice)


ToolChoice = Annotated[
    Annotated[Literal["auto", "none", "required"], Tag(_WORD)] | Annotated[ChosenFunction, Tag(_FUNCTION)],
    Discriminator(
        _choice,
        custom_error_type="choice",
        custom_error_message="must be 'auto', 'none', 'required' or {\"type\": \"function\", \"name\": …}",
    ),
]


def chosen(choice: "str | ChosenFunction") -> chat.ToolChoice:
    return chat.NamedTool(name=choice.name) if isinstance(choice, ChosenFunction) else choice  # type: ignore[return-value]


def fault_in_choice(choice: "str | ChosenFunction", tools: list[FunctionTool]) -> str | None:
    """Why the choice cannot be of these tools."""
    if choice in ("auto", "none"):
        return None
    if not tools:
        return "asks for a function to be called: send tools too"
    if isinstance(choice, ChosenFunction) and choice.name not in {tool.name for tool in tools}:
        return f"names {choice.name!r}, which is none of tools"
    return None
