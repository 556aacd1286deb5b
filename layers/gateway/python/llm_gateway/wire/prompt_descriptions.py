"""What each field of the prompts' published schemas means."""

from collections.abc import Mapping
from typing import Final

_SAID: Final = {
    "id": "The name that queries use, of a-z, 0-9 and '-'. Chosen by the client; left out: made from `name`.",
    "kind": "A `prompt` is asked with; a `role` is a system message that others are composed of. Fixed at creation.",
    "name": "The name for people.",
    "description": "What it is for; at most 2,000 characters. Null: nothing is said.",
    "category": "One word to find it by; at most 64 characters. Null: none.",
    "tags": "Words to find it by; at most 20, of at most 64 characters. Empty by default.",
    "pii": "What is done where personal data is found in its queries, beside what their key asks for; each once. Empty: nothing.",
    "cache_ttl_s": "For how many seconds answers to its queries are cached. Null: as long as the deployment keeps any.",
    "log_bodies": "The share of its queries, 0 to 1, whose words go to the log, redacted. Null: as their key says.",
}
_CONTENT: Final = {
    "template": "What it says, with places to fill.",
    "defaults": "What its queries ask for where they do not say so themselves. They are wishes: left out where a candidate "
    "cannot take them.",
    "output": "The form of the answers.",
    "tests": "Its test cases, each with what its answer has to be. They belong to no version. Empty by default.",
}
_BODY: Final = {
    **_SAID,
    **_CONTENT,
    "commit_message": "What the version is about; at most 500 characters. Null: nothing is said.",
}
_REVISED: Final = {
    "revision": "Counts the changes; it is the `ETag` too. Moves of labels are not counted.",
    "created_at": "When it was made, RFC 3339 in UTC.",
    "updated_at": "When it was last changed, RFC 3339 in UTC.",
}
_LISTED: Final = {
    **_SAID,
    **_REVISED,
    "id": "The name that queries use.",
    "pii": "What is done where personal data is found in its queries, beside what their key asks for.",
    "tags": "Words to find it by.",
    "version": "The number of its newest version; 0 for a role that ships with the gateway.",
    "labels": "Its labels, by name. `latest` is none of them: it is always the newest version.",
    "built_in": "Whether it ships with the gateway.",
}
_ROW: Final = {
    "version": "Its number.",
    "author": "The id of the key that wrote it.",
    "created_at": "When it was written, RFC 3339 in UTC.",
    "commit_message": "What its author said of it.",
    "content_hash": "SHA-256 of template, defaults and output: equal for equal content.",
    "labels": "The labels that name it now, `latest` among them.",
}
_IGNORED: Final = "Accepted and ignored, so that what was read can be sent back."
_GATE: Final = {
    "tests": "Whether versions that the label is moved to need a passed newest run of the suite, made since neither changed. "
    "Null: false.",
    "max_error_rate": "The share of failed queries, 0 to 1, above which a lighter version loses its weight. Null: no bound.",
    "max_p95_ms": "The 95th percentile of latency, in milliseconds, above which it does. Null: no bound.",
    "max_cost_ratio": "The cost of a query, by that of the heaviest version's, above which it does. Null: no bound.",
    "max_validation_failure_rate": "The share of answers, 0 to 1, without the asked form, above which it does. Null: no bound.",
    "min_feedback": "The mean feedback, 0 to 1, below which it does. Null: no bound.",
    "min_requests": "How many queries a version has to have had before it is judged. Null: 50.",
}
_LABEL: Final = {
    "version": "The version that it leads to; null while it leads to several.",
    "revision": "Counts the label's changes; it is its `ETag` too.",
    "versions": "The versions that it leads to, each with its weight.",
    "gate": "What it asks of versions; null: nothing.",
    "rolled_back": "The version that lost its weight by itself, until the label is moved again; null: none did.",
    "history": "Its last 20 moves, newest first.",
}
_TEMPLATE: Final = {
    "system": "What comes before the conversation. Null: nothing.",
    "messages": "The conversation, at most 200 messages. Empty by default.",
    "variables": "What fills the places, by name; at most 100. Each that is used is declared, and the other way round. "
    "Empty by default.",
}
_VARIABLE: Final = {
    "type": "What it takes; an `image` fills the address of one image.",
    "required": "Whether it has to be given. Null: true where there is no default.",
    "default": "What fills its places where it is not given. Null: none.",
    "enum": "The only values that it takes; at most 200. Null: any.",
    "minimum": "The least number that it takes. Null: no bound.",
    "maximum": "The greatest number that it takes. Null: no bound.",
    "min_length": "The fewest characters of a text, or elements of an array. Null: no bound.",
    "max_length": "The most characters of a text, or elements of an array. Null: no bound.",
    "pattern": "A regular expression (RE2) that is found in the text. Null: none.",
    "items": "What the elements of an array are. Null: anything.",
}

