"""Every error code of the API: its status, what it means, and what a client does about it. Plain data, for people to read.

A code stays here when nothing raises it yet: clients may be written against the whole contract.
"""

from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True)
class ErrorCode:
    """`meaning` and `remedy` are whole sentences; code is written between backticks."""

    status: int
    meaning: str
    remedy: str


_WAIT: Final = "Wait as many seconds as `Retry-After` says, then send the same request again."

ERROR_CODES: Final[dict[str, ErrorCode]] = {
    "malformed_request": ErrorCode(
        400,
        "The request cannot be read: its body is no JSON, holds a name twice, is nested too deeply, or a cursor or an event id "
        "is none of the API's.",
        "Mend what `detail` names. The same request fails again.",
    ),
    "unauthenticated": ErrorCode(
        401,
        "No API key was sent, or one that is unknown, revoked or expired, or two different ones.",
        "Send the key as `Authorization: Bearer <key>` or as `X-Api-Key`. A key that signs its requests cannot be sent bare.",
    ),
    "signature_invalid": ErrorCode(
        401,
        "The request's signature does not verify: something else was signed, with another secret, or in another form.",
        "Sign the method, path, query and body as they are sent, with the `signing_secret` of the key in `keyid`.",
    ),
    "signature_expired": ErrorCode(
        401,
        "The signature's `created` is more than 300 seconds from the gateway's clock.",
        "Set the clock right, and sign each try anew.",
    ),
    "signature_replayed": ErrorCode(
        401,
        "The signature's `nonce` was used before.",
        "Take a new random `nonce` for each request, for a retry too.",
    ),
    "forbidden": ErrorCode(
        403,
        "The key's role may not do this, or a page of another site asked a server that is for programs of its own machine.",
        "Use a key whose role has the permission that `detail` names.",
    ),
    "model_not_allowed": ErrorCode(
        403,
        "The key may not ask for this provider or model.",
        "Ask for one that the key's `allow` lists, or have an administrator change the list.",
    ),
    "pii_blocked": ErrorCode(
        403,
        "The request holds personal data, which the key or the prompt does not let pass to this provider.",
        "Take out what the named fields hold, or ask a provider inside the account where the policy is `local_only`.",
    ),
    "route_not_found": ErrorCode(
        404, "There is no such route.", "Compare the path with the API's description at `/docs` or `/openapi.json`."
    ),
    "provider_not_found": ErrorCode(
        404, "There is no provider with this id.", "List the providers with `GET /api/v1/llm/providers`."
    ),
    "prompt_not_found": ErrorCode(
        404, "There is no prompt with this id.", "List the prompts with `GET /api/v1/llm/prompts`."
    ),
    "prompt_version_not_found": ErrorCode(
        404, "The prompt has no such version.", "List its versions with `GET /api/v1/llm/prompts/{prompt_id}/versions`."
    ),
    "label_not_found": ErrorCode(
        404, "The prompt has no such label.", "Read the prompt: its `labels` are those there are."
    ),
    "test_run_not_found": ErrorCode(
        404,
        "The prompt has no such test run, or it is past the retention.",
        "List the runs with `GET /api/v1/llm/prompts/{prompt_id}/tests`.",
    ),
    "query_not_found": ErrorCode(
        404,
        "There is no query with this id, it was erased, or it is another key's.",
        "Use the id from the query's answer, with the key that asked it.",
    ),
    "key_not_found": ErrorCode(404, "There is no key with this id.", "List the keys with `GET /api/v1/llm/keys`."),
    "erasure_not_found": ErrorCode(
        404, "There is no erasure with this id.", "Use the id from the erasure's own answer."
    ),
    "method_not_allowed": ErrorCode(
        405, "The route does not take this method.", "Use one that the header `Allow` lists."
    ),
    "already_exists": ErrorCode(409, "The id is taken.", "Choose another `id`, or change what is there with `PUT`."),
    "idempotency_conflict": ErrorCode(
        409,
        "The `Idempotency-Key` was used with another body within the last 24 hours.",
        "Take a new key for a new request; send the first body again for a retry.",
    ),
    "query_in_progress": ErrorCode(
        409,
        "The query is not at its end yet: one with this `Idempotency-Key` runs, or the stream to be resumed is queued.",
        "Wait as many seconds as `Retry-After` says, or ask for the query's status.",
    ),
    "query_cancelled": ErrorCode(
        409, "The query was cancelled, by its owner or because its client left.", "Ask again if the answer is wanted."
    ),
    "last_admin": ErrorCode(
        409,
        "Nobody could manage the gateway any more: no other active key has the role `admin`, or none that lasts as long.",
        "Make another admin key first, or move the end of one.",
    ),
    "prompt_in_use": ErrorCode(
        409,
        "The role is shipped with the gateway, or a prompt's newest or labelled version names it.",
        "Change the prompts that `detail` names first.",
    ),
    "query_expired": ErrorCode(
        410, "The query is older than the deployment keeps queries.", "Ask again; the answer is not stored any more."
    ),
    "revision_conflict": ErrorCode(
        412,
        "The resource has changed since it was read; nothing was written.",
        "Read it again, make the change to what it is now, and send it with the new revision.",
    ),
    "payload_too_large": ErrorCode(
        413,
        "The body is longer than 4 MB, or the answer is longer than can be sent at once.",
        "Send less; read an answer that is stored as a stream, at the address in `detail`.",
    ),
    "unsupported_media_type": ErrorCode(
        415,
        "The body is not `application/json`, or it is packed.",
        "Send plain JSON with `Content-Type: application/json`.",
    ),
    "validation_failed": ErrorCode(
        422,
        "The request can be read, but a field is wrong, unknown or missing; or the provider refused the request itself.",
        "Mend each field in `errors`. Where a provider refused it, `provider_message` says why.",
    ),
    "template_invalid": ErrorCode(
        422,
        "The prompt's template cannot be used: a variable is used but not declared, or declared but not used.",
        "Mend what `errors` names and save again.",
    ),
    "template_variables_invalid": ErrorCode(
        422,
        "A variable of the prompt is missing, unknown, or not of the declared type.",
        "Send the variables that the prompt's version declares.",
    ),
    "context_window_exceeded": ErrorCode(
        422,
        "The messages do not fit into the window of any model that could be asked.",
        "Send fewer or shorter messages, lower `max_output_tokens`, or ask a model with a larger window.",
    ),
    "unsupported_parameter": ErrorCode(
        422,
        "The model that was asked cannot take a parameter of the request.",
        "Leave it out, take a value that `detail` lists, or ask another model.",
    ),
    "unpriced_model": ErrorCode(
        422,
        "The key has a budget, and no price is known for any model that could be asked.",
        "Set the model's prices at its provider, or let the key use models without a price.",
    ),
    "quality_gate_failed": ErrorCode(
        422,
        "The label's gate keeps this version out: its tests did not pass, or were not run since it changed.",
        "Run the prompt's tests, mend what fails, and move the label then.",
    ),
    "rate_limited": ErrorCode(
        429, "The key's own limit is reached: requests or tokens a minute, or requests that wait at once.", _WAIT
    ),
    "budget_exceeded": ErrorCode(
        429,
        "The key's budget for this day or month is spent.",
        "Wait for the next period, which `Retry-After` leads to, or have an administrator raise the budget.",
    ),
    "provider_rate_limited": ErrorCode(429, "Every provider that could be asked is at its limit.", _WAIT),
    "answer_withheld": ErrorCode(
        500,
        "A provider answered, and personal data could not be looked for in the answer, as the key or the prompt wants. Nothing "
        "of it was kept; what it cost is counted.",
        "Tell the operator: the log names what failed. The query is not asked a second time by itself; send it again once that "
        "is mended.",
    ),
    "answer_lost": ErrorCode(
        500,
        "A provider was asked, and what came of it could not be stored. What it cost is counted.",
        "The query is not asked and paid a second time by itself. Send it again, if it is worth that.",
    ),
    "internal_error": ErrorCode(
        500,
        "Something unforeseen happened inside the gateway.",
        "Try again once. If it stays, tell the operator the `request_id`: the log has the reason under it.",
    ),
    "provider_error": ErrorCode(
        502,
        "The provider failed to answer: it said so, or the connection broke.",
        "Try again later, or name another provider in `fallback`. `attempts` and `provider_message` say what happened.",
    ),
    "provider_auth_failed": ErrorCode(
        502,
        "The provider refuses the stored credentials, or what their account may use.",
        "An operator sends the provider's credentials anew with `PUT`, and probes with `GET …/status?probe=true`.",
    ),
    "provider_response_invalid": ErrorCode(
        502,
        "The provider's answer is not what its API promises, or it is too large.",
        "Check the provider's `base_url` and `kind`; try again, or ask another provider.",
    ),
    "response_validation_failed": ErrorCode(
        502,
        "The model's answer does not follow the schema, and mending it once did not help.",
        "`detail` names the place. Simplify the schema, or ask a more capable model.",
    ),
    "no_provider_available": ErrorCode(
        503,
        "None of the providers that could be asked gave an answer: unreachable, disabled, left alone after failures, or failed.",
        "Wait as many seconds as `Retry-After` says. `attempts` has the reason for each of them.",
    ),
    "dependency_unavailable": ErrorCode(
        503, "A part of the deployment that the gateway needs, such as its tables, did not answer.", _WAIT
    ),
    "provider_timeout": ErrorCode(
        504,
        "The provider did not answer in the time that its `timeouts` or the query give it.",
        "`detail` names the limit that struck: raise it, ask for less, or ask async or as a stream.",
    ),
    "deadline_exceeded": ErrorCode(
        504,
        "The query's own `timeout_s` was over before an answer was there.",
        "Raise `timeout_s`; above 28 s ask with `mode: async` or as a stream.",
    ),
}
