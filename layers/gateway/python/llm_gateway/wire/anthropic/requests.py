"""Requests in Anthropic's shape, and the queries that they are."""

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Final, Literal

from pydantic import AfterValidator, Field, ValidationInfo, field_validator, model_validator

from llm_gateway.domain import chat
from llm_gateway.domain.providers import ProviderKind
from llm_gateway.domain.queries import QueryRequest
from llm_gateway.wire.anthropic.blocks import MOST_BLOCKS, TextContent, parts_of
from llm_gateway.wire.anthropic.parameters import NAMES
from llm_gateway.wire.anthropic.refusals import HEADER, SERVER_TOOLS, STATELESS
from llm_gateway.wire.anthropic.tools import AnyTool, ChooseTool, Tool, ToolChoice
from llm_gateway.wire.anthropic.turns import Turn, place_of
from llm_gateway.wire.field_names import BY_MODEL, named
from llm_gateway.wire.gateway_options import (
    DEFAULT_TIMEOUT_S,
    PROMPT_PREFIX,
    GatewayOptions,
    Model,
    choices_of,
    fault_in_prompt,
    no_options,
    prompt_of,
)
from llm_gateway.wire.messages import CacheControl, JsonSchema
from llm_gateway.wire.queries import Number, Prompt
from llm_gateway.wire.refusals import refused
from llm_gateway.wire.schema import Flag, Incoming, PositiveInt, wrong

if TYPE_CHECKING:
    from llm_gateway.domain.prompts.choices import Choices

# How deep a budget of tokens lets a model think, for a candidate that is told in levels.
_DEPTHS: Final[tuple[tuple[int, chat.ReasoningEffort], ...]] = ((4_096, "low"), (16_384, "medium"))
_ANTHROPIC: Final = (ProviderKind.ANTHROPIC.value,)
_ALL_THOUGHTS: Final = {"type": "clear_thinking_20251015", "keep": "all"}
# OpenAI takes no longer one.
_LONGEST_USER: Final = 64


class RequestMetadata(Incoming):
    """Who asks, as the caller calls them."""

    user_id: Annotated[str, Field(max_length=512)] | None = None


class AdaptiveThinking(Incoming):
    """The model thinks as long as it sees fit."""

    type: Literal["adaptive"]
    display: Literal["summarized", "omitted"] | None = None


class EnabledThinking(Incoming):
    """The model thinks with so many tokens at most."""

    type: Literal["enabled"]
    budget_tokens: Annotated[int, Field(strict=True, ge=1024, le=10_000_000)]
    display: Literal["summarized", "omitted"] | None = None


class NoThinking(Incoming):
    """The model answers at once."""

    type: Literal["disabled"]


class ThinkingBetweenTools(Incoming):
    """The model thinks between its calls of tools alone."""

    type: Literal["between_tools"]


Thinking = Annotated[
    AdaptiveThinking | EnabledThinking | NoThinking | ThinkingBetweenTools, Field(discriminator="type")
]


class JsonFormat(Incoming):
    """The answer is JSON that the schema validates."""

    elsewhere = {"json_schema": "its schema is format.schema"}

    type: Literal["json_schema"]
    json_schema: Annotated[JsonSchema, Field(alias="schema")]


class OutputConfig(Incoming):
    """How long the model is to think, and the form of its answer."""

    effort: Literal["low", "medium", "high", "xhigh", "max"] | None = None
    format: JsonFormat | None = None


def _each_once(tools: list[Tool]) -> list[Tool]:
    seen = set[str]()
    for tool in tools:
        if tool.name in seen:
            raise ValueError(f"two tools are called {tool.name!r}: each needs a name of its own")
        seen.add(tool.name)
    return tools


def _keeps_all(management: Any) -> Any:
    """Refuses every wish but that all thoughts be kept."""
    edits = (
        management.get("edits", []) if isinstance(management, dict) and management.keys() <= {"edits"} else [management]
    )
    if management is not None and (not isinstance(edits, list) or any(edit != _ALL_THOUGHTS for edit in edits)):
        raise ValueError("is not taken here, but to keep all thoughts: the messages are sent as they are")
    return management


