"""Chat Completions: what OpenAI's clients send."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated, Any, Final, Literal

from pydantic import BeforeValidator, Field, model_validator

from llm_gateway.domain import chat
from llm_gateway.wire.field_names import BY_MODEL, named
from llm_gateway.wire.gateway_options import (
    DEFAULT_TIMEOUT_S,
    PROMPT_PREFIX,
    GatewayOptions,
    Model,
    fault_in_prompt,
    prompt_of,
)
from llm_gateway.wire.messages import JsonSchema, OutputFormat, ToolChoice
from llm_gateway.wire.openai.parameters import CHAT, HANDED_ON, NAMES, kinds_for, members_of_bodies, names_of
from llm_gateway.wire.openai.turns import Turns
from llm_gateway.wire.queries import Metadata, Number, Parameters, StreamBody, Tools, fault_in_choice
from llm_gateway.wire.schema import Flag, Incoming, PositiveInt, wrong

if TYPE_CHECKING:
    from llm_gateway.domain.prompts.choices import Choices
    from llm_gateway.domain.queries import QueryRequest

_LEFT_OUT: Final = {name: f"it is not offered: {how}" for name, (fate, how) in CHAT.items() if fate == "refused"}
Penalty = Annotated[Number, Field(ge=-2, le=2)]
Short = Annotated[str, Field(min_length=1, max_length=512)]


def _listed(text: Any) -> Any:
    return [text] if isinstance(text, str) else text


Stop = Annotated[str, Field(min_length=1)]


class StreamOptions(Incoming):
    """What a stream tells besides."""

    include_usage: Flag | None = None
    include_obfuscation: Literal[False] | None = None


class SchemaFormat(Incoming):
    """The schema that an answer must have; `description` is told to the model with it."""

    name: Annotated[str, Field(pattern=r"^[a-zA-Z0-9_-]{1,64}$")]
    description: str | None = None
    json_schema: Annotated[JsonSchema, Field(alias="schema")] = {}
    strict: Flag | None = None

    def to_schema(self) -> dict[str, Any]:
        told = {"description": self.description} if self.description else {}
        return {**told, **self.json_schema}


class TextFormat(Incoming):
    """Any text."""

    type: Literal["text"]

    def to_format(self) -> OutputFormat:
        return OutputFormat()


class JsonFormat(Incoming):
    """Any JSON."""

    elsewhere = {"schema": "a schema goes with type json_schema, as json_schema.schema"}

    type: Literal["json_object"]

    def to_format(self) -> OutputFormat:
        return OutputFormat(type="json")


class JsonSchemaFormat(Incoming):
    """JSON that a schema validates."""

    elsewhere = {name: f"it is json_schema.{name}" for name in ("name", "description", "schema", "strict")}

    type: Literal["json_schema"]
    json_schema: SchemaFormat

    def to_format(self) -> OutputFormat:
        return OutputFormat.model_construct(type="json_schema", json_schema=self.json_schema.to_schema())


class ChatCompletionBody(Incoming):
    """A request of the Chat Completions API, and what it says to the gateway."""

    elsewhere = _LEFT_OUT
    left_out = frozenset(_LEFT_OUT)

    model: Model
    messages: Turns
    gateway: GatewayOptions | None = None
    frequency_penalty: Penalty | None = None
    logit_bias: Annotated[dict[str, Annotated[Number, Field(ge=-100, le=100)]], Field(max_length=1024)] | None = None
    logprobs: Flag | None = None
    max_completion_tokens: PositiveInt | None = None
    max_tokens: PositiveInt | None = None
    metadata: Metadata | None = None
    modalities: Annotated[list[Literal["text"]], Field(max_length=1)] | None = None
    n: Literal[1] | None = None
    parallel_tool_calls: Flag | None = None
    prediction: Annotated[dict[str, Any], Field(max_length=10)] | None = None
    presence_penalty: Penalty | None = None
    prompt_cache_key: Short | None = None
    prompt_cache_options: Annotated[dict[str, Any], Field(max_length=10)] | None = None
    prompt_cache_retention: Short | None = None
    reasoning_effort: chat.ReasoningEffort | None = None
    response_format: Annotated[TextFormat | JsonFormat | JsonSchemaFormat, Field(discriminator="type")] | None = None
    safety_identifier: Short | None = None
    seed: Annotated[int, Field(strict=True, ge=-(2**63), lt=2**63)] | None = None
    service_tier: Literal["auto", "default", "flex", "scale", "priority", "fast"] | None = None
    stop: Annotated[list[Stop], Field(max_length=4), BeforeValidator(_listed)] | None = None
    store: Literal[False] | None = None
    stream: Flag | None = None
    stream_options: StreamOptions | None = None
    temperature: Annotated[Number, Field(ge=0, le=2)] | None = None
    tool_choice: ToolChoice | None = None
    tools: Tools | None = None
    top_logprobs: Annotated[int, Field(strict=True, ge=0, le=20)] | None = None
    top_p: Annotated[Number, Field(gt=0, le=1)] | None = None
    user: Short | None = None
    verbosity: Literal["low", "medium", "high"] | None = None

    @model_validator(mode="after")
    def _is_one_wish(self) -> "ChatCompletionBody":
        for field, fault in self._faults():
            raise wrong(field, fault)
        fault_of_prompt = fault_in_prompt(self.model, self.gateway)
        if fault_of_prompt is not None:
            raise fault_of_prompt
        return self

    def _faults(self) -> list[tuple[str, str]]:
        choice = fault_in_choice(self.tool_choice, self.tools or []) if self.tool_choice is not None else None
        both = {self.max_tokens, self.max_completion_tokens} - {None}
        same = set(self.metadata or {}) & set(self.gateway.metadata if self.gateway else {})
        found = [
            ("messages", "is required, unless a prompt is named", not self.messages and self._prompt() is None),
            ("tool_choice", choice or "", choice is not None),
            ("max_tokens", "is another than max_completion_tokens: send one of them", len(both) > 1),
            ("top_logprobs", "goes with logprobs: true", self.top_logprobs is not None and not self.logprobs),
            ("stream_options", "goes with stream: true", self.stream_options is not None and not self.stream),
            ("gateway.metadata", f"has what metadata has too: {', '.join(sorted(same)[:3])}", bool(same)),
            ("user", "is another than safety_identifier: send one of them", self._has_two_users()),
        ]
        return [(field, fault) for field, fault, is_so in found if is_so]

    def _has_two_users(self) -> bool:
        return len({self.user, self.safety_identifier} - {None}) > 1

    @property
    def streams(self) -> bool:
        return bool(self.stream)

    @property
    def tells_usage(self) -> bool:
        """Whether a stream ends with a chunk of the usage."""
        return bool(self.stream_options and self.stream_options.include_usage)

    def to_domain(self) -> "QueryRequest":
        """The query; it waits as long as a stream may, whether it is one or not."""
        from dataclasses import replace

        given = self._given()
        asked = self._body().to_domain()
        return replace(
            asked,
            mode="stream" if self.streams else "sync",
            parallel_tool_calls=self.parallel_tool_calls is not False,
            vendor=members_of_bodies(given),
            kinds_for=kinds_for(given),
        )

    def choices(self) -> "Choices | None":
        """The prompt and the roles that the query is made from."""
        return self._body().choices()

    def called(self, field: str) -> str:
        """What a query's field is called here."""
        own = BY_MODEL if self.model.startswith(PROMPT_PREFIX) else {}
        return named(field, {**own, **names_of(self._given(), self.metadata), **NAMES}, self._turn)

    def _turn(self, number: int, rest: str) -> str:
        """A prompt's own messages come before those that were sent."""
        return "messages" if self._prompt() is not None else f"messages[{number}]{rest}"

    def _given(self) -> Mapping[str, Any]:
        return {name: value for name in HANDED_ON if (value := getattr(self, name)) is not None}

    def _prompt(self) -> Any:
        return prompt_of(self.model, self.gateway)

    def _body(self) -> StreamBody:
        """The same as the gateway's own body has it. All of it is validated."""
        options = self.gateway or GatewayOptions()
        form: dict[str, Any] = {"output": self.response_format.to_format()} if self.response_format else {}
        return StreamBody.model_construct(
            prompt=self._prompt(),
            messages=[*self.messages],
            system=options.system,
            context=options.context,
            model=None if self.model.startswith(PROMPT_PREFIX) else self.model,
            provider=options.provider,
            fallback=options.fallback,
            parameters=self._parameters(),
            tools=self.tools or [],
            tool_choice="auto" if self.tool_choice is None else self.tool_choice,
            cache=options.cache,
            metadata={**(self.metadata or {}), **options.metadata},
            timeout_s=options.timeout_s or DEFAULT_TIMEOUT_S,
            **form,
        )

    def _parameters(self) -> Parameters:
        return Parameters.model_construct(
            temperature=self.temperature,
            max_output_tokens=self.max_completion_tokens or self.max_tokens,
            top_p=self.top_p,
            stop=self.stop or [],
            seed=self.seed,
            reasoning_effort=self.reasoning_effort,
            logprobs=(self.top_logprobs or 0) if self.logprobs else None,
        )
