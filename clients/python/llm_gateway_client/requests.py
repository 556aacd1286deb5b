"""What is sent to a gateway.

Written by `make openapi` from the gateway's own description of its API; do not edit.
"""

from __future__ import annotations

from typing import Any, Literal, NotRequired, TypedDict

Api = Literal["auto", "responses", "chat_completions"]


class AssistantMessage(TypedDict):
    """What the model said: text, tool calls or both."""

    annotations: NotRequired[list[Any] | None]
    """Accepted where it is empty, as OpenAI's SDK sends it."""
    audio: NotRequired[None]
    """Accepted where it is empty, as OpenAI's SDK sends it."""
    content: NotRequired[str | list[TextPart] | None]
    """What the model said; null where it only called tools."""
    function_call: NotRequired[None]
    """Accepted where it is empty, as OpenAI's SDK sends it."""
    name: NotRequired[str | None]
    """Who it is among several of one role; at most 256 characters."""
    parsed: NotRequired[Any]
    """Accepted as OpenAI's SDK sends it, and not sent on: `content` says the same."""
    reasoning: NotRequired[ReasoningInput | None]
    """What it thought before, `output.reasoning` of that answer as it came, so that it goes on from there."""
    refusal: NotRequired[Literal[""] | None]
    """Accepted where it is empty, as OpenAI's SDK sends it."""
    role: Literal["assistant"]
    """Who says it."""
    tool_calls: NotRequired[list[ToolCall] | None]
    """The calls it asked for; at most 128."""


class AudioPart(TypedDict):
    """A recording."""

    cache_control: NotRequired[CacheControl | None]
    """Asks a provider that caches on request to cache everything up to here."""
    input_audio: InputAudio
    """The recording."""
    type: Literal["input_audio"]
    """Always `input_audio`."""


class CacheControl(TypedDict):
    """Asks a provider that caches prompts on request to cache everything up to this part."""

    ttl: NotRequired[Literal["5m", "1h"]]
    """How long the provider keeps it. Default: "5m"."""
    type: Literal["ephemeral"]
    """Always `ephemeral`."""


class CalledFunction(TypedDict):
    """Which function, and with what arguments (a JSON text)."""

    arguments: str
    """Its arguments, a JSON text."""
    name: str
    """The function's name."""
    parsed_arguments: NotRequired[Any]
    """Accepted as OpenAI's SDK sends it, and not sent on: `arguments` says the same."""


Capability = Literal[
    "images",
    "tools",
    "json",
    "json_schema",
    "streaming",
    "temperature",
    "top_p",
    "stop",
    "seed",
    "files",
    "audio",
    "reasoning",
    "logprobs",
]


class ChosenFunction(TypedDict):
    """The name of the tool that must be called."""

    name: str
    """Its name, which must be one of `tools`."""


class ChosenTool(TypedDict):
    """The choice of exactly one tool."""

    function: ChosenFunction
    """The tool that must be called."""
    type: NotRequired[Literal["function"]]
    """Always `function`. Default: "function"."""


class CircuitPolicy(TypedDict):
    """After so many failures in a row the provider is left alone for the cooldown."""

    cooldown_s: NotRequired[float]
    """Seconds until one call may try again. Default: 30."""
    failure_threshold: NotRequired[int]
    """After so many failures in a row nobody asks it. Default: 5."""


ContainsAssertion = TypedDict(
    "ContainsAssertion",
    {
        "not": "NotRequired[bool]",
        "type": "Literal['contains']",
        "value": "str",
    },
)
"""The answer contains this text."""


class ContextInput(TypedDict):
    """Texts for the model to read, and how to choose from them where not all fit."""

    cache: NotRequired[bool]
    """Whether to ask Anthropic to keep what comes before the items that are not pinned: writing it costs more, reading
    it again less. By default nothing is asked. Default: false.
    """
    embedding_model: NotRequired[str | None]
    """Who embeds, as `provider/model`, where `ranking` is `embeddings`. Null otherwise."""
    exact: NotRequired[bool]
    """Whether to have the provider count tokens before it is asked, where it can (Anthropic, llama.cpp): up to four
    small calls more, and more fits. By default the gateway counts, or estimates with a margin. Default: false.
    """
    history: NotRequired[HistoryInput | None]
    """How much of the conversation before the last user message is sent. Null: all of it."""
    items: NotRequired[list[ContextItemInput]]
    """The texts, at most 5,000, in the order in which they are to be read. Empty by default."""
    max_tokens: NotRequired[int | None]
    """How many tokens the items may take, marks included. Null: as many as the model's window leaves."""
    ranking: NotRequired[Literal["bm25", "embeddings"]]
    """How `relevance` is told: `bm25` (the default), by words, or by `embeddings` of `embedding_model`. Default:
    "bm25".
    """
    strategy: NotRequired[Literal["relevance", "recent", "head", "tail", "middle_out"]]
    """What is sent where not all fits: `relevance` (the default), what matches the last user message; `recent`, whole
    items from the end; `head` or `tail`, the beginning or the end of the text; `middle_out`, both ends. Default:
    "relevance".
    """


class ContextItemInput(TypedDict):
    """A text for the model to read."""

    id: str
    """What the answer calls it; no two items have the same."""
    pinned: NotRequired[bool]
    """Whether it must be sent whole; then it comes before those that are not. Not by default. Default: false."""
    source: NotRequired[str | None]
    """Where it is from, for the model to name. Null: nothing is said of that."""
    text: str
    """What is to be read."""


class CredentialsInput(TypedDict):
    """The vendor's API key, never shown again. The form in which answers show credentials keeps the stored ones."""

    api_key: NotRequired[str | None]
    """The vendor's API key."""
    configured: NotRequired[bool | None]
    """Part of the form in which answers show credentials: sent back, it keeps the stored key."""
    hint: NotRequired[str | None]
    """Part of that form, and ignored; at most 100 characters."""
    updated_at: NotRequired[str | None]
    """Part of that form, and ignored; at most 100 characters."""


