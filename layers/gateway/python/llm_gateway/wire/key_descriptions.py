"""What each field of the keys' published schemas means."""

from collections.abc import Mapping
from typing import Final

_SETTINGS: Final = {
    "name": "The name for people; two keys may have the same.",
    "role": "What it may do. A `caller` asks queries, and manages nothing.",
    "limits": "What all its queries together may take. Null: no limit.",
    "budget_usd": "What all its queries together may cost. Null: no budget.",
    "allow": "What it may ask for. Null: everything.",
    "pii": "What is done where personal data is found, each once. Null or empty: nothing.",
    "retention_days": "For how many days its queries are kept. Null: as long as the deployment keeps any.",
    "log_bodies": "The share of its queries, 0 to 1, whose words go to the log, redacted. Null: none.",
    "tags": "Usage is summed up for each of them; at most 10, of at most 64 characters. Null or empty: none.",
    "expires_at": "When it ends: RFC 3339, in the future. Null: never.",
    "require_signature": "Whether its requests must be signed, so that its bare secret opens nothing. Null: false.",
}
_LATER: Final = " Left out: as it is."
_SHOWN: Final = {
    **_SETTINGS,
    "id": "Its id, which sorts by the time it was made.",
    "revision": "Counts the changes; it is the `ETag` too.",
    "created_at": "When it was made, RFC 3339 in UTC.",
    "updated_at": "When it was last changed, RFC 3339 in UTC.",
    "allow": "What it may ask for.",
    "limits": "What all its queries together may take.",
    "pii": "What is done where personal data is found.",
    "log_bodies": "The share of its queries, 0 to 1, whose words go to the log, redacted.",
    "tags": "Usage is summed up for each of them.",
    "expires_at": "When it ends, RFC 3339 in UTC. Null: never.",
    "require_signature": "Whether its requests must be signed, so that its bare secret opens nothing.",
    "status": "Whether its secret opens the door now.",
    "hint": "The end of its secret, to tell it from others.",
    "last_used_at": "When it was last used, up to five minutes late. Null: never.",
}
_BUDGET: Final = {
    "amount": "US dollars, a decimal text such as `25.00`.",
    "period": "How long it is for, in UTC: each day from midnight, or each month from its first day.",
    "allow_unpriced": "Whether models without a known price may be asked. Null: false.",
}

FIELDS: Final[Mapping[str, Mapping[str, str]]] = {
    "KeyCreate": _SETTINGS,
    "KeyUpdate": {
        **{name: words + _LATER for name, words in _SETTINGS.items()},
        "name": "The name for people." + _LATER,
        "role": "What it may do. The last admin key keeps its role." + _LATER,
    },
    "KeyLimits": {
        "requests_per_minute": "How many queries in any 60 seconds at most. Null: no limit.",
        "tokens_per_minute": "How many tokens in any 60 seconds at most, questions and answers together. Null: no limit.",
        "burst": "How many queries may come at once. Null: a fifth of `requests_per_minute`, at least 1.",
    },
    "KeyBudgetInput": _BUDGET,
    "KeyBudget": {**_BUDGET, "allow_unpriced": "Whether models without a known price may be asked."},
    "KeyBudgetUpdate": {name: words + _LATER for name, words in _BUDGET.items()},
    "KeyAllowed": {
        "providers": "The providers' ids; at most 200. Null: every provider; empty: none.",
        "models": "The models' names, of which the last character may be `*` for any ending; at most 200. Null: every model; "
        "empty: none.",
    },
    "KeyRotation": {
        "overlap_s": "For how many seconds the secrets of now stay valid beside the new ones; a day at most."
    },
    "ApiKey": _SHOWN,
    "OwnKey": {**_SHOWN, "budget": "Where its budget stands in this period; null where it has none."},
    "KeyIssued": {
        **_SHOWN,
        "secret": "Sent as `Authorization: Bearer <secret>` or as `X-Api-Key`. Shown this once; null in a replay.",
        "signing_secret": "Requests are signed with it, and it is never sent. Shown this once; null in a replay.",
        "warnings": "What a client should know: in a replay, how to come by new secrets.",
    },
    "KeyList": {
        "items": "The keys of this page.",
        "next_cursor": "What to send as `cursor` for the next page; null on the last one.",
    },
    "BudgetState": {
        "spent_usd": "What was spent in this period, a decimal text in US dollars.",
        "reserved_usd": "What queries that still run may cost.",
        "remaining_usd": "What may still be spent.",
        "resets_at": "When the period ends.",
    },
}
