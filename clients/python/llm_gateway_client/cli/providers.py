"""`llm-gateway providers`: who answers."""

import os
import sys
from pathlib import Path
from typing import Annotated, Any, cast

import typer

from llm_gateway_client import files, manifests
from llm_gateway_client.answers import ProviderStatus
from llm_gateway_client.cli.session import Json, Yes, confirm, session
from llm_gateway_client.cli.statuses import FAILED

commands = typer.Typer(help="Providers: who answers.", no_args_is_help=True, rich_markup_mode=None)

Id = Annotated[str, typer.Argument(help="The provider's id.")]
KeyVariable = Annotated[
    str | None, typer.Option("--api-key-env", help="The environment variable that holds the API key.")
]
NoKey = Annotated[bool, typer.Option("--no-api-key", help="It takes none.")]


@commands.command("list")
def list_providers(as_json: Json = False) -> None:
    """List all providers."""
    providers = sorted(session().client.providers.list(), key=lambda each: (each.priority, each.id))
    terminal = session().terminal
    if as_json:
        terminal.json(providers)
        return
    rows = [
        (
            each.id,
            each.kind,
            each.default_model,
            each.priority,
            each.weight,
            each.enabled,
            each.credentials.hint,
            each.base_url,
        )
        for each in providers
    ]
    terminal.table(("id", "kind", "default model", "priority", "weight", "enabled", "key", "address"), rows)


@commands.command()
def show(provider_id: Id, as_json: Json = False) -> None:
    """Show one provider as a file for `apply`, without its API key; `--json` has all that the gateway says of it."""
    provider = session().client.providers.get(provider_id)
    terminal = session().terminal
    if as_json:
        terminal.json(provider)
        return
    terminal.say(files.write(manifests.as_file(provider)), end="")
    credentials = provider.credentials
    if credentials.configured:
        terminal.say(
            f"# Its API key ends in {credentials.hint}, and stays where it is: a file that says none changes none."
        )


@commands.command()
def add(
    provider_id: Id,
    kind: Annotated[str, typer.Option(help="openai, anthropic, openai_compatible, llama_cpp or bedrock.")],
    model: Annotated[str, typer.Option(help="The model that answers where a query names none.")],
    name: Annotated[str | None, typer.Option(help="A name for people.")] = None,
    base_url: Annotated[str | None, typer.Option(help="Its address, where it is not the vendor's own.")] = None,
    api_key_env: KeyVariable = None,
    no_api_key: NoKey = False,
    priority: Annotated[int | None, typer.Option(help="Lower is tried first.")] = None,
    location: Annotated[
        str | None, typer.Option(help="`account` where words stay in the account, else `vendor`.")
    ] = None,
    requests_per_minute: Annotated[int | None, typer.Option(min=1, help="What it is sent at most.")] = None,
    tokens_per_minute: Annotated[int | None, typer.Option(min=1, help="What it is sent at most.")] = None,
    file: Annotated[Path | None, typer.Option("--file", "-f", help="A YAML file with everything else.")] = None,
    test: Annotated[bool, typer.Option("--test/--no-test", help="Ask it once when it is there.")] = True,
    as_json: Json = False,
) -> None:
    """Add a provider. Its API key is read from a variable, from standard input, or asked for: never from the command line."""
    body: dict[str, Any] = files.read(file) if file else {}
    said = {"id": provider_id, "kind": kind, "default_model": model, "name": name or body.get("name") or provider_id}
    said |= {"base_url": base_url, "priority": priority, "location": location}
    body |= {member: value for member, value in said.items() if value is not None}
    limits = {"requests_per_minute": requests_per_minute, "tokens_per_minute": tokens_per_minute}
    if any(limits.values()):
        body["limits"] = {**body.get("limits", {}), **{each: value for each, value in limits.items() if value}}
    if not no_api_key and kind != "bedrock":
        body["credentials"] = {"api_key": _api_key(api_key_env, provider_id)}
    made = session().client.providers.create(**cast("Any", body))
    terminal = session().terminal
    if as_json:
        terminal.json(made)
    else:
        terminal.say(f"{made.id} is there: {made.kind}, {made.default_model}, priority {made.priority}.")
    if test:
        _test(made.id, to_stdout=False)


@commands.command("test")
def probe(provider_id: Id, as_json: Json = False) -> None:
    """Ask a provider once, and show how it does; exit status 1 where it fails."""
    _test(provider_id, to_stdout=True, as_json=as_json)


@commands.command()
def rotate(provider_id: Id, api_key_env: KeyVariable = None, as_json: Json = False) -> None:
    """Give a provider another API key."""
    changed = session().client.providers.rotate(provider_id, _api_key(api_key_env, provider_id))
    terminal = session().terminal
    if as_json:
        terminal.json(changed)
    else:
        terminal.say(f"{provider_id} has the key {changed.credentials.hint} now.")


@commands.command()
def remove(provider_id: Id, yes: Yes = False) -> None:
    """Remove a provider, with its credentials."""
    provider = session().client.providers.get(provider_id)
    confirm(f"Remove {provider_id} ({provider.name})?", yes=yes)
    session().client.providers.delete(provider_id, if_match=provider.revision)
    session().terminal.note(f"{provider_id} is gone.")


def _test(provider_id: str, *, to_stdout: bool, as_json: bool = False) -> None:
    terminal = session().terminal
    with terminal.working(f"Asking {provider_id}…"):
        status = session().client.providers.status(provider_id, probe=True)
    if as_json:
        terminal.json(status)
    elif to_stdout:
        terminal.say(told(status), style="green" if status.state == "healthy" else "red")
    else:
        terminal.note(told(status), style="green" if status.state == "healthy" else "red")
    if status.state not in ("healthy", "disabled"):
        raise typer.Exit(FAILED)


def told(status: ProviderStatus) -> str:
    """A sentence about how a provider does."""
    error = status.last_error
    why = f": {error.detail or error.code}" if error is not None and status.state != "healthy" else ""
    return f"{status.provider_id} is {state_of(status)}{why}"


def state_of(status: ProviderStatus) -> str:
    """Its state; `untried` where nothing is known against it because it was never asked."""
    is_untried = status.state == "healthy" and status.last_success_at is None and status.metrics.requests == 0
    return "untried" if is_untried else status.state


def _api_key(variable: str | None, provider_id: str) -> str:
    """Raises ValueError where there is none."""
    if variable:
        key = os.environ.get(variable, "")
    elif sys.stdin.isatty():
        key = str(typer.prompt(f"API key of {provider_id}", hide_input=True, err=True))
    else:
        key = sys.stdin.readline()
    if not key.strip():
        raise ValueError(
            f"There is no API key{f' in {variable}' if variable else ' on standard input'}. "
            "Say --api-key-env NAME, or --no-api-key if it takes none."
        )
    return key.strip()
