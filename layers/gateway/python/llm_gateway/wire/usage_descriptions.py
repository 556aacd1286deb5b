"""What each field of usage and of lists of queries means. Only the document needs them, and no request."""

from collections.abc import Mapping
from typing import Final

FIELDS: Final[Mapping[str, Mapping[str, str]]] = {
    "UsageList": {
        "items": "Some of the rows, by bucket and then by what they are grouped by.",
        "next_cursor": "Asks for the next page, of the same span of time. Null: there is none.",
    },
    "UsageRow": {
        "key": "Whose queries these are, by the key's id.",
        "provider": "Who answered them, or else was asked last. Null: nobody was asked.",
        "model": "The model that answered them, as the provider calls it, or else was asked last. Null: none was asked.",
        "prompt": "The id of the prompt that they were made from. Null: from none.",
        "tag": "A tag that their keys had when they came in. Null: the keys had none. A query counts under each tag.",
        "bucket": "The start of the hour, the day or the month in UTC in which they ended.",
        "requests": "How many queries ended, however they did. Those that were replayed under an Idempotency-Key count once.",
        "errors": "How many of them failed.",
        "cache_hits": "How many of them were answered from the gateway's cache, at no cost.",
        "input_tokens": "Tokens that were read, as the queries tell: those of a cached answer are the first answer's.",
        "output_tokens": "Tokens that were generated, told in the same way.",
        "cached_input_tokens": "Input tokens that came from the vendor's cache.",
        "reasoning_tokens": "Output tokens that the model thought with.",
        "cost_usd": "What they cost, in US dollars, as far as it is known. Null: nothing is known of any.",
        "unpriced_requests": "How many queries' costs are not known, and so not in `cost_usd`.",
    },
    "QueryList": {
        "items": "Some of the queries, newest first.",
        "next_cursor": "Asks for the next page. Null: there is none. A page may be short and still have a next one.",
    },
    "RoleUsed": {
        "id": "The role's id.",
        "version": "The number of its version; 0 is the one that ships with the gateway.",
    },
    "PromptUsed": {"id": "The prompt's id.", "version": "The number of its version."},
}
LISTED: Final[Mapping[str, str]] = {
    "key": "Whose query it is, by the key's id.",
    "provider": "Who answered, or else was asked last. Null: nobody was, or it has not ended.",
    "model": "The model that answered, or else was asked last.",
    "cost_usd": "What it cost, in US dollars. Null: nobody knows, or it has not ended.",
    "prompt": "The version of a prompt that it was made from; null for none.",
}
