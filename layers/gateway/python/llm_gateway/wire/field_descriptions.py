"""What each field of the published schemas means, by schema and field. Only the document needs them, and no request.

Defaults and bounds that a schema itself states are added to these words from there.
"""

from collections.abc import Mapping
from typing import Final

from llm_gateway.wire import (
    audit_descriptions,
    context_descriptions,
    eval_descriptions,
    key_descriptions,
    prompt_descriptions,
    usage_descriptions,
)

_MODEL: Final = {
    "name": "The model's name, as the vendor's API takes it.",
    "aliases": "Other names that a query may ask for it by; at most 20. Empty by default.",
    "context_window": "How many tokens a question and its answer may have together. Null: as the gateway's own table says.",
    "max_output_tokens": "How many tokens an answer may have at most. Null: as the gateway's own table says.",
    "capabilities": "What the model can take. Null: as the gateway's own table says; a list takes the place of that.",
    "input_usd_per_mtok": "US dollars for a million input tokens. Null: as the price table says.",
    "cached_input_usd_per_mtok": "US dollars for a million tokens from the vendor's cache. Null: as the price table says.",
    "cache_write_usd_per_mtok": "US dollars for a million tokens put into the vendor's cache. Null: as the price table says.",
    "output_usd_per_mtok": "US dollars for a million output tokens. Null: as the price table says.",
}
_PROVIDER: Final = {
    "id": "The name to ask for it by, of a-z, 0-9 and '-'. Chosen by the client; left out: made from `name`.",
    "name": "The name for people.",
    "kind": (
        "Which API it speaks. `openai_compatible` is any server with OpenAI's chat API, and needs a `base_url`. `bedrock` is "
        "Amazon Bedrock in the deployment's own account, without credentials, where the deployment allows it."
    ),
    "base_url": (
        "Its address, as the vendor's SDK takes it: with /v1 for OpenAI's API, without for Anthropic's. Null: the vendor's own. "
        "It is https, or http where the deployment allows private addresses."
    ),
    "api": "Which of OpenAI's APIs it speaks; `auto` chooses by the model.",
    "location": (
        "Whether words stay in the deployment's own account (`account`) or go to a vendor. "
        "Null: `account` for `llama_cpp` and `bedrock`, else `vendor`."
    ),
    "region": "Where Amazon Bedrock is asked, such as `eu-central-1`. Null: in the deployment's own region. For `bedrock` alone.",
    "default_model": "The model that answers where a query names the provider and no model.",
    "models": "The models it offers, beside `default_model`; at most 200.",
    "enabled": "Whether it is asked at all.",
    "priority": "Lower is tried first.",
    "weight": "Its share of the queries among providers of equal priority.",
    "limits": "What the gateway sends it at most. Null: no limits.",
    "timeouts": "How long it is waited for.",
    "retry": "How often one query calls it.",
    "circuit": "When it is left alone after failures.",
    "credentials": "The vendor's API key, write-only. Left out of a `PUT`: the stored one stays.",
}
_REVISED: Final = {
    "revision": "Counts the changes; it is the `ETag` too.",
    "created_at": "When it was made, RFC 3339 in UTC.",
    "updated_at": "When it was last changed, RFC 3339 in UTC.",
}
_STANDING: Final = {
    "id": "The query's id.",
    "status": "Where it stands.",
    "attempts": "How often it was taken up to be answered; each time several calls may be made.",
    "created_at": "When it came in.",
    "started_at": "When somebody began to work on it for the first time; null where nobody has.",
    "completed_at": "When it ended.",
    "error": "Why it failed; null where it did not.",
}
_ASKING: Final = {
    "prompt": "The prompt that the query is made from. Null: none, and messages are required.",
    "messages": (
        "The conversation, 1 to 2,000 messages in OpenAI's chat shape. With a prompt they follow its own, and may be left out."
    ),
    "system": "Instructions that come before the conversation.",
    "context": "Texts for the model to read, which are cut to what fits. Null: none.",
    "model": (
        "The model to ask. `provider/model` names both. A bare name is asked of every provider that lists it. "
        "Null: the provider's `default_model`."
    ),
    "provider": "The id of the provider to ask first. Null: by priority, among those that can take the query.",
    "fallback": (
        "Who is asked when the first one fails, in this order: ids, or `id/model`; at most 20. `[]`: nobody else. "
        '`["*"]`: the rest by priority. Left out or null: the rest by priority where no provider was named, nobody where one was.'
    ),
    "parameters": "How to generate.",
    "vendor": (
        'The vendors\' own switches, by kind of provider, such as `{"openai": {"service_tier": "flex"}}`: they are put into the '
        "body that a candidate of that kind is sent. What the gateway sets itself is refused. At most 16 KiB as JSON. "
        "Empty by default."
    ),
    "tools": "Functions that the model may call; at most 128. Empty by default.",
    "tool_choice": "Whether it may (`auto`), must not (`none`) or must (`required`) call one, or which one it must call.",
    "output": "The form of the answer.",
    "cache": (
        "`auto` reads and writes the answer cache where the answer is deterministic (temperature 0, or a seed), `force` always; "
        "`bypass` does neither, `refresh` only writes. Entries belong to one API key."
    ),
    "metadata": "What the client wants to find again in the answer: at most 16 KiB as JSON, and 1,000 members. Empty by default.",
    "sanitize": "What is done with hidden characters in what is sent, and with links in the answer. Null: nothing.",
}
_MESSAGE: Final = {
    "role": "Who says it.",
    "content": "What is said: a text, or a list of 1 to 1,000 parts.",
    "name": "Who it is among several of one role; at most 256 characters.",
}
_ANSWER: Final = {
    "id": "The query's id, for its status, its result and its stream.",
    "status": "How it ended.",
    "created_at": "When it came in.",
    "completed_at": "When it ended.",
    "output": "What the model said.",
    "finish_reason": "Why it stopped there.",
    "provider": "Who answered.",
    "model": "The model that answered, as the provider calls it.",
    "usage": "The tokens it took.",
    "cost_usd": "What all attempts cost together, a decimal text in US dollars; null where the price is not known.",
    "cache": "Whether it came from the gateway's cache.",
    "attempts": "Every call to a provider, and those that were skipped, in their order.",
    "prompt": "The version of the prompt that the query was made from; null where it was made from none.",
    "roles": "The versions of the roles in its system message, in their order.",
    "context": "What was sent of the query's context; null where it has none.",
    "latency_ms": "Where the time went.",
    "warnings": "What a client should know: what was left out, or who answered instead.",
    "metadata": "The query's own.",
}

