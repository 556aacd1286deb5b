"""All commands, under their names."""

from typing import Annotated

import typer

from llm_gateway_client.cli import (
    applying,
    asking,
    auditing,
    chatting,
    keys,
    login,
    models,
    overview,
    prompts,
    providers,
    queries,
    usage,
)
from llm_gateway_client.cli.session import session

app = typer.Typer(
    name="llm-gateway",
    help="Asks an LLM gateway, and manages its providers, prompts and keys.",
    epilog="Exit statuses: 0 done, 1 tests failed, 2 misused or refused as invalid, 3 not allowed, 4 not found or in conflict, "
    "5 a limit, 6 nothing usable came back, 130 interrupted.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)


@app.callback()
def _begin(
    url: Annotated[str | None, typer.Option(help="The gateway's address, instead of GATEWAY_URL.")] = None,
    retries: Annotated[int, typer.Option(min=0, max=10, help="How often what may pass is tried again.")] = 2,
    allow_http: Annotated[
        bool, typer.Option("--allow-http", help="Send the key over plain http, on a network of your own.")
    ] = False,
) -> None:
    session().url = url
    session().most_retries = retries
    session().allow_http = allow_http


app.command("ask")(asking.ask)
app.command("chat")(chatting.chat)
app.command("models")(models.list_models)
app.command("usage")(usage.show_usage)
app.command("audit")(auditing.show_audit)
app.command("status")(overview.show_status)
app.command("apply")(applying.apply)
app.command("login")(login.login)
app.add_typer(providers.commands, name="providers")
app.add_typer(prompts.commands, name="prompts")
app.add_typer(keys.commands, name="keys")
app.add_typer(queries.commands, name="queries")