EqualsAssertion = TypedDict(
    "EqualsAssertion",
    {
        "not": "NotRequired[bool]",
        "type": "Literal['equals']",
        "value": "Any",
    },
)
"""The answer is this text, white space around it left out, or this JSON value."""


class ErasureCreate(TypedDict):
    """Whose queries to erase: all of one key, or all whose `metadata.subject` is this text."""

    key_id: NotRequired[str | None]
    """The key whose queries are all erased. What was sealed for it before is unreadable once that is done."""
    subject: NotRequired[str | None]
    """Erases the queries that were sent with this text as `metadata.subject`."""


class Feedback(TypedDict):
    """What somebody thinks of an answer. `name` tells several opinions of one answer apart; the last one under a name
    counts.
    """

    comment: NotRequired[str | None]
    """In words. It is kept with the query, and erased with it."""
    name: NotRequired[str]
    """What the score is about, where one answer gets several. The last score under a name counts; ten names at most.
    Default: "default".
    """
    score: float
    """From 0 (of no use) to 1 (just right)."""


class File(TypedDict):
    """A document's name, and its bytes as a data URL."""

    file_data: str
    """The bytes as data:application/pdf;base64,…; a query has at most 50 documents and recordings."""
    filename: NotRequired[str | None]
    """Its name, for the model; at most 255 characters."""


class FilePart(TypedDict):
    """A document, which is a PDF."""

    cache_control: NotRequired[CacheControl | None]
    """Asks a provider that caches on request to cache everything up to here."""
    file: File
    """The document."""
    type: Literal["file"]
    """Always `file`."""


class FunctionTool(TypedDict):
    """A function that the model may call; `parameters` is a JSON schema."""

    description: NotRequired[str | None]
    """What it does, for the model. Null: nothing is said of it."""
    name: str
    """Its name, of letters, digits, '_' and '-'; no two tools have the same."""
    parameters: NotRequired[dict[str, Any]]
    """A JSON schema of its arguments; at most 1,000 members at its first level. Empty by default."""
    strict: NotRequired[bool | None]
    """Whether the arguments must follow the schema exactly. Null: the provider's own default."""


class HistoryInput(TypedDict):
    """How much of the conversation before the question is sent."""

    keep: NotRequired[Literal["recent"]]
    """Which are kept: always the most `recent`. A tool's result is never kept without its call. Default: "recent"."""
    max_tokens: NotRequired[int | None]
    """How many tokens the earlier turns may take. Null: as many as there are."""


class ImagePart(TypedDict):
    """An image."""

    cache_control: NotRequired[CacheControl | None]
    """Asks a provider that caches on request to cache everything up to here."""
    image_url: ImageUrl
    """Where the image is."""
    type: Literal["image_url"]
    """Always `image_url`."""


class ImageUrl(TypedDict):
    """Where the image is: an https address, or its bytes as a data URL."""

    detail: NotRequired[Literal["auto", "low", "high"] | None]
    """How closely the model looks. Null: the provider's own default."""
    url: str
    """An https address, or the bytes as data:image/…;base64,…"""


class InputAudio(TypedDict):
    """A recording: its bytes in base64."""

    data: str
    """Its bytes in base64."""
    format: Literal["wav", "mp3"]
    """What they are."""


JsonPathAssertion = TypedDict(
    "JsonPathAssertion",
    {
        "not": "NotRequired[bool]",
        "path": "str",
        "type": "Literal['json_path']",
        "value": "NotRequired[Any]",
    },
)
"""The answer is JSON that has something at this path: this value, where one is given."""


JsonSchemaAssertion = TypedDict(
    "JsonSchemaAssertion",
    {
        "not": "NotRequired[bool]",
        "type": "Literal['json_schema']",
        "value": "dict[str, Any]",
    },
)
"""The answer is JSON that this schema validates."""


JudgeAssertion = TypedDict(
    "JudgeAssertion",
    {
        "not": "NotRequired[bool]",
        "provider": "str",
        "rubric": "str",
        "threshold": "NotRequired[float]",
        "type": "Literal['judge']",
    },
)
"""A model of `provider` (an id, or `id/model`) scores the answer by `rubric` with `threshold` (0.7) at least, of 0 to
1.
"""


class KeyAllowed(TypedDict):
    """What the key may ask for; null is everything, an empty list nothing. A model may end in `*`."""

    models: NotRequired[list[str] | None]
    """The models' names, of which the last character may be `*` for any ending; at most 200. Null: every model; empty:
    none.
    """
    providers: NotRequired[list[str] | None]
    """The providers' ids; at most 200. Null: every provider; empty: none."""


class KeyBudgetInput(TypedDict):
    """US dollars that may be spent in each day or month, in UTC. Models without a known price are refused unless
    `allow_unpriced` (false where it is absent).
    """

    allow_unpriced: NotRequired[bool | None]
    """Whether models without a known price may be asked. Null: false."""
    amount: float | str
    """US dollars, a decimal text such as `25.00`."""
    period: Period
    """How long it is for, in UTC: each day from midnight, or each month from its first day."""


class KeyBudgetUpdate(TypedDict):
    """What changes of a budget; a key without one needs `amount` and `period`."""

    allow_unpriced: NotRequired[bool | None]
    """Whether models without a known price may be asked. Null: false. Left out: as it is."""
    amount: NotRequired[float | str | None]
    """US dollars, a decimal text such as `25.00`. Left out: as it is."""
    period: NotRequired[Period | None]
    """How long it is for, in UTC: each day from midnight, or each month from its first day. Left out: as it is."""


class KeyCreate(TypedDict):
    """A key as an administrator describes it."""

    allow: NotRequired[KeyAllowed | None]
    """What it may ask for. Null: everything."""
    budget_usd: NotRequired[KeyBudgetInput | None]
    """What all its queries together may cost. Null: no budget."""
    expires_at: NotRequired[str | None]
    """When it ends: RFC 3339, in the future. Null: never."""
    limits: NotRequired[KeyLimits | None]
    """What all its queries together may take. Null: no limit."""
    log_bodies: NotRequired[float | None]
    """The share of its queries, 0 to 1, whose words go to the log, redacted. Null: none."""
    name: str
    """The name for people; two keys may have the same."""
    pii: NotRequired[list[PiiRule] | None]
    """What is done where personal data is found, each once. Null or empty: nothing."""
    require_signature: NotRequired[bool | None]
    """Whether its requests must be signed, so that its bare secret opens nothing. Null: false."""
    retention_days: NotRequired[int | None]
    """For how many days its queries are kept. Null: as long as the deployment keeps any."""
    role: Role
    """What it may do. A `caller` asks queries, and manages nothing."""
    tags: NotRequired[list[str] | None]
    """Usage is summed up for each of them; at most 10, of at most 64 characters. Null or empty: none."""


