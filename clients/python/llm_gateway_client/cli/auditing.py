"""`llm-gateway audit`: who changed what."""

from itertools import islice
from typing import Annotated

import typer

from llm_gateway_client.cli.session import Json, session
from llm_gateway_client.cli.times import Since, Until, moment

Limit = Annotated[int, typer.Option("--limit", "-n", min=1, help="How many lines at most.")]


def show_audit(
    since: Since = None,
    until: Until = None,
    actor: Annotated[str | None, typer.Option(help="A key's id.")] = None,
    action: Annotated[str | None, typer.Option(help="An action, such as provider.updated.")] = None,
    limit: Limit = 100,
    as_json: Json = False,
) -> None:
    """Show who changed what, newest first; of the last 24 hours, or since a time."""
    found = session().client.audit(since=moment(since), until=moment(until), actor=actor, action=action)
    entries = list(islice(found, limit))
    terminal = session().terminal
    if as_json:
        terminal.json(entries)
        return
    rows = [
        (entry.at[:19], entry.action, entry.target, entry.outcome, entry.count, entry.actor.role, entry.actor.key_id)
        for entry in entries
    ]
    terminal.table(("at", "action", "target", "outcome", "times", "role", "key"), rows, right=("times",))
