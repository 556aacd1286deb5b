"""How a command ends: its exit status, what went wrong, and what to do about it."""

from subprocess import CalledProcessError
from typing import Final

from llm_gateway_client import errors
from llm_gateway_client.cli.places import NoPlace
from llm_gateway_client.files import FileBroken

OK: Final = 0
FAILED: Final = 1
MISUSED: Final = 2
NOT_ALLOWED: Final = 3
NOT_SO: Final = 4
LIMITED: Final = 5
UNAVAILABLE: Final = 6
INTERRUPTED: Final = 130

# The first kind that fits: its exit status, and what to do.
ENDS: Final[tuple[tuple[type[Exception], int, str], ...]] = (
    (NoPlace, MISUSED, ""),
    (FileBroken, MISUSED, ""),
    (ValueError, MISUSED, ""),
    (errors.Unauthorized, NOT_ALLOWED, "Is GATEWAY_KEY the key of this gateway? `llm-gateway login URL` keeps another one."),
    (errors.ModelNotAllowed, NOT_ALLOWED, "`llm-gateway keys self` shows what the key may ask."),
    (errors.NotAllowed, NOT_ALLOWED, "`llm-gateway keys self` shows the key's role; an admin can make one with another."),
    (errors.RevisionConflict, NOT_SO, "Somebody else has changed it meanwhile: look at it again, and repeat the command."),
    (errors.QueryInProgress, NOT_SO, "It goes on: `llm-gateway queries show ID --wait` waits for it."),
    (errors.NotFound, NOT_SO, ""),
    (errors.Conflict, NOT_SO, ""),
    (errors.QueryExpired, NOT_SO, ""),
    (errors.MethodNotAllowed, NOT_SO, "Does GATEWAY_URL lead to a gateway, and to its stage?"),
    (errors.BudgetExceeded, LIMITED, "`llm-gateway keys self` shows the budget; an admin can raise it."),
    (errors.TooManyRequests, LIMITED, "`llm-gateway keys self` shows the key's limits, `llm-gateway status` those of providers."),
    (errors.NoProviderAvailable, UNAVAILABLE, "`llm-gateway status` shows how the providers do."),
    (errors.ProviderAuthFailed, UNAVAILABLE, "`llm-gateway providers rotate PROVIDER` gives the provider another API key."),
    (errors.ProviderFailed, UNAVAILABLE, "`llm-gateway providers test PROVIDER` asks the provider once."),
    (errors.OutOfTime, UNAVAILABLE, "`--timeout` gives an answer more time."),
    (errors.GatewayFailed, UNAVAILABLE, "Repeat the command in a while; if it stays so, its operators need the request's id."),
    (errors.Refused, MISUSED, ""),
    (errors.ConnectionFailed, UNAVAILABLE, "Does the gateway run, and is its address right? `llm-gateway status` tells it."),
    (errors.TimedOut, UNAVAILABLE, "Repeat the command in a while; `--timeout` gives an answer more time."),
    (errors.AnswerUnreadable, UNAVAILABLE, "Does GATEWAY_URL lead to a gateway, and to its stage?"),
    (errors.StreamBroken, UNAVAILABLE, "The answer may be there: `llm-gateway queries show ID` reads it."),
    (errors.QueryUnfinished, UNAVAILABLE, "It goes on: `llm-gateway queries show ID --wait` waits for it."),
    (errors.RunUnfinished, UNAVAILABLE, "`llm-gateway prompts run PROMPT RUN --wait` waits for it."),
    (errors.ErasureUnfinished, UNAVAILABLE, "The same command again erases what is left, and waits for it."),
    # A file that cannot be read or written, an editor that is not there or failed.
    (OSError, MISUSED, ""),
    (CalledProcessError, MISUSED, ""),
)  # fmt: skip
TOLD: Final = tuple(kind for kind, _, _ in ENDS)


def status_of(error: Exception) -> int:
    """The exit status that an error ends a command with."""
    return next(status for kind, status, _ in ENDS if isinstance(error, kind))


def lines_of(error: Exception) -> list[str]:
    """What went wrong, in which fields, and what to do."""
    lines = [str(error)]
    if isinstance(error, errors.Refused):
        lines += [
            f"  {field}: {message}" for field, message in error.errors if f"{field}: {message}" not in error.detail
        ]
        lines += [f"  The provider says: {error.provider_message}"] if error.provider_message else []
        lines += [
            f"  {attempt.get('provider')}: {attempt.get('detail')}"
            for attempt in error.attempts
            if attempt.get("detail")
        ]
        lines += [f"  A retry makes sense after {error.retry_after_s:.0f} s."] if error.retry_after_s else []
        lines += (
            [f"  Request {error.request_id}" + (f", query {error.query_id}" if error.query_id else "")]
            if error.request_id
            else []
        )
    advice = next(advice for kind, _, advice in ENDS if isinstance(error, kind))
    return [*lines, *([_filled(advice, error)] if advice else [])]


def _filled(advice: str, error: Exception) -> str:
    """The advice with the query, the run, and the provider that was asked last, in the places of `ID`, `RUN`, `PROVIDER`."""
    asked = [str(attempt["provider"]) for attempt in getattr(error, "attempts", ()) if attempt.get("provider")]
    query_id = getattr(error, "query_id", None)
    if isinstance(error, errors.RunUnfinished):
        return advice.replace(" PROMPT RUN", f" {error.prompt_id} {error.run_id}")
    return advice.replace(" ID", f" {query_id or 'ID'}").replace(" PROVIDER", f" {asked[-1] if asked else 'PROVIDER'}")


def told(error: Exception) -> dict[str, object]:
    """The same for programs: the gateway's problem where there is one."""
    if isinstance(error, errors.Refused):
        return {"error": {"code": error.actual_code or None, "detail": error.detail, **error.problem}}
    return {"error": {"code": None, "detail": str(error)}}
