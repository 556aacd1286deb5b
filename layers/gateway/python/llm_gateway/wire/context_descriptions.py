"""What each field of a context and of a query's plan means. Only the document needs them, and no request."""

from collections.abc import Mapping
from typing import Final

FIELDS: Final[Mapping[str, Mapping[str, str]]] = {
    "ContextInput": {
        "items": "The texts, at most 5,000, in the order in which they are to be read. Empty by default.",
        "strategy": (
            "What is sent where not all fits: `relevance` (the default), what matches the last user message; `recent`, whole "
            "items from the end; `head` or `tail`, the beginning or the end of the text; `middle_out`, both ends."
        ),
        "max_tokens": "How many tokens the items may take, marks included. Null: as many as the model's window leaves.",
        "ranking": "How `relevance` is told: `bm25` (the default), by words, or by `embeddings` of `embedding_model`.",
        "embedding_model": "Who embeds, as `provider/model`, where `ranking` is `embeddings`. Null otherwise.",
        "exact": (
            "Whether to have the provider count tokens before it is asked, where it can (Anthropic, llama.cpp): up to four small "
            "calls more, and more fits. By default the gateway counts, or estimates with a margin."
        ),
        "cache": (
            "Whether to ask Anthropic to keep what comes before the items that are not pinned: writing it costs more, reading it "
            "again less. By default nothing is asked."
        ),
        "history": "How much of the conversation before the last user message is sent. Null: all of it.",
    },
    "ContextItemInput": {
        "id": "What the answer calls it; no two items have the same.",
        "text": "What is to be read.",
        "source": "Where it is from, for the model to name. Null: nothing is said of that.",
        "pinned": "Whether it must be sent whole; then it comes before those that are not. Not by default.",
    },
    "HistoryInput": {
        "max_tokens": "How many tokens the earlier turns may take. Null: as many as there are.",
        "keep": "Which are kept: always the most `recent`. A tool's result is never kept without its call.",
    },
    "ContextResult": {
        "included": "The ids of items that were sent whole.",
        "truncated": "The ids of items of which a part was sent.",
        "dropped": "The ids of items that were not sent.",
        "tokens": "What the items took, marks included.",
        "exact": "Whether the tokens are counted by the model's own tokenizer; otherwise they are estimated, rather too high.",
        "items": "Every item, in the order of the query.",
    },
    "ContextItemResult": {
        "id": "The item's id.",
        "outcome": "Whether it was sent.",
        "score": "How well it matches the question, of all items the best one 1; null where nothing was ranked.",
        "tokens": "The tokens of what was sent of it, without marks.",
        "reason": "Why it was not sent whole: `no_room`, `duplicate` or `empty`; null where it was.",
        "duplicate_of": "The id of the item that says the same, where it is a `duplicate`.",
    },
    "QueryPlan": {
        "candidates": "Who would be asked, in this order, and who would be skipped.",
        "system": "The system prompt that the first one would be sent; null where there is none.",
        "context": "What of the context the first one would be sent; null where the query has none.",
        "prompt": "The version of the prompt that it would be made from; null where it is made from none.",
        "roles": "The versions of the roles in its system message, in their order.",
        "warnings": "What a client should know: what would be left out.",
    },
    "PlannedCandidate": {
        "provider": "The provider's id.",
        "model": "The model that would be asked.",
        "outcome": "Whether it would be asked if its turn came.",
        "detail": "Why it would be skipped; null where it would not.",
        "tokens": "The input tokens by part, as the gateway counts them; null where it would be skipped.",
        "estimated_usd": "What a budget would reserve for the call, a decimal text in US dollars; null where no price is known.",
        "max_usd": "What it could cost with the longest answer; null where no price is known.",
    },
    "TokenParts": {
        "system": "The system prompt without the context.",
        "context": "The items and their marks.",
        "history": "The turns before the last user message.",
        "question": "The last user message and what follows it.",
        "tools": "Tools and the schema of the output.",
        "total": "All of them.",
    },
}