class CountBody(Incoming):
    """What a request's tokens come from."""

    elsewhere: ClassVar[Mapping[str, str]] = {
        **dict.fromkeys(("mcp_servers", "container", "betas"), SERVER_TOOLS),
        "thread": "the gateway keeps no state at a provider: send all messages, as the SDK's tool runner does with thread=False",
        "output_format": "it is output_config.format",
        "max_output_tokens": "it is max_tokens",
        "stop": "it is stop_sequences",
        "user": "it is metadata.user_id",
        **dict.fromkeys(
            ("provider", "fallback", "cache", "prompt", "context", "timeout_s"), "it is a member of gateway"
        ),
    }

    left_out = frozenset(("mcp_servers", "container", "betas", "thread"))

    model: Model
    messages: Annotated[list[Turn], Field(fail_fast=True, max_length=MOST_BLOCKS * 2)] = Field(default_factory=list)
    system: TextContent | None = None
    tools: Annotated[list[Tool], Field(fail_fast=True, max_length=128), AfterValidator(_each_once)] | None = None
    tool_choice: ToolChoice | None = None
    thinking: Thinking | None = None
    output_config: OutputConfig | None = None
    cache_control: CacheControl | None = None
    speed: Literal["standard", "fast"] | None = None
    user_profile_id: Annotated[Any, refused(HEADER)] = None
    workspace_id: Annotated[Any, refused(HEADER)] = None
    # Of an API that is not out of beta: coding agents ask for what is so anyway.
    context_management: Annotated[Any, AfterValidator(_keeps_all)] = None
    gateway: GatewayOptions = Field(default_factory=no_options)

    @field_validator("tool_choice")
    @classmethod
    def _names_a_tool(cls, choice: ToolChoice | None, info: ValidationInfo) -> ToolChoice | None:
        if not isinstance(choice, AnyTool | ChooseTool) or "tools" not in info.data:
            return choice
        tools: list[Tool] = info.data["tools"] or []
        if not tools:
            raise ValueError("asks for a tool to be called: send tools too")
        if isinstance(choice, ChooseTool) and choice.name not in {tool.name for tool in tools}:
            raise ValueError(f"names {choice.name!r}, which is none of tools")
        return choice

    @model_validator(mode="after")
    def _says_something(self) -> "CountBody":
        if fault := fault_in_prompt(self.model, self.gateway):
            raise fault
        if self.prompt() is None and not any(True for turn in self.messages for _ in turn.messages()):
            raise wrong("messages", "must say something: send at least one message with content")
        return self

    @property
    def streams(self) -> bool:
        return False

    def prompt(self) -> Prompt | None:
        return prompt_of(self.model, self.gateway)

    def choices(self) -> "Choices | None":
        """The prompt and the roles; None where the request names neither."""
        output = self._output() if self.output_config and self.output_config.format else None
        return choices_of(self.prompt(), self.gateway.system, output)

    def to_domain(self) -> QueryRequest:
        own, text = self.gateway, self._plain_system()
        said = (message for turn in self.messages for message in turn.messages())
        return QueryRequest(
            messages=(*(() if text is not None else self._system_messages()), *said),
            system=text if text is not None else own.system.text if own.system else None,
            context=own.context.to_domain() if own.context else None,
            model=None if self.model.startswith(PROMPT_PREFIX) else self.model,
            provider=own.provider,
            fallback=None if own.fallback is None else tuple(own.fallback),
            parameters=self._parameters(),
            tools=tuple(tool.to_domain() for tool in self.tools or ()),
            tool_choice=self.tool_choice.to_domain() if self.tool_choice else "auto",
            parallel_tool_calls=not (self.tool_choice and self.tool_choice.disables_parallel),
            output=self._output(),
            vendor=self._vendor(),
            kinds_for=dict.fromkeys(self._anthropics(), _ANTHROPIC),
            cache=own.cache,
            mode="stream" if self.streams else "sync",
            timeout_s=own.timeout_s or DEFAULT_TIMEOUT_S,
            metadata=own.metadata,
        )

    def called(self, field: str) -> str:
        """What a query's field is called here."""
        own = BY_MODEL if self.model.startswith(PROMPT_PREFIX) else {}
        system = {r"system(\.text)?": "system"} if self.gateway.system is None else {}
        return named(field, {**own, **system, **NAMES}, self._turn)

    def _turn(self, number: int, rest: str) -> str:
        """A prompt's own messages come before the turns, and so may the system prompt."""
        if self.prompt() is not None:
            return "messages"
        before = 0 if self._plain_system() is not None else len(self._system_messages())
        return "system" if number < before else place_of(self.messages, number - before, rest)

    def _plain_system(self) -> str | None:
        """The system prompt where it is the only one, and has no marks; every model takes that as it is."""
        alone = self.gateway.system is None and self.prompt() is None
        return self.system if alone and isinstance(self.system, str) and self.system else None

    def _system_messages(self) -> tuple[chat.Message, ...]:
        parts = parts_of(self.system or "")
        return (chat.Message(role=chat.MessageRole.SYSTEM, content=parts),) if parts else ()

    def _output(self) -> chat.OutputFormat:
        wanted = self.output_config.format if self.output_config else None
        return chat.OutputFormat(type="json_schema", schema=wanted.json_schema) if wanted else chat.OutputFormat()

    def _parameters(self) -> chat.Parameters:
        return chat.Parameters(reasoning_effort=self._effort())

    def _effort(self) -> chat.ReasoningEffort | None:
        """How long a candidate is to think that is told in the gateway's levels; an effort that is named counts most."""
        named = self.output_config.effort if self.output_config else None
        match self.thinking:
            case NoThinking():
                return named or "none"
            case EnabledThinking(budget_tokens=budget):
                return named or next((effort for most, effort in _DEPTHS if budget < most), "high")
            case AdaptiveThinking() | ThinkingBetweenTools():
                return named or "high"
        return named

    def _anthropics(self) -> Iterator[str]:
        """The parameters that nobody else has and that change what is answered, or where."""
        if self.speed == "fast":
            yield "speed"

    def _vendor(self) -> dict[str, dict[str, Any]]:
        """What a candidate of Anthropic's is sent as it came."""
        own = {
            "cache_control": self.cache_control.model_dump(exclude_unset=True) if self.cache_control else None,
            "speed": self.speed,
        }
        anthropic: dict[str, Any] = {name: value for name, value in own.items() if value is not None}
        if self._effort() is not None:
            # As it was written; where nothing was, the model is left to its own way.
            anthropic["thinking"] = self.thinking.model_dump(exclude_none=True) if self.thinking else None
        return {"anthropic": anthropic} if anthropic else {}