class KeyLimits(TypedDict):
    """Never more than so many in any 60 seconds, at most `burst` requests at once (a fifth of them where it is null).
    Null is no limit.
    """

    burst: NotRequired[int | None]
    """How many queries may come at once. Null: a fifth of `requests_per_minute`, at least 1."""
    requests_per_minute: NotRequired[int | None]
    """How many queries in any 60 seconds at most. Null: no limit."""
    tokens_per_minute: NotRequired[int | None]
    """How many tokens in any 60 seconds at most, questions and answers together. Null: no limit."""


class KeyRotation(TypedDict):
    """How long the secrets of now stay valid beside the new ones: a day at most, 0 where it is absent."""

    overlap_s: NotRequired[int]
    """For how many seconds the secrets of now stay valid beside the new ones; a day at most. Default: 0."""


class KeyUpdate(TypedDict):
    """What changes of a key: what is absent stays, null clears, and the members of an object are merged one by one."""

    allow: NotRequired[KeyAllowed | None]
    """What it may ask for. Null: everything. Left out: as it is."""
    budget_usd: NotRequired[KeyBudgetUpdate | None]
    """What all its queries together may cost. Null: no budget. Left out: as it is."""
    expires_at: NotRequired[str | None]
    """When it ends: RFC 3339, in the future. Null: never. Left out: as it is."""
    limits: NotRequired[KeyLimits | None]
    """What all its queries together may take. Null: no limit. Left out: as it is."""
    log_bodies: NotRequired[float | None]
    """The share of its queries, 0 to 1, whose words go to the log, redacted. Null: none. Left out: as it is."""
    name: NotRequired[str | None]
    """The name for people. Left out: as it is."""
    pii: NotRequired[list[PiiRule] | None]
    """What is done where personal data is found, each once. Null or empty: nothing. Left out: as it is."""
    require_signature: NotRequired[bool | None]
    """Whether its requests must be signed, so that its bare secret opens nothing. Null: false. Left out: as it is."""
    retention_days: NotRequired[int | None]
    """For how many days its queries are kept. Null: as long as the deployment keeps any. Left out: as it is."""
    role: NotRequired[Role | None]
    """What it may do. The last admin key keeps its role. Left out: as it is."""
    tags: NotRequired[list[str] | None]
    """Usage is summed up for each of them; at most 10, of at most 64 characters. Null or empty: none. Left out: as it
    is.
    """


class LabelGate(TypedDict):
    """What the label asks of versions: `tests` of those that it is moved to, the rest of the lighter ones under
    weights.
    """

    max_cost_ratio: NotRequired[float | None]
    """The cost of a query, by that of the heaviest version's, above which it does. Null: no bound."""
    max_error_rate: NotRequired[float | None]
    """The share of failed queries, 0 to 1, above which a lighter version loses its weight. Null: no bound."""
    max_p95_ms: NotRequired[int | None]
    """The 95th percentile of latency, in milliseconds, above which it does. Null: no bound."""
    max_validation_failure_rate: NotRequired[float | None]
    """The share of answers, 0 to 1, without the asked form, above which it does. Null: no bound."""
    min_feedback: NotRequired[float | None]
    """The mean feedback, 0 to 1, below which it does. Null: no bound."""
    min_requests: NotRequired[int | None]
    """How many queries a version has to have had before it is judged. Null: 50."""
    tests: NotRequired[bool | None]
    """Whether versions that the label is moved to need a passed newest run of the suite, made since neither changed.
    Null: false.
    """


class LabelUpdate(TypedDict):
    """Where the label is to lead: one `version`, or several `versions` by their weights; or with `rollback` where it
    led before.  What a prompt's answer shows of a label is accepted; `revision` must match if present.
    """

    gate: NotRequired[LabelGate | None]
    """What the label asks of versions, this move among them. Left out: as it is; null: nothing."""
    history: NotRequired[Any]
    """Accepted and ignored, so that what was read can be sent back."""
    reason: NotRequired[str | None]
    """What the move is for, to be read in the history; at most 150 characters. Null: nothing is said."""
    revision: NotRequired[int | None]
    """The label's revision that was read: if it has moved since, nothing is written (412)."""
    rollback: NotRequired[bool | None]
    """Whether it is to go back to where it led before, past what was taken back; it asks no gate. Null: false."""
    rolled_back: NotRequired[Any]
    """Accepted and ignored, so that what was read can be sent back."""
    version: NotRequired[int | None]
    """The version that the label is to lead to."""
    versions: NotRequired[dict[str, int] | None]
    """The versions that it is to lead to, by number, each with its weight; at most 8."""


Location = Literal["account", "vendor"]


MaxCostAssertion = TypedDict(
    "MaxCostAssertion",
    {
        "not": "NotRequired[bool]",
        "type": "Literal['max_cost_usd']",
        "value": "float | str",
    },
)
"""The answer costs so many US dollars at most."""


MaxLatencyAssertion = TypedDict(
    "MaxLatencyAssertion",
    {
        "not": "NotRequired[bool]",
        "type": "Literal['max_latency_ms']",
        "value": "int",
    },
)
"""The answer takes so many milliseconds at most."""


MaxTokensAssertion = TypedDict(
    "MaxTokensAssertion",
    {
        "not": "NotRequired[bool]",
        "type": "Literal['max_tokens']",
        "value": "int",
    },
)
"""The answer has so many output tokens at most."""


