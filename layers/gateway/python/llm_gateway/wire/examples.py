"""Requests that work as they stand against the gateway that `make run` starts, by operation: what they show, and the body."""

from collections.abc import Mapping
from typing import Any, Final

_QUESTION: Final = {
    "messages": [{"role": "user", "content": "Name three fruits."}],
    "provider": "local",
    "parameters": {"temperature": 0, "max_output_tokens": 60},
}
_FACTS: Final = {
    "type": "object",
    "properties": {"name": {"type": "string", "maxLength": 40}, "age": {"type": "integer"}},
    "required": ["name", "age"],
    "additionalProperties": False,
}
_ASKED_OF_TEXTS: Final = [{"role": "user", "content": "How long may I wait with sending it back?"}]
_TEXTS: Final = {
    "items": [
        {
            "id": "returns",
            "text": "What you send back within 30 days is refunded.",
            "source": "https://shop.example/returns",
        },
        {
            "id": "shipping",
            "text": "Parcels leave our house on every working day.",
            "source": "https://shop.example/shipping",
        },
    ],
    "max_tokens": 200,
}
_OLLAMA: Final = {
    "name": "Ollama",
    "kind": "openai_compatible",
    "base_url": "http://127.0.0.1:11434/v1",
    "default_model": "llama3.2",
    "priority": 100,
}
_OPENAI: Final = {
    "id": "openai",
    "name": "OpenAI",
    "kind": "openai",
    "default_model": "gpt-4.1-mini",
    "enabled": False,
    "limits": {"requests_per_minute": 500, "tokens_per_minute": 200000},
    "credentials": {"api_key": "sk-your-own-key"},
}

_GREETING: Final = {
    "name": "Greeting",
    "description": "Greets a customer by name",
    "category": "support",
    "tags": ["tier-1"],
    "template": {
        "system": {"text": "You work for {{ company }}. Answer in one sentence."},
        "messages": [{"role": "user", "content": "Greet {{ customer }} in a {{ tone }} tone."}],
        "variables": {
            "company": {"type": "string", "default": "Example Ltd"},
            "customer": {"type": "string", "max_length": 100},
            "tone": {"type": "string", "enum": ["formal", "friendly"], "default": "friendly"},
        },
    },
    "defaults": {"parameters": {"temperature": 0, "max_output_tokens": 40}},
    "tests": [
        {
            "name": "says a little",
            "variables": {"customer": "Ada"},
            "assert": [{"type": "max_tokens", "value": 40}, {"type": "regex", "value": "^\\s*$", "not": True}],
        }
    ],
    "commit_message": "First version",
}
_PIRATE: Final = {
    "id": "pirate",
    "kind": "role",
    "name": "Pirate",
    "template": {
        "system": {"text": "You talk like a pirate of {{ sea }}."},
        "variables": {"sea": {"type": "string", "default": "the Caribbean"}},
    },
}

_TEAM: Final = {
    "name": "Support team",
    "role": "caller",
    "limits": {"requests_per_minute": 60},
    "budget_usd": {"amount": "25.00", "period": "month"},
    "tags": ["support"],
}

EXAMPLES: Final[Mapping[str, Mapping[str, dict[str, Any]]]] = {
    "run_query": {
        "A question": _QUESTION,
        "With instructions": {**_QUESTION, "system": {"text": "Answer in one short sentence."}},
        "JSON after a schema": {
            **_QUESTION,
            "messages": [{"role": "user", "content": "Ada is 36 years old. Who is that, and how old?"}],
            "output": {"type": "json_schema", "schema": _FACTS},
        },
        "With texts to read": {**_QUESTION, "messages": _ASKED_OF_TEXTS, "context": _TEXTS},
        "To be fetched later": {**_QUESTION, "mode": "async"},
    },
    "stream_query": {"A question": _QUESTION},
    "plan_query": {"With texts to read": {**_QUESTION, "messages": _ASKED_OF_TEXTS, "context": _TEXTS}},
    "create_provider": {"A server of one's own": {"id": "ollama", **_OLLAMA}, "OpenAI, not enabled yet": _OPENAI},
    "update_provider": {"Another model": {**_OLLAMA, "default_model": "llama3.1"}},
    "create_key": {
        "A team's key": _TEAM,
        "A key for three months that signs": {
            "name": "Nightly job",
            "role": "caller",
            "expires_at": "2099-03-31T00:00:00Z",
            "require_signature": True,
        },
    },
    "create_prompt": {"A prompt": {"id": "greeting", **_GREETING}, "A role": _PIRATE},
    "update_prompt": {
        "Another default": {
            **_GREETING,
            "defaults": {"parameters": {"temperature": 0, "max_output_tokens": 60}},
            "commit_message": "Leave more room",
        }
    },
    "render_prompt": {
        "As a query would": {"variables": {"customer": "Ada"}},
        "With a role": {
            "variables": {"customer": "Ada", "tone": "formal"},
            "system": {"roles": ["assistant"], "text": "Mention the weather."},
        },
    },
    "move_label": {
        "To one version": {"version": 1},
        "A tenth of the traffic for a new version": {
            "versions": {"1": 90, "2": 10},
            "gate": {"max_error_rate": 0.05, "min_requests": 100},
            "reason": "a trial",
        },
        "Back to where it was": {"rollback": True},
    },
    "update_key": {"Another limit, and no end": {"limits": {"requests_per_minute": 120}, "expires_at": None}},
    "run_prompt_tests": {
        "At once": {"label": "latest"},
        "Of one candidate, three times, later": {"version": 1, "candidates": ["local"], "repeat": 3, "mode": "async"},
    },
    "give_feedback": {
        "A good answer": {"score": 1},
        "One aspect of it": {"name": "tone", "score": 0.4, "comment": "Too stiff."},
    },
    "create_erasure": {"All that is about one person": {"subject": "customer 42"}},
    "rotate_key": {"Both secrets for an hour": {"overlap_s": 3600}},
}
# What parameters of a path are filled with; a query's id comes from its answer.
PARAMETERS: Final[Mapping[str, str | int]] = {
    "provider_id": "local",
    "code": "rate_limited",
    "prompt_id": "greeting",
    "version": 1,
    "other": 2,
    "label": "production",
}
PARAMETERS_OF: Final[Mapping[str, Mapping[str, str]]] = {
    # Those of a provider that was made after the example above.
    "update_provider": {"provider_id": "ollama"},
    "delete_provider": {"provider_id": "ollama"},
}
