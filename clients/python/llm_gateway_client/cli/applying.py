"""`llm-gateway apply`: makes a gateway what a file says."""

from pathlib import Path
from typing import Annotated, Any, Final

import typer

from llm_gateway_client import manifests
from llm_gateway_client.answers import KeyIssued
from llm_gateway_client.cli.session import Json, Yes, confirm, session
from llm_gateway_client.errors import GatewayError
from llm_gateway_client.manifests import Change
from llm_gateway_client.pruning import removals

_COLOURS: Final = {"+": "green", "~": "yellow", "=": "dim", "-": "red"}


def apply(
    file: Annotated[Path, typer.Argument(help="A YAML file with `providers`, `prompts` and `keys`.")],
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Show the plan, and do nothing.")] = False,
    prune: Annotated[
        bool,
        typer.Option(
            "--prune", help="Remove what is in none of the file's sections; a section that it lacks is left alone."
        ),
    ] = False,
    yes: Yes = False,
    as_json: Json = False,
) -> None:
    """Make the gateway what a file says: shows a plan first, and a second time there is nothing to do.

    What the file does not name stays, unless --prune is said. `${NAME}` in providers and keys comes from the environment.
    New keys are printed.
    """
    terminal = session().terminal
    manifest, client = manifests.read(file), session().client
    changes = [*manifest.changes(client), *(removals(manifest, client) if prune else ())]
    needed = [change for change in changes if change.is_needed]
    if not as_json:
        for change in changes:
            terminal.say(f"{change.sign} {change.what}{_in(change)}", style=_COLOURS[change.sign])
        terminal.note(f"{len(needed)} of {len(changes)} to change." if needed else "All is as it should be.")
    if needed and not dry_run:
        gone = sum(change.sign == "-" for change in needed)
        what = f"Change {len(needed) - gone} and remove {gone}" if gone else f"Change {len(needed)}"
        confirm(f"{what} at {session().place.url}?", yes=yes)
    made: list[KeyIssued] = []
    try:
        for change in () if dry_run else needed:
            _carry_out(change, made)
    finally:  # Whatever comes, a secret that was made is shown: nobody can ask for it again.
        if as_json:
            terminal.json(
                {
                    "changes": [_told(change) for change in changes],
                    "is_dry": dry_run,
                    "keys": [key.model_dump(mode="json") for key in made],
                }
            )


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
    members = f": {', '.join(change.members)}" if change.members else ""
    return f"{members} ({change.note})" if change.note else members


def _told(change: Change) -> dict[str, Any]:
    note = {"note": change.note} if change.note else {}
    return {"sign": change.sign, "what": change.what, "members": list(change.members), **note}
