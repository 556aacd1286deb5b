"""Tools in Anthropic's shape. Those that the model may call are the caller's own: none runs at Anthropic."""

from typing import Annotated, Any, Final, Literal

from pydantic import Field

from llm_gateway.domain import chat
from llm_gateway.wire.anthropic.blocks import Marked, ToolName, mark_of
from llm_gateway.wire.anthropic.refusals import SERVER_TOOLS
from llm_gateway.wire.messages import JsonSchema
from llm_gateway.wire.refusals import only, refused
from llm_gateway.wire.schema import Flag, Incoming

_OWN: Final = "tools of Anthropic's own are not offered: describe yours with a name and an input_schema"


class Tool(Incoming):
    """A tool of the caller's."""

    elsewhere = {
        "parameters": "it is input_schema",
        "function": "its members stand in the tool itself, and parameters is input_schema",
        **dict.fromkeys(
            ("max_uses", "allowed_domains", "blocked_domains", "user_location", "max_characters", "display_width_px"),
            _OWN,
        ),
    }

    name: ToolName
    description: str | None = None
    input_schema: JsonSchema
    strict: Flag | None = None
    type: Annotated[str | None, only("custom", instead=_OWN)] = None
    cache_control: Marked = None
    # It changes how a call's pieces are cut, and nothing of what they say.
    eager_input_streaming: Flag | None = None
    allowed_callers: Annotated[Any, only(["direct"], instead=SERVER_TOOLS)] = None
    defer_loading: Annotated[Any, only(False, instead=SERVER_TOOLS)] = None
    input_examples: Annotated[Any, refused("put examples into the description")] = None

    def to_domain(self) -> chat.Tool:
        return chat.Tool(
            name=self.name,
            description=self.description,
            parameters=self.input_schema,
            strict=self.strict,
            cache_control=mark_of(self.cache_control),
        )


class AutoTool(Incoming):
    """The model decides."""

    type: Literal["auto"]
    disable_parallel_tool_use: Flag = False

    @property
    def disables_parallel(self) -> bool:
        return self.disable_parallel_tool_use

    def to_domain(self) -> chat.ToolChoice:
        return "auto"


class AnyTool(Incoming):
    """Some tool is called."""

    type: Literal["any"]
    disable_parallel_tool_use: Flag = False

    @property
    def disables_parallel(self) -> bool:
        return self.disable_parallel_tool_use

    def to_domain(self) -> chat.ToolChoice:
        return "required"


class ChooseTool(Incoming):
    """This tool is called."""

    type: Literal["tool"]
    name: ToolName
    disable_parallel_tool_use: Flag = False

    @property
    def disables_parallel(self) -> bool:
        return self.disable_parallel_tool_use

    def to_domain(self) -> chat.ToolChoice:
        return chat.NamedTool(name=self.name)


class NoTool(Incoming):
    """No tool is called."""

    type: Literal["none"]

    @property
    def disables_parallel(self) -> bool:
        return False

    def to_domain(self) -> chat.ToolChoice:
        return "none"


ToolChoice = Annotated[AutoTool | AnyTool | ChooseTool | NoTool, Field(discriminator="type")]
