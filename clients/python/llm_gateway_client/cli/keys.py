"""`llm-gateway keys`: who may ask."""

from typing import Annotated, Any, cast

import typer

from llm_gateway_client import files
from llm_gateway_client.answers import ApiKey, KeyIssued, OwnKey
from llm_gateway_client.cli.session import Json, Yes, confirm, session

commands = typer.Typer(help="API keys: who may ask.", no_args_is_help=True, rich_markup_mode=None)

Id = Annotated[str, typer.Argument(help="The key's id, `key_…`.")]


@commands.command("list")
def list_keys(
    everything: Annotated[bool, typer.Option("--all", help="Those that were revoked, too.")] = False,
    as_json: Json = False,
) -> None:
    """List the keys."""
    keys = [key for key in session().client.keys.list() if everything or key.status != "revoked"]
    terminal = session().terminal
    if as_json:
        terminal.json(keys)
        return
    rows = [(key.id, key.name, key.role, key.status, key.hint, key.tags, key.last_used_at) for key in keys]
    terminal.table(("id", "name", "role", "status", "ends in", "tags", "last used"), rows)


@commands.command()
def show(key_id: Id, as_json: Json = False) -> None:
    """Show a key; `self` is the one that asks, with its budget."""
    client = session().client
    key: ApiKey | OwnKey = client.keys.own() if key_id == "self" else client.keys.get(key_id)
    if as_json:
        session().terminal.json(key)
        return
    session().terminal.say(files.write(key.model_dump(mode="json")), end="")


@commands.command("self")
def show_own(as_json: Json = False) -> None:
    """Show the key that asks, with what is left of its budget."""
    show("self", as_json)


@commands.command()
def create(
    name: Annotated[str, typer.Argument(help="A name for people.")],
    role: Annotated[str, typer.Option(help="admin, operator, prompt_editor, caller or auditor.")] = "caller",
    requests_per_minute: Annotated[int | None, typer.Option(min=1)] = None,
    tokens_per_minute: Annotated[int | None, typer.Option(min=1)] = None,
    budget_usd: Annotated[str | None, typer.Option(help="What it may spend, such as 25.00.")] = None,
    per: Annotated[str, typer.Option(help="The budget's period: day or month.")] = "month",
    allow_model: Annotated[
        list[str] | None, typer.Option(help="A model it may ask for; `*` at the end; several times.")
    ] = None,
    allow_provider: Annotated[list[str] | None, typer.Option(help="A provider it may ask for; several times.")] = None,
    tag: Annotated[list[str] | None, typer.Option(help="Usage is summed up for it; several times.")] = None,
    expires_at: Annotated[str | None, typer.Option(help="Its end, such as 2027-01-31T00:00:00Z.")] = None,
    as_json: Json = False,
) -> None:
    """Make a key. Its secret is printed this once."""
    limits = {"requests_per_minute": requests_per_minute, "tokens_per_minute": tokens_per_minute}
    allow = {"models": allow_model or None, "providers": allow_provider or None}
    body: dict[str, Any] = {"name": name, "role": role, "tags": tag or [], "expires_at": expires_at}
    body["limits"] = limits if any(limits.values()) else None
    body["budget_usd"] = {"amount": budget_usd, "period": per} if budget_usd else None
    body["allow"] = allow if any(allow.values()) else None
    _show_secret(
        session().client.keys.create(**cast("Any", {each: told for each, told in body.items() if told})), as_json
    )


@commands.command()
def rotate(
    key_id: Id,
    overlap: Annotated[int, typer.Option(min=0, max=86_400, help="Seconds for which the old secret is valid.")] = 0,
    as_json: Json = False,
) -> None:
    """Give a key a new secret, which is printed this once."""
    _show_secret(session().client.keys.rotate(key_id, overlap_s=overlap), as_json)


@commands.command()
def revoke(key_id: Id, yes: Yes = False) -> None:
    """End a key: its next request is refused."""
    key = session().client.keys.get(key_id)
    confirm(f"Revoke {key_id} ({key.name}, {key.role})?", yes=yes)
    session().client.keys.revoke(key_id, if_match=key.revision)
    session().terminal.note(f"{key_id} is revoked.")


def _show_secret(key: KeyIssued, as_json: bool) -> None:
    terminal = session().terminal
    if as_json:
        terminal.json(key)
        return
    terminal.note(f"{key.id} ({key.name}, {key.role}). The secret is shown this once:")
    terminal.say(key.secret or "")
