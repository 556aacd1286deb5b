"""`llm-gateway status`: which gateway this is, whether it answers, and how its providers do."""

from typing import Any

from rich.text import Text

from llm_gateway_client.answers import OwnKey, ProviderStatus
from llm_gateway_client.cli.providers import state_of
from llm_gateway_client.cli.session import Json, session
from llm_gateway_client.errors import NotAllowed

_COLOURS = {"healthy": "green", "untried": "dim", "degraded": "yellow", "unavailable": "red", "disabled": "dim"}


def show_status(as_json: Json = False) -> None:
    """Show which gateway is used and how it was found, whether it answers, the key, and how each provider does."""
    place, client, terminal = session().place, session().client, session().terminal
    if not as_json:
        terminal.say(f"Gateway   {place.url} (told by {place.told_by})")
    client.health()
    key = client.keys.own()
    statuses = _providers()
    if as_json:
        told: dict[str, Any] = {"url": place.url, "told_by": place.told_by, "key": key.model_dump(mode="json")}
        shown = None if statuses is None else [each.model_dump(mode="json") for each in statuses]
        terminal.json(told | {"providers": shown})
        return
    terminal.say(f"Key       {key.name} ({key.role}, {key.id}){_budget(key)}")
    if statuses is None:
        terminal.note("How providers do is not this key's to see.")
        return
    rows = [
        (
            each.provider_id,
            Text(state_of(each), style=_COLOURS.get(state_of(each), "")),
            each.circuit,
            each.metrics.requests,
            f"{each.metrics.error_rate or 0:.0%}",
            each.metrics.latency_ms.p50,
            each.limits.requests_remaining,
            each.last_error.detail if each.last_error else None,
        )
        for each in statuses
    ]
    columns = ("provider", "state", "circuit", "requests", "errors", "p50 ms", "requests left", "last error")
    terminal.table(columns, rows, right=columns[3:7])


def _providers() -> list[ProviderStatus] | None:
    """None where the key may not see it."""
    client = session().client
    try:
        return [client.providers.status(each.id) for each in client.providers.list()]
    except NotAllowed:
        return None


def _budget(key: OwnKey) -> str:
    return f", ${key.budget.remaining_usd} left until {key.budget.resets_at[:10]}" if key.budget else ""