FIELDS: Final[Mapping[str, Mapping[str, str]]] = {
    "PromptCreate": _BODY,
    "PromptUpdate": {
        **_BODY,
        "id": "Its id, which cannot change. Left out: as it is.",
        "kind": "Its kind, which cannot change. Left out: as it is.",
        "revision": "The revision that was read: if the prompt has changed since, nothing is written (412).",
        **dict.fromkeys(
            ("created_at", "updated_at", "version", "author", "content_hash", "labels", "built_in", "warnings"),
            _IGNORED,
        ),
    },
    "PromptConfig": {
        **_LISTED,
        **_CONTENT,
        "tests": "Its test cases, each with what its answer has to be.",
        "author": "The id of the key that wrote the newest version.",
        "commit_message": "What the author said of the newest version.",
        "content_hash": "SHA-256 of template, defaults and output: equal for equal content.",
        "warnings": "What its editor should look at, after a change.",
    },
    "PromptMetadata": _LISTED,
    "PromptList": {
        "items": "The prompts of this page.",
        "next_cursor": "What to send as `cursor` for the next page; null on the last one.",
    },
    "PromptDefaults": {
        "model": "The model to ask, as a query's `model`. Null: none.",
        "parameters": "How to generate. Null: nothing is said.",
    },
    "PromptOutput": {
        "type": "A text, any JSON value, or JSON after a schema.",
        "schema": "The JSON schema that answers are held against; null where `type` is another.",
    },
    "PromptTemplate": _TEMPLATE,
    "PromptTemplateInput": _TEMPLATE,
    "PromptVariable": _VARIABLE,
    "PromptVariableInput": _VARIABLE,
    "PromptSystem": {
        "roles": "Roles that come first, each `id`, `id@version` or `id@label`; at most 20. Empty by default.",
        "text": "The prompt's own instructions, a template. Null: none.",
    },
    "PromptMessage": {
        "role": "Who says it.",
        "content": "What is said: a text, or a list of 1 to 100 parts.",
        "name": "Who of several says it. Null: nobody in particular.",
    },
    "PromptTextPart": {
        "type": "Which part it is.",
        "text": "A template.",
        "cache_control": "Asks a provider that caches prompts on request to cache everything up to here. Null: it does not.",
    },
    "PromptImagePart": {
        "type": "Which part it is.",
        "image_url": "Where the image is.",
        "cache_control": "Asks a provider that caches prompts on request to cache everything up to here. Null: it does not.",
    },
    "PromptImageUrl": {
        "url": "An https address, the bytes as a data URL, or one variable of type `image` alone: `{{ photo }}`.",
        "detail": "How closely it is looked at. Null: as the vendor does.",
    },
    "PromptVersionSummary": _ROW,
    "PromptVersion": {**_ROW, **_CONTENT, "tests": "The prompt's test cases, as they are now."},
    "PromptVersionList": {
        "items": "The versions of this page.",
        "next_cursor": "What to send as `cursor` for the next page; null on the last one.",
    },
    "PromptDiff": {
        "messages": "The messages that differ.",
        "system": "The system text as a unified diff; null where it is the same.",
        "settings": "The settings that differ: variables, roles, defaults and output.",
    },
    "MessageDiff": {"index": "Its place in the template's messages, from 0.", "unified": "The unified diff."},
    "SettingDiff": {
        "path": "Where it is, such as `defaults.parameters.temperature`.",
        "from": "What it was; null: not set.",
        "to": "What it is; null: not set.",
    },
    "RenderRequest": {
        "version": "The version to fill.",
        "label": "The label that names it. With neither of the two: `production` if it is set, else the newest version.",
        "variables": "What fills the places, by name; of a role what fills its own. Empty by default.",
        "system": "What a query would say of its system message. Null: nothing.",
    },
    "RenderSystem": {
        "roles": "Roles that come after the prompt's own; at most 20. Empty by default.",
        "variables": "What fills the roles' places, by name. Empty by default.",
        "text": "The query's own instructions, which come last. Null: none.",
        "base": "Whether the base role comes along. Null: where another role is named.",
    },
    "RenderedPrompt": {
        "version": "The version that was filled.",
        "messages": "The messages, filled.",
        "system": "The whole system message; null where there is none.",
        "parts": "What the system message is put together of, in its order.",
        "tokens": "About how many tokens it takes, by OpenAI's newer tokenizer: at least as many as that one counts.",
        "warnings": "What an editor should look at.",
    },
    "SystemPart": {
        "source": "Where it comes from: `base`, `role:analyst@2`, `prompt` or `query`.",
        "text": "What it says.",
    },
    "LabelGate": _GATE,
    "LabelUpdate": {
        "version": "The version that the label is to lead to.",
        "versions": "The versions that it is to lead to, by number, each with its weight; at most 8.",
        "rollback": "Whether it is to go back to where it led before, past what was taken back; it asks no gate. Null: false.",
        "gate": "What the label asks of versions, this move among them. Left out: as it is; null: nothing.",
        "reason": "What the move is for, to be read in the history; at most 150 characters. Null: nothing is said.",
        "revision": "The label's revision that was read: if it has moved since, nothing is written (412).",
        "history": _IGNORED,
        "rolled_back": _IGNORED,
    },
    "Label": _LABEL,
    "PromptLabel": _LABEL,
    "LabelMove": {
        "versions": "The versions that it led to from then on, each with its weight.",
        "at": "When it moved, RFC 3339 in UTC.",
        "by": "The id of the key that moved it.",
        "reason": "What the move was for; null where nothing was said.",
    },
    "LabelRollback": {
        "version": "The version that lost its weight.",
        "reason": "The bound that it broke.",
        "at": "When that was, RFC 3339 in UTC.",
    },
}