class ModelInput(TypedDict):
    """A model that the provider offers; null takes the figure from the gateway's own tables."""

    aliases: NotRequired[list[str]]
    """Other names that a query may ask for it by; at most 20. Empty by default."""
    cache_write_usd_per_mtok: NotRequired[float | str | None]
    """US dollars for a million tokens put into the vendor's cache. Null: as the price table says."""
    cached_input_usd_per_mtok: NotRequired[float | str | None]
    """US dollars for a million tokens from the vendor's cache. Null: as the price table says."""
    capabilities: NotRequired[list[Capability] | None]
    """What the model can take. Null: as the gateway's own table says; a list takes the place of that."""
    context_window: NotRequired[int | None]
    """How many tokens a question and its answer may have together. Null: as the gateway's own table says."""
    input_usd_per_mtok: NotRequired[float | str | None]
    """US dollars for a million input tokens. Null: as the price table says."""
    max_output_tokens: NotRequired[int | None]
    """How many tokens an answer may have at most. Null: as the gateway's own table says."""
    name: str
    """The model's name, as the vendor's API takes it."""
    output_usd_per_mtok: NotRequired[float | str | None]
    """US dollars for a million output tokens. Null: as the price table says."""


class OutputFormat(TypedDict):
    """The form of the answer; `json_schema` needs a `schema`, against which the answer is validated."""

    schema: NotRequired[dict[str, Any] | None]
    """The JSON schema to follow, with `json_schema` alone; at most 1,000 members at its first level."""
    type: NotRequired[Literal["text", "json", "json_schema"]]
    """`text`, any `json`, or JSON that follows `schema`. Default: "text"."""


Period = Literal["day", "month"]


PiiRule = Literal["log", "mask", "local_only", "block"]


class PromptChoice(TypedDict):
    """The prompt that the query is made from, and what fills it."""

    id: str
    """The prompt's id."""
    label: NotRequired[str | None]
    """A label that names a version. Null: `production` if it is set, else `latest`."""
    sticky_key: NotRequired[str | None]
    """Any text: the same one always leads to the same version of a label with weights. Null: each query draws anew."""
    variables: NotRequired[dict[str, Any]]
    """What fills the prompt's template, by the names of its variables. Empty by default."""
    version: NotRequired[int | None]
    """The number of a version. Null: the label says."""


class PromptCreate(TypedDict):
    """A prompt as its editor writes it. `kind: role` is a system message that others are composed of."""

    cache_ttl_s: NotRequired[int | None]
    """For how many seconds answers to its queries are cached. Null: as long as the deployment keeps any."""
    category: NotRequired[str | None]
    """One word to find it by; at most 64 characters. Null: none."""
    commit_message: NotRequired[str | None]
    """What the version is about; at most 500 characters. Null: nothing is said."""
    defaults: NotRequired[PromptDefaults | None]
    """What its queries ask for where they do not say so themselves. They are wishes: left out where a candidate cannot
    take them.
    """
    description: NotRequired[str | None]
    """What it is for; at most 2,000 characters. Null: nothing is said."""
    id: NotRequired[str | None]
    """The name that queries use, of a-z, 0-9 and '-'. Chosen by the client; left out: made from `name`."""
    kind: NotRequired[PromptKind | None]
    """A `prompt` is asked with; a `role` is a system message that others are composed of. Fixed at creation."""
    log_bodies: NotRequired[float | None]
    """The share of its queries, 0 to 1, whose words go to the log, redacted. Null: as their key says."""
    name: str
    """The name for people."""
    output: NotRequired[OutputFormat | None]
    """The form of the answers."""
    pii: NotRequired[list[PiiRule]]
    """What is done where personal data is found in its queries, beside what their key asks for; each once. Empty:
    nothing.
    """
    tags: NotRequired[list[str]]
    """Words to find it by; at most 20, of at most 64 characters. Empty by default."""
    template: PromptTemplateInput
    """What it says, with places to fill."""
    tests: NotRequired[list[PromptTest]]
    """Its test cases, each with what its answer has to be. They belong to no version. Empty by default."""


class PromptDefaults(TypedDict):
    """What a query made from the prompt asks for where it does not say so itself; left out where a candidate cannot
    take it.
    """

    model: NotRequired[str | None]
    """The model to ask, as a query's `model`. Null: none."""
    parameters: NotRequired[QueryParameters | None]
    """How to generate. Null: nothing is said."""


class PromptImagePart(TypedDict):
    """An image."""

    cache_control: NotRequired[CacheControl | None]
    """Asks a provider that caches prompts on request to cache everything up to here. Null: it does not."""
    image_url: PromptImageUrl
    """Where the image is."""
    type: Literal["image_url"]
    """Which part it is."""


class PromptImageUrl(TypedDict):
    """Where the image is: an address, its bytes as a data URL, or one variable alone, such as `{{ photo }}`."""

    detail: NotRequired[Literal["auto", "low", "high"] | None]
    """How closely it is looked at. Null: as the vendor does."""
    url: str
    """An https address, the bytes as a data URL, or one variable of type `image` alone: `{{ photo }}`."""


PromptKind = Literal["prompt", "role"]


class PromptMessage(TypedDict):
    """A message with places to fill. Turns of user and assistant in exchange show a model how to answer."""

    content: str | list[PromptTextPart | PromptImagePart]
    """What is said: a text, or a list of 1 to 100 parts."""
    name: NotRequired[str | None]
    """Who of several says it. Null: nobody in particular."""
    role: Literal["system", "developer", "user", "assistant"]
    """Who says it."""


class PromptSystem(TypedDict):
    """The system part: roles, each `id`, `id@version` or `id@label`, and then a text."""

    roles: NotRequired[list[str]]
    """Roles that come first, each `id`, `id@version` or `id@label`; at most 20. Empty by default."""
    text: NotRequired[str | None]
    """The prompt's own instructions, a template. Null: none."""


class PromptTemplateInput(TypedDict):
    """What a prompt says, with places to fill such as `{{ name }}`. A role has `system.text` and `variables` alone."""

    messages: NotRequired[list[PromptMessage]]
    """The conversation, at most 200 messages. Empty by default."""
    system: NotRequired[PromptSystem | None]
    """What comes before the conversation. Null: nothing."""
    variables: NotRequired[dict[str, PromptVariableInput]]
    """What fills the places, by name; at most 100. Each that is used is declared, and the other way round. Empty by
    default.
    """


