"""`llm-gateway queries`: what was asked."""

from itertools import islice
from typing import Annotated, Final

import typer
from rich.text import Text

from llm_gateway_client.answers import ListedQuery, QueryAttempt, QueryResponse, QueryStatus
from llm_gateway_client.cli import questions
from llm_gateway_client.cli.auditing import Limit
from llm_gateway_client.cli.session import Json, Yes, confirm, goes_on, session
from llm_gateway_client.cli.statuses import FAILED
from llm_gateway_client.cli.times import Since, Until, moment
from llm_gateway_client.errors import ErasureUnfinished, Refused
from llm_gateway_client.polling import ended

commands = typer.Typer(help="Queries: what was asked.", no_args_is_help=True, rich_markup_mode=None)

Id = Annotated[str, typer.Argument(help="The query's id, `qry_…`.")]
Timeout = Annotated[float, typer.Option(min=1, help="Seconds to wait at most.")]
_BAR: Final = 30


@commands.command("list")
def list_queries(
    status: Annotated[str | None, typer.Option(help="queued, running, succeeded, failed or cancelled.")] = None,
    prompt: Annotated[str | None, typer.Option(help="Those made from this prompt.")] = None,
    since: Since = None,
    until: Until = None,
    limit: Limit = 50,
    as_json: Json = False,
) -> None:
    """List queries without their words, newest first; of the last 24 hours, or since a time."""
    found = session().client.queries.list(status=status, prompt=prompt, since=moment(since), until=moment(until))
    queries = list(islice(found, limit))
    terminal = session().terminal
    if as_json:
        terminal.json(queries)
        return
    columns = ("id", "status", "created", "provider", "model", "tries", "$", "prompt", "key")
    terminal.table(columns, map(_row, queries), right=("tries", "$"))


@commands.command()
def show(
    query_id: Id,
    wait: Annotated[bool, typer.Option("--wait", help="Wait until it has ended.")] = False,
    timeout: Timeout = 900,
    as_json: Json = False,
) -> None:
    """Show a query's answer."""
    client, terminal = session().client, session().terminal
    with terminal.working(f"Waiting for {query_id}…"):
        answer = client.wait(query_id, timeout_s=timeout) if wait else client.queries.result(query_id)
    if as_json:
        terminal.json(answer)
        return
    terminal.say(answer.output.text or "")
    for call in answer.output.tool_calls or ():
        terminal.say(f"{call.name}({call.arguments})")
    terminal.note(questions.footer(answer))


@commands.command()
def trace(query_id: Id, as_json: Json = False) -> None:
    """Show what became of a query: its times, and every call to a provider."""
    client, terminal = session().client, session().terminal
    status = client.queries.status(query_id)
    answer, refused = None, None
    try:
        answer = client.queries.result(query_id) if status.status == "succeeded" else None
    except Refused as error:  # An auditor sees how it went, and not what was said.
        refused = error
    if as_json:
        terminal.json({"status": status.model_dump(mode="json"), "attempts": _attempts(status, answer)})
        return
    terminal.say(f"{status.id} is {status.status}")
    for name, at in (
        ("created", status.created_at),
        ("started", status.started_at),
        ("completed", status.completed_at),
    ):
        terminal.say(f"  {name:<10}{at or '-'}")
    if answer is not None:
        spent = answer.latency_ms
        told = f"{spent.total} ms = provider {spent.provider} + waiting {spent.waiting} + gateway {spent.overhead}"
        terminal.say(f"  {'took':<10}{told}")
    attempts = _attempts(status, answer)
    longest = max((took for each in attempts if isinstance(took := each.get("latency_ms"), int)), default=0)
    columns = ("", "provider", "model", "outcome", "ms", "$", "why", "")
    terminal.table(
        columns, [_attempt(index, each, longest) for index, each in enumerate(attempts, 1)], right=("ms", "$")
    )
    if status.error is not None:
        terminal.say(f"  {status.error.code}: {status.error.detail}", style="red")
    if refused is not None:
        terminal.note(f"Its answer is not this key's to see: {refused.detail}")


@commands.command()
def cancel(query_id: Id) -> None:
    """End a query that runs or waits."""
    status = session().client.queries.cancel(query_id)
    session().terminal.say(f"{query_id} is {status.status}.")


@commands.command()
def erase(query_id: Id, yes: Yes = False) -> None:
    """Remove a query with its words, and every copy of its answer."""
    confirm(f"Erase {query_id}? It cannot be brought back.", yes=yes)
    session().client.queries.erase(query_id)
    session().terminal.note(f"{query_id} is erased.")


@commands.command("erase-all")
def erase_all(
    key: Annotated[str | None, typer.Option("--key", help="All queries of this key, by its id.")] = None,
    subject: Annotated[str | None, typer.Option(help="All queries whose metadata.subject is this text.")] = None,
    timeout: Timeout = 900,
    yes: Yes = False,
    as_json: Json = False,
) -> None:
    """Remove all queries of a key or of a subject, and wait until they are gone."""
    if (key is None) == (subject is None):
        raise typer.BadParameter("name a key or a subject, and one of them alone", param_hint="--key / --subject")
    client, terminal = session().client, session().terminal
    confirm(f"Erase all queries of {key or subject}? They cannot be brought back.", yes=yes)
    erasure = client.queries.erase_all(key_id=key, subject=subject)
    begun = erasure.id
    with goes_on(f"{begun} goes on at the gateway."), terminal.working(f"{begun}…") as tell:
        erasure = ended(
            erasure,
            lambda: client.queries.erasure(begun),
            timeout_s=timeout,
            unfinished=lambda why: ErasureUnfinished(f"{begun} {why}", erasure_id=begun),
            tell=lambda erasure: tell(f"{erasure.erased} erased"),
        )
    if as_json:
        terminal.json(erasure)
    else:
        terminal.say(f"{erasure.erased} queries are erased.")
    if erasure.status == "failed":
        terminal.note(f"{erasure.id} has failed, and {erasure.failed} queries are left. Ask for it again.")
        raise typer.Exit(FAILED)


def _row(query: ListedQuery) -> tuple[object, ...]:
    prompt = f"{query.prompt.id}@{query.prompt.version}" if query.prompt else None
    return (
        query.id, query.status, (query.created_at or "")[:19], query.provider, query.model, query.attempts, query.cost_usd,
        prompt, query.key,
    )  # fmt: skip


def _attempts(status: QueryStatus, answer: QueryResponse | None) -> list[dict[str, object]]:
    attempts = answer.attempts if answer is not None else (status.error.attempts if status.error else None) or []
    return [each.model_dump(mode="json") if isinstance(each, QueryAttempt) else dict(each) for each in attempts]


def _attempt(index: int, attempt: dict[str, object], longest: int) -> tuple[object, ...]:
    took = attempt.get("latency_ms")
    bar = "█" * max(1, int(took * _BAR / longest)) if isinstance(took, int) and longest else ""
    outcome = str(attempt.get("outcome"))
    why = attempt.get("detail") or attempt.get("error_code")
    style = "green" if outcome == "ok" else "red" if outcome == "error" else "yellow"
    return (
        index, attempt.get("provider"), attempt.get("model"), Text(outcome, style=style), took, attempt.get("cost_usd"), why,
        Text(bar, style="cyan"),
    )  # fmt: skip