class MessagesBody(CountBody):
    """A question in Anthropic's shape."""

    max_tokens: PositiveInt
    stream: Flag | None = None
    temperature: Annotated[Number, Field(ge=0, le=1)] | None = None
    top_p: Annotated[Number, Field(gt=0, le=1)] | None = None
    top_k: Annotated[int, Field(strict=True, ge=0, le=2**53 - 1)] | None = None
    stop_sequences: (
        Annotated[list[Annotated[str, Field(min_length=1, max_length=1000)]], Field(fail_fast=True, max_length=64)]
        | None
    ) = None
    metadata: RequestMetadata | None = None
    service_tier: Literal["auto", "standard_only"] | None = None
    inference_geo: Annotated[str, Field(max_length=100)] | None = None
    container: Annotated[Any, refused(SERVER_TOOLS)] = None
    diagnostics: Annotated[Any, refused(STATELESS)] = None

    @property
    def streams(self) -> bool:
        return bool(self.stream)

    def _parameters(self) -> chat.Parameters:
        return chat.Parameters(
            temperature=self.temperature,
            max_output_tokens=self.max_tokens,
            top_p=self.top_p,
            stop=tuple(self.stop_sequences or ()),
            reasoning_effort=self._effort(),
        )

    def _anthropics(self) -> Iterator[str]:
        yield from super()._anthropics()
        yield from (name for name in ("top_k", "inference_geo") if getattr(self, name) is not None)

    def _vendor(self) -> dict[str, dict[str, Any]]:
        vendor = super()._vendor()
        user = self.metadata.user_id if self.metadata else None
        own = {
            "top_k": self.top_k,
            "service_tier": self.service_tier,
            "inference_geo": self.inference_geo,
            "metadata": {"user_id": user} if user else None,
        }
        if given := {name: value for name, value in own.items() if value is not None}:
            vendor["anthropic"] = vendor.get("anthropic", {}) | given
        if user and len(user) <= _LONGEST_USER:
            vendor["openai"] = {"safety_identifier": user}
        return vendor