PromptTest = TypedDict(
    "PromptTest",
    {
        "assert": "list[EqualsAssertion | ContainsAssertion | RegexAssertion | JsonSchemaAssertion | JsonPathAssertion | MaxTokensAssertion | MaxLatencyAssertion | MaxCostAssertion | SimilarAssertion | JudgeAssertion]",
        "messages": "NotRequired[list[SystemMessage | UserMessage | AssistantMessage | ToolMessage]]",
        "name": "str",
        "variables": "NotRequired[dict[str, Any]]",
    },
)
"""A case: what fills the template, the messages that follow it, and what its answer must be."""


class PromptTextPart(TypedDict):
    """A piece of text, which is a template."""

    cache_control: NotRequired[CacheControl | None]
    """Asks a provider that caches prompts on request to cache everything up to here. Null: it does not."""
    text: str
    """A template."""
    type: Literal["text"]
    """Which part it is."""


class PromptUpdate(TypedDict):
    """The body of a `PUT`: what a `GET` answers is accepted; `revision` must match if present, the rest of it is
    ignored.
    """

    author: NotRequired[Any]
    """Accepted and ignored, so that what was read can be sent back."""
    built_in: NotRequired[Any]
    """Accepted and ignored, so that what was read can be sent back."""
    cache_ttl_s: NotRequired[int | None]
    """For how many seconds answers to its queries are cached. Null: as long as the deployment keeps any."""
    category: NotRequired[str | None]
    """One word to find it by; at most 64 characters. Null: none."""
    commit_message: NotRequired[str | None]
    """What the version is about; at most 500 characters. Null: nothing is said."""
    content_hash: NotRequired[Any]
    """Accepted and ignored, so that what was read can be sent back."""
    created_at: NotRequired[Any]
    """Accepted and ignored, so that what was read can be sent back."""
    defaults: NotRequired[PromptDefaults | None]
    """What its queries ask for where they do not say so themselves. They are wishes: left out where a candidate cannot
    take them.
    """
    description: NotRequired[str | None]
    """What it is for; at most 2,000 characters. Null: nothing is said."""
    id: NotRequired[str | None]
    """Its id, which cannot change. Left out: as it is."""
    kind: NotRequired[PromptKind | None]
    """Its kind, which cannot change. Left out: as it is."""
    labels: NotRequired[Any]
    """Accepted and ignored, so that what was read can be sent back."""
    log_bodies: NotRequired[float | None]
    """The share of its queries, 0 to 1, whose words go to the log, redacted. Null: as their key says."""
    name: str
    """The name for people."""
    output: NotRequired[OutputFormat | None]
    """The form of the answers."""
    pii: NotRequired[list[PiiRule]]
    """What is done where personal data is found in its queries, beside what their key asks for; each once. Empty:
    nothing.
    """
    revision: NotRequired[int | None]
    """The revision that was read: if the prompt has changed since, nothing is written (412)."""
    tags: NotRequired[list[str]]
    """Words to find it by; at most 20, of at most 64 characters. Empty by default."""
    template: PromptTemplateInput
    """What it says, with places to fill."""
    tests: NotRequired[list[PromptTest]]
    """Its test cases, each with what its answer has to be. They belong to no version. Empty by default."""
    updated_at: NotRequired[Any]
    """Accepted and ignored, so that what was read can be sent back."""
    version: NotRequired[Any]
    """Accepted and ignored, so that what was read can be sent back."""
    warnings: NotRequired[Any]
    """Accepted and ignored, so that what was read can be sent back."""


class PromptVariableInput(TypedDict):
    """What may be filled in. Null leaves a bound out."""

    default: NotRequired[Any]
    """What fills its places where it is not given. Null: none."""
    enum: NotRequired[list[Any] | None]
    """The only values that it takes; at most 200. Null: any."""
    items: NotRequired[PromptVariableInput | None]
    """What the elements of an array are. Null: anything."""
    max_length: NotRequired[int | None]
    """The most characters of a text, or elements of an array. Null: no bound."""
    maximum: NotRequired[float | None]
    """The greatest number that it takes. Null: no bound."""
    min_length: NotRequired[int | None]
    """The fewest characters of a text, or elements of an array. Null: no bound."""
    minimum: NotRequired[float | None]
    """The least number that it takes. Null: no bound."""
    pattern: NotRequired[str | None]
    """A regular expression (RE2) that is found in the text. Null: none."""
    required: NotRequired[bool | None]
    """Whether it has to be given. Null: true where there is no default."""
    type: VariableType
    """What it takes; an `image` fills the address of one image."""


class ProviderCreate(TypedDict):
    """A provider as an operator describes it."""

    api: NotRequired[Api]
    """Which of OpenAI's APIs it speaks; `auto` chooses by the model. Default: "auto"."""
    base_url: NotRequired[str | None]
    """Its address, as the vendor's SDK takes it: with /v1 for OpenAI's API, without for Anthropic's. Null: the vendor's
    own. It is https, or http where the deployment allows private addresses.
    """
    circuit: NotRequired[CircuitPolicy]
    """When it is left alone after failures."""
    credentials: NotRequired[CredentialsInput | None]
    """The vendor's API key, write-only. Left out of a `PUT`: the stored one stays."""
    default_model: str
    """The model that answers where a query names the provider and no model."""
    enabled: NotRequired[bool]
    """Whether it is asked at all. Default: true."""
    id: NotRequired[str | None]
    """The name to ask for it by, of a-z, 0-9 and '-'. Chosen by the client; left out: made from `name`."""
    kind: ProviderKind
    """Which API it speaks. `openai_compatible` is any server with OpenAI's chat API, and needs a `base_url`. `bedrock`
    is Amazon Bedrock in the deployment's own account, without credentials, where the deployment allows it.
    """
    limits: NotRequired[ProviderLimits | None]
    """What the gateway sends it at most. Null: no limits."""
    location: NotRequired[Location | None]
    """Whether words stay in the deployment's own account (`account`) or go to a vendor. Null: `account` for `llama_cpp`
    and `bedrock`, else `vendor`.
    """
    models: NotRequired[list[ModelInput]]
    """The models it offers, beside `default_model`; at most 200."""
    name: str
    """The name for people."""
    priority: NotRequired[int]
    """Lower is tried first. Default: 10."""
    region: NotRequired[str | None]
    """Where Amazon Bedrock is asked, such as `eu-central-1`. Null: in the deployment's own region. For `bedrock` alone.
    """
    retry: NotRequired[RetryPolicy]
    """How often one query calls it."""
    timeouts: NotRequired[ProviderTimeouts]
    """How long it is waited for."""
    weight: NotRequired[int]
    """Its share of the queries among providers of equal priority. Default: 1."""