FIELDS: Final[Mapping[str, Mapping[str, str]]] = {
    "HealthCheck": {"status": "Always `ok`."},
    # Providers
    "ProviderCreate": _PROVIDER,
    "ProviderUpdate": {
        **_PROVIDER,
        "id": "May be there, and must be the path's then.",
        "revision": "The revision that was read. If present it must still be the newest, else 412. `If-Match` says the same.",
        "created_at": "Ignored, so that what was read may be sent back.",
        "updated_at": "Ignored, so that what was read may be sent back.",
    },
    "ProviderConfig": {
        **_PROVIDER,
        **_REVISED,
        "id": "The name to ask for it by.",
        "limits": "What the gateway sends it at most. Null to callers, who do not see limits.",
        "credentials": "What may be told of its API key.",
    },
    "ProviderList": {
        "items": "The providers of this page.",
        "next_cursor": "What to send as `cursor` for the next page; null on the last one.",
    },
    "ModelInput": _MODEL,
    "ModelConfig": _MODEL,
    "ProviderLimits": {
        "requests_per_minute": "How many requests it gets in any 60 seconds at most. Null: no limit.",
        "tokens_per_minute": "How many tokens it gets in any 60 seconds at most, questions and answers together. Null: no limit.",
        "burst": "How many requests may come at once. Null: a fifth of `requests_per_minute`, at least 1.",
        "max_concurrent": "How many requests may be under way at the same time. Null: no limit.",
    },
    "ProviderTimeouts": {
        "connect_s": "Seconds to wait for the connection.",
        "first_token_s": "Seconds to wait for a stream's first content, not for a buffered call's. Null: the query's own time.",
        "total_s": "Seconds that one call may take. Null: as long as the query's `timeout_s`, which bounds it in any case.",
    },
    "RetryPolicy": {
        "max_attempts": "Calls that one query makes to it, the first one counted; at most 6 in all go to all providers."
    },
    "CircuitPolicy": {
        "failure_threshold": "After so many failures in a row nobody asks it.",
        "cooldown_s": "Seconds until one call may try again.",
    },
    "CredentialsInput": {
        "api_key": "The vendor's API key.",
        "configured": "Part of the form in which answers show credentials: sent back, it keeps the stored key.",
        "hint": "Part of that form, and ignored; at most 100 characters.",
        "updated_at": "Part of that form, and ignored; at most 100 characters.",
    },
    "Credentials": {
        "configured": "Whether a key is stored.",
        "hint": "The key's end, to tell it from others. Null to callers.",
        "updated_at": "When it was last sent.",
    },
    "ProviderStatus": {
        "provider_id": "Whose status it is.",
        "state": "What it all comes to.",
        "circuit": "`open`: it is left alone after failures; `half_open`: one call may try.",
        "retry_at": "When calls are next let through; null where they are now.",
        "last_success_at": "When it last answered.",
        "last_error": "Its last failure; null where there was none.",
        "metrics": "What passed lately.",
        "limits": "What is left of its limits.",
    },
    "ProviderMetrics": {
        "window_s": "Over how many seconds this counts.",
        "requests": "Calls made.",
        "errors": "Calls that failed.",
        "error_rate": "`errors` / `requests`, from 0 to 1.",
        "latency_ms": "How long the calls took.",
        "input_tokens": "Tokens sent.",
        "output_tokens": "Tokens received.",
        "cost_usd": "The sum of the known costs, a decimal text in US dollars; null where none is known.",
        "unpriced_requests": "Calls whose cost nobody knows.",
    },
    "LatencyQuantiles": {
        "p50": "Half of the calls took at most so many milliseconds.",
        "p95": "95 % of the calls took at most so many milliseconds.",
        "p99": "99 % of the calls took at most so many milliseconds.",
    },
    "ProviderError": {
        "code": "The error's code.",
        "at": "When it happened.",
        "detail": "What went wrong, with what the provider's own error says.",
        "upstream_status": "The HTTP status that the provider answered with, where it did.",
    },
    "RemainingLimits": {
        "requests_remaining": "Requests that may be sent at once now; null: no limit.",
        "tokens_remaining": "Tokens that may be sent at once now; null: no limit.",
    },
    **key_descriptions.FIELDS,
    **audit_descriptions.FIELDS,
    **prompt_descriptions.FIELDS,
    **usage_descriptions.FIELDS,
    **context_descriptions.FIELDS,
    **eval_descriptions.FIELDS,
    "ErasureCreate": {
        "key_id": "The key whose queries are all erased. What was sealed for it before is unreadable once that is done.",
        "subject": "Erases the queries that were sent with this text as `metadata.subject`.",
    },
    "Erasure": {
        "id": "The erasure's id.",
        "status": "`running`, `finished`, or `failed`: it ended, and something is left. Ask for another one then.",
        "erased": "How many queries are gone so far.",
        "failed": "How many would not go. They are tried again a quarter of an hour after it was asked for.",
        "created_at": "When it was asked for: what came in before goes.",
        "completed_at": "When it was done, or failed. Null: it is not yet.",
    },
    # Queries
    "QueryRequest": {
        **_ASKING,
        "mode": "`sync` waits for the answer; `async` answers 202 at once, and the answer is fetched later.",
        "priority": "Which async queries come first.",
        "timeout_s": "Seconds that the query may take: sync 1 to 28, by default 25; async 1 to 840, by default 300.",
    },
    "StreamRequest": {
        **_ASKING,
        "timeout_s": "Seconds that the query may take: 1 to 840, by default 300.",
        "on_disconnect": (
            "What becomes of the answer where the client leaves: `cancel` (the default) stops it, `finish` writes it to its end "
            "and stores it, so that the stream can be resumed."
        ),
    },
    "PromptChoice": {
        "id": "The prompt's id.",
        "version": "The number of a version. Null: the label says.",
        "label": "A label that names a version. Null: `production` if it is set, else `latest`.",
        "sticky_key": (
            "Any text: the same one always leads to the same version of a label with weights. Null: each query draws anew."
        ),
        "variables": "What fills the prompt's template, by the names of its variables. Empty by default.",
    },
    "Sanitize": {
        "text": (
            "`clean` takes control, bidi and tag characters out of messages, system and context, and `warnings` says so; "
            "`refuse` answers 422 where there are any. Null: they stay."
        ),
        "links": (
            "`flag` names in `warnings` the hosts of images and links in the answer whose address carries data out, and says "
            "when something in it looks like a credential. Null: nothing is told."
        ),
    },
    "System": {
        "text": "The query's own instructions, which come last. Null: none.",
        "roles": "Roles, as `id`, `id@version` or `id@label`, in the order in which they come; at most 20. Empty by default.",
        "variables": "What fills the roles, by the names of their variables. Empty by default.",
        "base": (
            "Whether the role `base` comes before the others. Null: where another role is named. True brings it without one, "
            "false leaves it out."
        ),
    },
    "QueryParameters": {
        "temperature": "How freely the model chooses its words. Null: the provider's own default.",
        "max_output_tokens": "How many tokens the answer may have at most. Null: what the model can.",
        "top_p": "From which share of the likeliest words it chooses. Null: the provider's own default.",
        "stop": "Texts at which the answer ends; at most 4. Null or empty: none.",
        "seed": "The same seed and question give the same answer, as far as the provider can.",
        "reasoning_effort": (
            "How long the model may think before it answers. Null: the provider's own default. An answer has a summary of the "
            "thought, where the vendor makes one, if this is set."
        ),
        "logprobs": "How many alternatives of each token are told, with their probabilities. Null: none.",
    },
    "SystemMessage": {**_MESSAGE, "content": "What is said: a text, or a list of 1 to 1,000 texts."},
    "UserMessage": _MESSAGE,
    "AssistantMessage": {
        **_MESSAGE,
        "content": "What the model said; null where it only called tools.",
        **dict.fromkeys(
            ("annotations", "audio", "function_call", "refusal"),
            "Accepted where it is empty, as OpenAI's SDK sends it.",
        ),
        "parsed": "Accepted as OpenAI's SDK sends it, and not sent on: `content` says the same.",
        "tool_calls": "The calls it asked for; at most 128.",
        "reasoning": "What it thought before, `output.reasoning` of that answer as it came, so that it goes on from there.",
    },
    "ReasoningInput": {
        "items": "The pieces as the answer had them, in their order; at most 256. Those of another vendor are left out.",
        "text": "Accepted, and not sent.",
    },
    "ReasoningItemInput": {
        "vendor": "Whose it is.",
        "item": "As the vendor gave it; at most 100 members.",
        "after": "Its place in the turn, as the answer told it.",
    },
    "ToolMessage": {**_MESSAGE, "tool_call_id": "Which call this answers.", "content": "What the tool answered."},
    "TextPart": {
        "type": "Always `text`.",
        "text": "The text.",
        "cache_control": "Asks a provider that caches on request to cache everything up to here.",
    },
    "ImagePart": {
        "type": "Always `image_url`.",
        "image_url": "Where the image is.",
        "cache_control": "Asks a provider that caches on request to cache everything up to here.",
    },
    "ImageUrl": {
        "url": "An https address, or the bytes as data:image/…;base64,…",
        "detail": "How closely the model looks. Null: the provider's own default.",
    },
    "FilePart": {
        "type": "Always `file`.",
        "file": "The document.",
        "cache_control": "Asks a provider that caches on request to cache everything up to here.",
    },
    "File": {
        "file_data": "The bytes as data:application/pdf;base64,…; a query has at most 50 documents and recordings.",
        "filename": "Its name, for the model; at most 255 characters.",
    },
    "AudioPart": {
        "type": "Always `input_audio`.",
        "input_audio": "The recording.",
        "cache_control": "Asks a provider that caches on request to cache everything up to here.",
    },
    "InputAudio": {"data": "Its bytes in base64.", "format": "What they are."},
    "CacheControl": {"type": "Always `ephemeral`.", "ttl": "How long the provider keeps it."},
    "ToolCall": {
        "id": "What the tool's answer refers to.",
        "type": "Always `function`.",
        "function": "Which function, and with what.",
        "index": "Accepted as OpenAI's SDK sends it; the list has the order.",
    },
    "CalledFunction": {
        "name": "The function's name.",
        "arguments": "Its arguments, a JSON text.",
        "parsed_arguments": "Accepted as OpenAI's SDK sends it, and not sent on: `arguments` says the same.",
    },
    "Tool": {"type": "Always `function`.", "function": "The function."},
    "FunctionTool": {
        "name": "Its name, of letters, digits, '_' and '-'; no two tools have the same.",
        "description": "What it does, for the model. Null: nothing is said of it.",
        "parameters": "A JSON schema of its arguments; at most 1,000 members at its first level. Empty by default.",
        "strict": "Whether the arguments must follow the schema exactly. Null: the provider's own default.",
    },
    "ChosenTool": {"type": "Always `function`.", "function": "The tool that must be called."},
    "ChosenFunction": {"name": "Its name, which must be one of `tools`."},
    "OutputFormat": {
        "type": "`text`, any `json`, or JSON that follows `schema`.",
        "schema": "The JSON schema to follow, with `json_schema` alone; at most 1,000 members at its first level.",
    },
    "QueryResponse": _ANSWER,
    "PartialQueryResponse": {**_ANSWER, "error": "Why the answer ends where it does."},
    "QueryOutput": {
        "text": "The text; null where only tools were called.",
        "json": "The parsed text where JSON was asked for, else null.",
        "tool_calls": "The tools that the model wants called.",
        "reasoning": "What the model thought before it answered; null where the vendor gave nothing of it.",
        "annotations": "Citations and the like in the provider's own words; null where there are none.",
        "logprobs": "The tokens and their probabilities in the provider's own words, where they were asked for; else null.",
    },
    "Reasoning": {
        "text": "A summary, where an effort was set and the vendor made one.",
        "items": "The thought itself: to be sent back as it is, on the assistant's turn.",
    },
    "ReasoningItem": {
        "vendor": "Whose models can read it.",
        "item": "As the vendor gave it.",
        "after": "Its place in the turn: 0 before the text, 1 after it, n + 1 after the n-th tool call.",
    },
    "OutputToolCall": {
        "id": "What the tool's answer must refer to.",
        "name": "The function's name.",
        "arguments": "Its arguments, a JSON text.",
    },
    "QueryUsage": {
        "input_tokens": "Tokens of the question, cached and cache-write ones included.",
        "output_tokens": "Tokens of the answer, reasoning included.",
        "cached_input_tokens": "Of the input, those that the provider had in its cache.",
        "cache_write_tokens": "Of the input, those that it put into its cache.",
        "reasoning_tokens": "Of the output, those that it thought with.",
        "estimated": "Whether the provider told nothing, so that the gateway counted.",
    },
    "QueryAttempt": {
        "provider": "The provider's id.",
        "model": "The model that was asked.",
        "outcome": "What came of it.",
        "error_code": "Why it failed or was skipped; null where it did not.",
        "detail": "What went wrong, with what the provider's own error says; null where nothing did.",
        "upstream_status": "The HTTP status that the provider answered with, where it failed so.",
        "latency_ms": "How long it took.",
        "cost_usd": "What it cost; null where the price is not known.",
    },
    "CacheResult": {
        "hit": "Whether the answer came from the cache.",
        "age_s": "How old it is.",
        "saved_usd": "What asking again would have cost.",
    },
    "QueryMetrics": {
        "total": "From the request's arrival to the answer.",
        "provider": "In calls to providers.",
        "waiting": "Between retries.",
        "overhead": "The gateway's own.",
    },
    "QueryStatus": _STANDING,
    "ListedQuery": {**_STANDING, **usage_descriptions.LISTED},
    "QueryAccepted": {
        "id": "The query's id.",
        "status": "Always `queued` at first.",
        "status_url": "Where its status is.",
        "result_url": "Where its answer will be.",
    },
    # Events of a stream
    "QueryEvent": {"id": "The query's id.", "provider": "Who answers.", "model": "The model that answers."},
    "ReasoningEvent": {"text": "The next piece of the summary."},
    "DeltaEvent": {"text": "The next piece of the answer."},
    "ToolCallEvent": {
        "index": "Which call this is a piece of, from 0.",
        "id": "The call's id, in its first piece.",
        "name": "The function's name, in its first piece.",
        "arguments": "The next piece of its arguments.",
    },
    # Errors
    "Problem": {
        "type": "The address of this API's page about the error.",
        "title": "What kind of error it is, in words.",
        "status": "The HTTP status.",
        "detail": "What happened here, and how to mend it.",
        "code": "The stable name to program against.",
        "request_id": "The request's id, also in `X-Request-Id` and in the log.",
        "errors": "Each field that is wrong.",
        "query_id": "The query that failed.",
        "provider": "The provider that failed.",
        "provider_message": "What the provider's own error says; of several candidates the last one's.",
        "attempts": "What was tried, as in an answer.",
    },
    "FieldProblem": {
        "field": "A path into the body, or the name of a header or a parameter.",
        "message": "What it must be.",
    },
}
PARAMETERS: Final[Mapping[str, str]] = {
    "provider_id": "The provider's id.",
    "key_id": "The key's id.",
    "query_id": "The query's id, from its answer.",
    "prompt_id": "The prompt's id.",
    "run_id": "The run's id, from its answer.",
    "erasure_id": "The erasure's id, from its answer.",
    "version": "The number of a version.",
    "other": "The number of the version that it is compared with.",
    "label": "The label's name, of a-z, 0-9 and '-', and no number alone. `latest` moves by itself.",
    "kind": "Only prompts, or only roles.",
    "category": "Only prompts of this category.",
    "tag": "Only prompts with this tag.",
    "name": "Only prompts whose names begin with this, in whatever case.",
    "code": "An error's `code`.",
    "limit": "How many items a page has at most.",
    "cursor": "The `next_cursor` of the page before. Left out: the first page.",
    "from": "The earliest time that counts, RFC 3339. Left out: 24 hours before `to`.",
    "to": "The first time that no longer counts, RFC 3339. Left out: now.",
    "actor": "Only what this key did, by its id; or what came from this address without a key.",
    "action": "Only what the log calls so, such as `provider.updated`.",
    "status": "Only queries that stand so.",
    "prompt": "Only queries that were made from the prompt of this id.",
    "group_by": "What the sums are told apart by. Left out: nothing.",
    "bucket": "The span of time that is summed up in one row, in UTC. Left out: all of it.",
    "probe": "Whether to make one live call first.",
    "wait_s": "How many seconds to wait for the query's end.",
    "if-match": "The `ETag` that was read: if the resource has changed since, nothing is written (412).",
    "idempotency-key": "1 to 255 printable characters: the same key and body within 24 hours get the first answer again.",
    "last-event-id": "The id of the last event that was read. Left out: from the beginning.",
}
