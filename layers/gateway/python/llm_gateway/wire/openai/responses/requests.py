"""Requests in the shape of OpenAI's Responses API, and the queries that they are."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated, Any, Final, Literal

from pydantic import AfterValidator, BeforeValidator, Field, model_validator

from llm_gateway.domain import chat
from llm_gateway.domain.queries import QueryRequest
from llm_gateway.wire.field_names import BY_MODEL, named
from llm_gateway.wire.gateway_options import (
    DEFAULT_TIMEOUT_S,
    PROMPT_PREFIX,
    GatewayOptions,
    Model,
    PromptOptions,
    choices_of,
    fault_in_prompt,
    no_options,
    prompt_of,
)
from llm_gateway.wire.openai.chat import Short
from llm_gateway.wire.openai.parameters import HANDED_ON, kinds_for, members_of_bodies, names_of
from llm_gateway.wire.openai.responses.forms import Reasoning, TextConfig
from llm_gateway.wire.openai.responses.items import FunctionCall, InputFile, Item, OutputMessage, ReasoningItem
from llm_gateway.wire.openai.responses.parameters import NAMES, RESPONSES
from llm_gateway.wire.openai.responses.tools import ToolChoice, Tools, chosen, fault_in_choice
from llm_gateway.wire.openai.responses.turns import AnyItem, fault_in, messages_of, place_of
from llm_gateway.wire.queries import MOST_FILES, Number, of_a_short_subject
from llm_gateway.wire.refusals import only
from llm_gateway.wire.schema import Flag, Incoming, PositiveInt, Slug, wrong

if TYPE_CHECKING:
    from llm_gateway.domain.prompts.choices import Choices
    from llm_gateway.wire.queries import Prompt

_MOST_ITEMS: Final = 4_000
_LEFT_OUT: Final = {name: f"it is not offered: {how}" for name, (fate, how) in RESPONSES.items() if fate == "refused"}
_LOGPROBS: Final = "message.output_text.logprobs"
_LONGEST_VERSION: Final = 9
_BY_PROMPT: Final = {r"prompt\.label": "prompt.version", r"prompt": "prompt"}
_PROMPTS_OWN: Final = "gateway.prompt says so: name the prompt once"


def _items(given: Any) -> Any:
    return [{"role": "user", "content": given}] if isinstance(given, str) else given


def _few_files(items: list[AnyItem]) -> list[AnyItem]:
    found = 0
    for item in items:
        content = None if isinstance(item, OutputMessage | ReasoningItem | FunctionCall) else _content_of(item)
        found += sum(isinstance(part, InputFile) for part in content or ())
    if found > MOST_FILES:
        raise ValueError(f"brings more than {MOST_FILES} documents")
    if fault := fault_in(items):
        raise ValueError(fault)
    return items


def _content_of(item: Any) -> list[Any] | None:
    content = item.output if item.type == "function_call_output" else item.content
    return content if isinstance(content, list) else None


def _text(given: Any) -> Any:
    """A variable of a prompt: a text, or an `input_text`."""
    if isinstance(given, dict) and given.get("type") == "input_text":
        given = given.get("text")
    if not isinstance(given, str):
        raise ValueError("must be a text: other variables go into gateway.prompt.variables")
    return given


class StreamOptions(Incoming):
    """What a stream tells besides."""

    include_obfuscation: Literal[False] | None = None


class StoredPrompt(Incoming):
    """A prompt of the gateway's, named as OpenAI's clients name a prompt; `version` is a number or a label."""

    id: Slug
    version: Slug | None = None
    variables: Annotated[dict[str, Annotated[str, BeforeValidator(_text)]], Field(max_length=100)] | None = None

    def options(self) -> PromptOptions:
        which, filled = self.version, self.variables or {}
        if which is not None and which.isdecimal() and len(which) <= _LONGEST_VERSION and int(which) > 0:
            return PromptOptions(id=self.id, version=int(which), variables=filled)
        return PromptOptions(id=self.id, label=which, variables=filled)


class ResponsesBody(Incoming):
    """A request of the Responses API, and what it says to the gateway."""

    elsewhere = {
        **_LEFT_OUT,
        "messages": "it is input",
        "response_format": "it is text.format",
        "reasoning_effort": "it is reasoning.effort",
        "verbosity": "it is text.verbosity",
        **dict.fromkeys(("max_tokens", "max_completion_tokens"), "it is max_output_tokens"),
    }
    left_out = frozenset(_LEFT_OUT)

    model: Model | None = None
    input: Annotated[
        list[Item], Field(fail_fast=True, max_length=_MOST_ITEMS), AfterValidator(_few_files), BeforeValidator(_items)
    ] = []
    gateway: GatewayOptions = Field(default_factory=no_options)
    background: Literal[False] | None = None
    include: (
        Annotated[list[Literal["reasoning.encrypted_content", "message.output_text.logprobs"]], Field(max_length=20)]
        | None
    ) = None
    instructions: str | None = None
    max_output_tokens: PositiveInt | None = None
    metadata: (
        Annotated[
            dict[Annotated[str, Field(max_length=64)], Annotated[str, Field(max_length=512)]],
            Field(max_length=16),
            AfterValidator(of_a_short_subject),
        ]
        | None
    ) = None
    parallel_tool_calls: Flag | None = None
    prompt: StoredPrompt | None = None
    prompt_cache_key: Short | None = None
    prompt_cache_options: Annotated[dict[str, Any], Field(max_length=10)] | None = None
    prompt_cache_retention: Short | None = None
    reasoning: Reasoning | None = None
    safety_identifier: Short | None = None
    service_tier: Literal["auto", "default", "flex", "scale", "priority", "fast", "ultrafast"] | None = None
    store: Literal[False] | None = None
    stream: Flag | None = None
    stream_options: StreamOptions | None = None
    temperature: Annotated[Number, Field(ge=0, le=2)] | None = None
    text: TextConfig | None = None
    tool_choice: ToolChoice | None = None
    tools: Tools | None = None
    top_logprobs: Annotated[int, Field(strict=True, ge=0, le=20)] | None = None
    top_p: Annotated[Number, Field(gt=0, le=1)] | None = None
    truncation: Annotated[
        Any, only("disabled", instead="gateway.context.history bounds what is sent of a conversation")
    ] = None
    user: Short | None = None
    # What coding agents tell of themselves, beside all that the vendor documents: it is neither kept nor handed on.
    client_metadata: Annotated[dict[str, Any], Field(max_length=64)] | None = None

    @model_validator(mode="after")
    def _is_one_wish(self) -> "ResponsesBody":
        for field, fault, is_so in self._faults():
            if is_so:
                raise wrong(field, fault)
        if fault_of_prompt := fault_in_prompt(self._model(), self._options()):
            raise fault_of_prompt
        if self._prompt() is None and not any(True for _ in messages_of(self.input)):
            raise wrong("input", "must say something: send a text, or at least one item with content")
        return self

    def _faults(self) -> list[tuple[str, str, bool]]:
        choice = fault_in_choice(self.tool_choice, self.tools or []) if self.tool_choice is not None else None
        own = self.prompt is not None and self.gateway.prompt is not None
        same = set(self.metadata or {}) & set(self.gateway.metadata)
        return [
            ("model", "is required, unless a prompt is named", self.model is None and not self._names_a_prompt()),
            ("prompt", _PROMPTS_OWN, own),
            (
                "prompt",
                "is named by model too: name it once",
                self.prompt is not None and self._model().startswith(PROMPT_PREFIX),
            ),
            ("tool_choice", choice or "", choice is not None),
            ("stream_options", "goes with stream: true", self.stream_options is not None and not self.stream),
            ("gateway.metadata", f"has what metadata has too: {', '.join(sorted(same)[:3])}", bool(same)),
            ("user", "is another than safety_identifier: send one of them", self._has_two_users()),
        ]

    def _has_two_users(self) -> bool:
        return len({self.user, self.safety_identifier} - {None}) > 1

    def _names_a_prompt(self) -> bool:
        return self.prompt is not None or (self.gateway.prompt is not None and self.gateway.prompt.id is not None)

    @property
    def streams(self) -> bool:
        return bool(self.stream)

    @property
    def form(self) -> chat.OutputFormat:
        return self.text.format.to_domain() if self.text and self.text.format else chat.OutputFormat()

    def choices(self) -> "Choices | None":
        """The prompt and the roles; None where the request names neither."""
        return choices_of(self._prompt(), self.gateway.system, self.form if self.text and self.text.format else None)

    def to_domain(self) -> QueryRequest:
        """The query; it waits as long as a stream may, whether it is one or not."""
        own, given, text = self.gateway, self._given(), self._plain_instructions()
        return QueryRequest(
            messages=(*(() if text is not None else self._instruction()), *messages_of(self.input)),
            system=text if text is not None else own.system.text if own.system else None,
            context=own.context.to_domain() if own.context else None,
            model=None if self._model().startswith(PROMPT_PREFIX) else self.model,
            provider=own.provider,
            fallback=None if own.fallback is None else tuple(own.fallback),
            parameters=self._parameters(),
            tools=tuple(tool.to_domain() for tool in self.tools or ()),
            tool_choice="auto" if self.tool_choice is None else chosen(self.tool_choice),
            parallel_tool_calls=self.parallel_tool_calls is not False,
            output=self.form,
            vendor=members_of_bodies(given),
            kinds_for=kinds_for(given),
            cache=own.cache,
            mode="stream" if self.streams else "sync",
            timeout_s=own.timeout_s or DEFAULT_TIMEOUT_S,
            metadata={**(self.metadata or {}), **own.metadata},
        )

    def called(self, field: str) -> str:
        """What a query's field is called here."""
        own = BY_MODEL if self._model().startswith(PROMPT_PREFIX) else _BY_PROMPT if self.prompt else {}
        system = {r"system(\.text)?": "instructions"} if self.gateway.system is None else {}
        return named(field, {**own, **system, **names_of(self._given(), self.metadata), **NAMES}, self._turn)

    def _turn(self, number: int, rest: str) -> str:
        """A prompt's own messages come before the items, and so may the instructions."""
        if self._prompt() is not None:
            return "input"
        before = 0 if self._plain_instructions() is not None else len(self._instruction())
        return "instructions" if number < before else place_of(self.input, number - before, rest)

    def _model(self) -> str:
        return self.model or ""

    def _options(self) -> GatewayOptions:
        """With the prompt that the request names as OpenAI's clients do."""
        return self.gateway.model_copy(update={"prompt": self.prompt.options()}) if self.prompt else self.gateway

    def _prompt(self) -> "Prompt | None":
        return prompt_of(self._model(), self._options())

    def _plain_instructions(self) -> str | None:
        """The instructions where they are the only ones; every model takes them as they are."""
        alone = self.gateway.system is None and self._prompt() is None
        return self.instructions if alone and self.instructions else None

    def _instruction(self) -> tuple[chat.Message, ...]:
        part = chat.TextPart(text=self.instructions) if self.instructions else None
        return (chat.Message(role=chat.MessageRole.SYSTEM, content=(part,)),) if part else ()

    def _parameters(self) -> chat.Parameters:
        return chat.Parameters(
            temperature=self.temperature,
            max_output_tokens=self.max_output_tokens,
            top_p=self.top_p,
            reasoning_effort=self.reasoning.effort if self.reasoning else None,
            logprobs=0 if self.top_logprobs is None and _LOGPROBS in (self.include or ()) else self.top_logprobs,
        )

    def _given(self) -> Mapping[str, Any]:
        """The parameters that are handed on, as they were sent."""
        verbosity = {"verbosity": self.text.verbosity} if self.text and self.text.verbosity else {}
        own = {name: getattr(self, name) for name in HANDED_ON if name in type(self).model_fields}
        return {**{name: value for name, value in own.items() if value is not None}, **verbosity}