ProviderKind = Literal["openai", "anthropic", "llama_cpp", "bedrock", "openai_compatible"]


class ProviderLimits(TypedDict):
    """Never more than N in any 60 seconds, at most `burst` at once (default a fifth of N); null is no limit."""

    burst: NotRequired[int | None]
    """How many requests may come at once. Null: a fifth of `requests_per_minute`, at least 1."""
    max_concurrent: NotRequired[int | None]
    """How many requests may be under way at the same time. Null: no limit."""
    requests_per_minute: NotRequired[int | None]
    """How many requests it gets in any 60 seconds at most. Null: no limit."""
    tokens_per_minute: NotRequired[int | None]
    """How many tokens it gets in any 60 seconds at most, questions and answers together. Null: no limit."""


class ProviderTimeouts(TypedDict):
    """How long to wait for the connection, for a stream's first content and between its events, and in all.  null is
    bounded by the query's own `timeout_s` alone.
    """

    connect_s: NotRequired[float]
    """Seconds to wait for the connection. Default: 5."""
    first_token_s: NotRequired[float | None]
    """Seconds to wait for a stream's first content, not for a buffered call's. Null: the query's own time."""
    total_s: NotRequired[float | None]
    """Seconds that one call may take. Null: as long as the query's `timeout_s`, which bounds it in any case."""


class ProviderUpdate(TypedDict):
    """The body of a `PUT`: what a `GET` answers is accepted; `revision` must match if present, the times are ignored."""

    api: NotRequired[Api]
    """Which of OpenAI's APIs it speaks; `auto` chooses by the model. Default: "auto"."""
    base_url: NotRequired[str | None]
    """Its address, as the vendor's SDK takes it: with /v1 for OpenAI's API, without for Anthropic's. Null: the vendor's
    own. It is https, or http where the deployment allows private addresses.
    """
    circuit: NotRequired[CircuitPolicy]
    """When it is left alone after failures."""
    created_at: NotRequired[Any]
    """Ignored, so that what was read may be sent back."""
    credentials: NotRequired[CredentialsInput | None]
    """The vendor's API key, write-only. Left out of a `PUT`: the stored one stays."""
    default_model: str
    """The model that answers where a query names the provider and no model."""
    enabled: NotRequired[bool]
    """Whether it is asked at all. Default: true."""
    id: NotRequired[str | None]
    """May be there, and must be the path's then."""
    kind: ProviderKind
    """Which API it speaks. `openai_compatible` is any server with OpenAI's chat API, and needs a `base_url`. `bedrock`
    is Amazon Bedrock in the deployment's own account, without credentials, where the deployment allows it.
    """
    limits: NotRequired[ProviderLimits | None]
    """What the gateway sends it at most. Null: no limits."""
    location: NotRequired[Location | None]
    """Whether words stay in the deployment's own account (`account`) or go to a vendor. Null: `account` for `llama_cpp`
    and `bedrock`, else `vendor`.
    """
    models: NotRequired[list[ModelInput]]
    """The models it offers, beside `default_model`; at most 200."""
    name: str
    """The name for people."""
    priority: NotRequired[int]
    """Lower is tried first. Default: 10."""
    region: NotRequired[str | None]
    """Where Amazon Bedrock is asked, such as `eu-central-1`. Null: in the deployment's own region. For `bedrock` alone.
    """
    retry: NotRequired[RetryPolicy]
    """How often one query calls it."""
    revision: NotRequired[int | None]
    """The revision that was read. If present it must still be the newest, else 412. `If-Match` says the same."""
    timeouts: NotRequired[ProviderTimeouts]
    """How long it is waited for."""
    updated_at: NotRequired[Any]
    """Ignored, so that what was read may be sent back."""
    weight: NotRequired[int]
    """Its share of the queries among providers of equal priority. Default: 1."""


class QueryParameters(TypedDict):
    """How to generate; null leaves the choice to the provider."""

    logprobs: NotRequired[int | None]
    """How many alternatives of each token are told, with their probabilities. Null: none."""
    max_output_tokens: NotRequired[int | None]
    """How many tokens the answer may have at most. Null: what the model can."""
    reasoning_effort: NotRequired[Literal["none", "minimal", "low", "medium", "high", "xhigh", "max"] | None]
    """How long the model may think before it answers. Null: the provider's own default. An answer has a summary of the
    thought, where the vendor makes one, if this is set.
    """
    seed: NotRequired[int | None]
    """The same seed and question give the same answer, as far as the provider can."""
    stop: NotRequired[list[str] | None]
    """Texts at which the answer ends; at most 4. Null or empty: none."""
    temperature: NotRequired[float | None]
    """How freely the model chooses its words. Null: the provider's own default."""
    top_p: NotRequired[float | None]
    """From which share of the likeliest words it chooses. Null: the provider's own default."""


