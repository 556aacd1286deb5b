"""`llm-gateway apply`: makes a gateway what a file says."""

from pathlib import Path
from typing import Annotated, Final

import typer

from llm_gateway_client import manifests
from llm_gateway_client.answers import KeyIssued
from llm_gateway_client.cli.session import Json, Yes, confirm, session
from llm_gateway_client.errors import GatewayError
from llm_gateway_client.manifests import Change

_COLOURS: Final = {"+": "green", "~": "yellow", "=": "dim"}


def apply(
    file: Annotated[Path, typer.Argument(help="A YAML file with `providers`, `prompts` and `keys`.")],
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Show the plan, and do nothing.")] = False,
    yes: Yes = False,
    as_json: Json = False,
) -> None:
    """Make the gateway what a file says: shows a plan first, and a second time there is nothing to do.

    What the file does not name stays. `${NAME}` in providers and keys comes from the environment. New keys are printed.
    """
    terminal = session().terminal
    changes = list(manifests.read(file).changes(session().client))
    needed = [change for change in changes if change.is_needed]
    if not as_json:
        for change in changes:
            terminal.say(f"{change.sign} {change.what}{_in(change)}", style=_COLOURS[change.sign])
        terminal.note(f"{len(needed)} of {len(changes)} to change." if needed else "All is as it should be.")
    if needed and not dry_run:
        confirm(f"Change {len(needed)} at {session().place.url}?", yes=yes)
    made: list[KeyIssued] = []
    try:
        for change in () if dry_run else needed:
            _carry_out(change, made)
    finally:  # Whatever comes, a secret that was made is shown: nobody can ask for it again.
        if as_json:
            told = [{"sign": change.sign, "what": change.what, "members": list(change.members)} for change in changes]
            terminal.json({"changes": told, "is_dry": dry_run, "keys": [key.model_dump(mode="json") for key in made]})


def _carry_out(change: Change, made: list[KeyIssued]) -> None:
    terminal = session().terminal
    try:
        with terminal.working(f"{change.what}…"):
            key = change.carry_out()
    except GatewayError:
        terminal.note(f"Stopped at {change.what}; what comes before it in the plan is done.", style="red")
        raise
    if key is None:
        return
    made.append(key)
    if not terminal.as_json:
        terminal.note(f"The secret of {key.name} ({key.id}), shown this once:")
        terminal.say(key.secret or "")


def _in(change: Change) -> str:
    return f": {', '.join(change.members)}" if change.members else ""