class QueryRequest(TypedDict):
    """A query whose answer is waited for (`sync`) or fetched later (`async`). `priority` orders the queue of the
    latter.
    """

    cache: NotRequired[Literal["auto", "force", "bypass", "refresh"]]
    """`auto` reads and writes the answer cache where the answer is deterministic (temperature 0, or a seed), `force`
    always; `bypass` does neither, `refresh` only writes. Entries belong to one API key. Default: "auto".
    """
    context: NotRequired[ContextInput | None]
    """Texts for the model to read, which are cut to what fits. Null: none."""
    fallback: NotRequired[list[str] | None]
    """Who is asked when the first one fails, in this order: ids, or `id/model`; at most 20. `[]`: nobody else. `["*"]`:
    the rest by priority. Left out or null: the rest by priority where no provider was named, nobody where one was.
    """
    messages: NotRequired[list[SystemMessage | UserMessage | AssistantMessage | ToolMessage]]
    """The conversation, 1 to 2,000 messages in OpenAI's chat shape. With a prompt they follow its own, and may be left
    out.
    """
    metadata: NotRequired[dict[str, Any]]
    """What the client wants to find again in the answer: at most 16 KiB as JSON, and 1,000 members. Empty by default.
    """
    mode: NotRequired[Literal["sync", "async"]]
    """`sync` waits for the answer; `async` answers 202 at once, and the answer is fetched later. Default: "sync"."""
    model: NotRequired[str | None]
    """The model to ask. `provider/model` names both. A bare name is asked of every provider that lists it. Null: the
    provider's `default_model`.
    """
    output: NotRequired[OutputFormat]
    """The form of the answer."""
    parameters: NotRequired[QueryParameters]
    """How to generate."""
    priority: NotRequired[Literal["high", "normal"]]
    """Which async queries come first. Default: "normal"."""
    prompt: NotRequired[PromptChoice | None]
    """The prompt that the query is made from. Null: none, and messages are required."""
    provider: NotRequired[str | None]
    """The id of the provider to ask first. Null: by priority, among those that can take the query."""
    sanitize: NotRequired[Sanitize | None]
    """What is done with hidden characters in what is sent, and with links in the answer. Null: nothing."""
    system: NotRequired[System | None]
    """Instructions that come before the conversation."""
    timeout_s: NotRequired[float | None]
    """Seconds that the query may take: sync 1 to 28, by default 25; async 1 to 840, by default 300."""
    tool_choice: NotRequired[Literal["auto", "none", "required"] | ChosenTool]
    """Whether it may (`auto`), must not (`none`) or must (`required`) call one, or which one it must call. Default:
    "auto".
    """
    tools: NotRequired[list[Tool]]
    """Functions that the model may call; at most 128. Empty by default."""
    vendor: NotRequired[dict[str, dict[str, Any]]]
    """The vendors' own switches, by kind of provider, such as `{"openai": {"service_tier": "flex"}}`: they are put into
    the body that a candidate of that kind is sent. What the gateway sets itself is refused. At most 16 KiB as JSON.
    Empty by default.
    """


class ReasoningInput(TypedDict):
    """What the model thought before that turn: `output.reasoning` of its answer, as it came. Its text is not sent."""

    items: NotRequired[list[ReasoningItemInput]]
    """The pieces as the answer had them, in their order; at most 256. Those of another vendor are left out."""
    text: NotRequired[str | None]
    """Accepted, and not sent."""


class ReasoningItemInput(TypedDict):
    """A piece of a model's thought, as an answer gave it. It is sent to that vendor's models alone, exactly as it is."""

    after: NotRequired[int]
    """Its place in the turn, as the answer told it. Default: 0."""
    item: dict[str, Any]
    """As the vendor gave it; at most 100 members."""
    vendor: str
    """Whose it is."""


RegexAssertion = TypedDict(
    "RegexAssertion",
    {
        "not": "NotRequired[bool]",
        "type": "Literal['regex']",
        "value": "str",
    },
)
"""A regular expression, RE2's, matches somewhere in the answer."""


class RenderRequest(TypedDict):
    """Which version to fill, and with what. Without `version` and `label`: `production` if it is set, else the newest
    one.
    """

    label: NotRequired[str | None]
    """The label that names it. With neither of the two: `production` if it is set, else the newest version."""
    system: NotRequired[RenderSystem | None]
    """What a query would say of its system message. Null: nothing."""
    variables: NotRequired[dict[str, Any]]
    """What fills the places, by name; of a role what fills its own. Empty by default."""
    version: NotRequired[int | None]
    """The version to fill."""


class RenderSystem(TypedDict):
    """What a query would say of its system message."""

    base: NotRequired[bool | None]
    """Whether the base role comes along. Null: where another role is named."""
    roles: NotRequired[list[str]]
    """Roles that come after the prompt's own; at most 20. Empty by default."""
    text: NotRequired[str | None]
    """The query's own instructions, which come last. Null: none."""
    variables: NotRequired[dict[str, Any]]
    """What fills the roles' places, by name. Empty by default."""


class RetryPolicy(TypedDict):
    """`max_attempts` counts the first try."""

    max_attempts: NotRequired[int]
    """Calls that one query makes to it, the first one counted; at most 6 in all go to all providers. Default: 3."""


Role = Literal["admin", "operator", "prompt_editor", "caller", "auditor"]


class Sanitize(TypedDict):
    """What is done with text beyond reading it."""

    links: NotRequired[Literal["flag"] | None]
    """`flag` names in `warnings` the hosts of images and links in the answer whose address carries data out, and says
    when something in it looks like a credential. Null: nothing is told.
    """
    text: NotRequired[Literal["clean", "refuse"] | None]
    """`clean` takes control, bidi and tag characters out of messages, system and context, and `warnings` says so;
    `refuse` answers 422 where there are any. Null: they stay.
    """


SimilarAssertion = TypedDict(
    "SimilarAssertion",
    {
        "by": "NotRequired[Literal['words', 'embeddings']]",
        "model": "NotRequired[str | None]",
        "not": "NotRequired[bool]",
        "threshold": "NotRequired[float]",
        "type": "Literal['similar']",
        "value": "str",
    },
)
"""The answer is much the same as this text: F1 of their words is `threshold` (0.7) at least, or the cosine of their
embeddings by `model`.
"""


class StreamRequest(TypedDict):
    """A query whose answer is read as it is written."""

    cache: NotRequired[Literal["auto", "force", "bypass", "refresh"]]
    """`auto` reads and writes the answer cache where the answer is deterministic (temperature 0, or a seed), `force`
    always; `bypass` does neither, `refresh` only writes. Entries belong to one API key. Default: "auto".
    """
    context: NotRequired[ContextInput | None]
    """Texts for the model to read, which are cut to what fits. Null: none."""
    fallback: NotRequired[list[str] | None]
    """Who is asked when the first one fails, in this order: ids, or `id/model`; at most 20. `[]`: nobody else. `["*"]`:
    the rest by priority. Left out or null: the rest by priority where no provider was named, nobody where one was.
    """
    messages: NotRequired[list[SystemMessage | UserMessage | AssistantMessage | ToolMessage]]
    """The conversation, 1 to 2,000 messages in OpenAI's chat shape. With a prompt they follow its own, and may be left
    out.
    """
    metadata: NotRequired[dict[str, Any]]
    """What the client wants to find again in the answer: at most 16 KiB as JSON, and 1,000 members. Empty by default.
    """
    model: NotRequired[str | None]
    """The model to ask. `provider/model` names both. A bare name is asked of every provider that lists it. Null: the
    provider's `default_model`.
    """
    on_disconnect: NotRequired[Literal["cancel", "finish"]]
    """What becomes of the answer where the client leaves: `cancel` (the default) stops it, `finish` writes it to its
    end and stores it, so that the stream can be resumed. Default: "cancel".
    """
    output: NotRequired[OutputFormat]
    """The form of the answer."""
    parameters: NotRequired[QueryParameters]
    """How to generate."""
    prompt: NotRequired[PromptChoice | None]
    """The prompt that the query is made from. Null: none, and messages are required."""
    provider: NotRequired[str | None]
    """The id of the provider to ask first. Null: by priority, among those that can take the query."""
    sanitize: NotRequired[Sanitize | None]
    """What is done with hidden characters in what is sent, and with links in the answer. Null: nothing."""
    system: NotRequired[System | None]
    """Instructions that come before the conversation."""
    timeout_s: NotRequired[float | None]
    """Seconds that the query may take: 1 to 840, by default 300."""
    tool_choice: NotRequired[Literal["auto", "none", "required"] | ChosenTool]
    """Whether it may (`auto`), must not (`none`) or must (`required`) call one, or which one it must call. Default:
    "auto".
    """
    tools: NotRequired[list[Tool]]
    """Functions that the model may call; at most 128. Empty by default."""
    vendor: NotRequired[dict[str, dict[str, Any]]]
    """The vendors' own switches, by kind of provider, such as `{"openai": {"service_tier": "flex"}}`: they are put into
    the body that a candidate of that kind is sent. What the gateway sets itself is refused. At most 16 KiB as JSON.
    Empty by default.
    """


class System(TypedDict):
    """Instructions that precede the conversation: roles, and a text of the query's own."""

    base: NotRequired[bool | None]
    """Whether the role `base` comes before the others. Null: where another role is named. True brings it without one,
    false leaves it out.
    """
    roles: NotRequired[list[str]]
    """Roles, as `id`, `id@version` or `id@label`, in the order in which they come; at most 20. Empty by default."""
    text: NotRequired[str | None]
    """The query's own instructions, which come last. Null: none."""
    variables: NotRequired[dict[str, Any]]
    """What fills the roles, by the names of their variables. Empty by default."""


class SystemMessage(TypedDict):
    """An instruction in the middle of a conversation."""

    content: str | list[TextPart]
    """What is said: a text, or a list of 1 to 1,000 texts."""
    name: NotRequired[str | None]
    """Who it is among several of one role; at most 256 characters."""
    role: Literal["system", "developer"]
    """Who says it."""


class TestRunCreate(TypedDict):
    """Which version's tests to run, and which candidates to ask. `candidates` are providers' ids, or `provider/model`."""

    candidates: NotRequired[list[str]]
    """Which to ask: providers' ids, or `provider/model`. Empty by default: the one that the prompt leads to."""
    label: NotRequired[str | None]
    """A label that names one version."""
    mode: NotRequired[Literal["sync", "async"]]
    """`sync` waits for the results of 20 calls at most, `async` makes up to 1,000 later. Default: "sync"."""
    only: NotRequired[list[str]]
    """The names of the tests to run. Empty by default: all. A run of some lets no label move."""
    repeat: NotRequired[int]
    """How often to ask each test. Default: 1."""
    version: NotRequired[int | None]
    """Whose tests to run. With neither this nor `label`: what `production` names if it is set, else the newest."""


class TextPart(TypedDict):
    """A piece of text."""

    cache_control: NotRequired[CacheControl | None]
    """Asks a provider that caches on request to cache everything up to here."""
    text: str
    """The text."""
    type: Literal["text"]
    """Always `text`."""


class Tool(TypedDict):
    """A tool that the model may call."""

    function: FunctionTool
    """The function."""
    type: NotRequired[Literal["function"]]
    """Always `function`. Default: "function"."""


class ToolCall(TypedDict):
    """A tool call that an assistant's turn asked for."""

    function: CalledFunction
    """Which function, and with what."""
    id: str
    """What the tool's answer refers to."""
    index: NotRequired[int | None]
    """Accepted as OpenAI's SDK sends it; the list has the order."""
    type: NotRequired[Literal["function"]]
    """Always `function`. Default: "function"."""


class ToolMessage(TypedDict):
    """What a tool answered to the call `tool_call_id`."""

    content: str | list[TextPart]
    """What the tool answered."""
    name: NotRequired[str | None]
    """Who it is among several of one role; at most 256 characters."""
    role: Literal["tool"]
    """Who says it."""
    tool_call_id: str
    """Which call this answers."""


class UserMessage(TypedDict):
    """What the user says."""

    content: str | list[TextPart | ImagePart | FilePart | AudioPart]
    """What is said: a text, or a list of 1 to 1,000 parts."""
    name: NotRequired[str | None]
    """Who it is among several of one role; at most 256 characters."""
    role: Literal["user"]
    """Who says it."""


VariableType = Literal["string", "integer", "number", "boolean", "array", "object", "image"]
