"""What the options of `ask` and `chat` make of a query, and how its answer is shown as it comes."""

import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any

import typer

from llm_gateway_client.answers import DeltaEvent, QueryResponse
from llm_gateway_client.cli.terminal import Terminal
from llm_gateway_client.errors import GatewayError
from llm_gateway_client.files import FileBroken
from llm_gateway_client.synchronous.client import GatewayClient

Provider = Annotated[str | None, typer.Option("--provider", "-p", help="The provider to ask first.")]
Model = Annotated[str | None, typer.Option("--model", "-m", help="A model, or `provider/model`.")]
Fallback = Annotated[list[str] | None, typer.Option(help="Who is asked next; may be given several times.")]
System = Annotated[str | None, typer.Option("--system", "-s", help="An instruction that comes first.")]
Roles = Annotated[
    list[str] | None, typer.Option("--role", help="A role of the gateway's, such as `analyst`; several times.")
]
Temperature = Annotated[float | None, typer.Option(min=0, max=2, help="0 is the least random.")]
MaxTokens = Annotated[int | None, typer.Option(min=1, help="How long the answer may be, in tokens.")]
Timeout = Annotated[float | None, typer.Option(help="Seconds that the answer may take, 840 at most.")]


def query(
    *,
    provider: str | None,
    model: str | None,
    fallback: Sequence[str] | None,
    system: str | None,
    roles: Sequence[str] | None,
    temperature: float | None,
    max_tokens: int | None,
    timeout_s: float | None,
) -> dict[str, Any]:
    """The members of a query that were said."""
    instructions = {"text": system, "roles": list(roles or ()) or None}
    parameters = {"temperature": temperature, "max_output_tokens": max_tokens}
    said = {
        "provider": provider,
        "model": model,
        "fallback": list(fallback) if fallback else None,
        "system": _said(instructions) or None,
        "parameters": _said(parameters) or None,
        "timeout_s": timeout_s,
    }
    return _said(said)


def prompt_choice(prompt: str, variables: Sequence[str]) -> dict[str, Any]:
    """`id`, `id@label` or `id@3`, filled with `NAME=VALUE`s. Raises ValueError for anything else."""
    prompt_id, _, which = prompt.partition("@")
    chosen: dict[str, Any] = {"id": prompt_id, "variables": filled(variables)}
    if which:
        chosen["version" if which.isdecimal() else "label"] = int(which) if which.isdecimal() else which
    return chosen


def filled(variables: Sequence[str]) -> dict[str, Any]:
    """`NAME=VALUE`s; a value that starts with `@` is a file's text, one behind `:=` is JSON. Raises ValueError."""
    return dict(map(_variable, variables))


def _variable(said: str) -> tuple[str, Any]:
    name, equals, value = said.partition("=")
    if not name or not equals:
        raise ValueError(f"{said!r} is no NAME=VALUE.")
    if name.endswith(":"):
        try:
            return name[:-1], json.loads(value)
        except ValueError as error:
            raise ValueError(f"The value of {name[:-1]} is no JSON: {error}") from error
    return name, text_of(Path(value[1:])) if value.startswith("@") else value


def text_of(path: Path) -> str:
    """The text of a file; `-` is standard input. Raises FileBroken."""
    try:
        return sys.stdin.read() if str(path) == "-" else path.read_text(encoding="utf-8")
    except UnicodeDecodeError as error:
        raise FileBroken(path, "is no text in UTF-8.") from error
    except OSError as error:
        raise FileBroken(path, f"cannot be read: {error.strerror}.") from error


def answer(client: GatewayClient, terminal: Terminal, question: str | None, said: dict[str, Any]) -> QueryResponse:
    """Asks, and writes the answer as it comes, unless JSON is wanted. Leaving it (Ctrl-C) cancels the query."""
    with terminal.working("Asking…"):
        stream = client.stream(question, **said)
        stream.__enter__()
    begun = False
    try:
        for event in stream:
            if isinstance(event, DeltaEvent) and not terminal.as_json:
                terminal.write(event.text)
                begun = True
    except KeyboardInterrupt:
        terminal.note(f"\nCancelled {stream.query_id or 'the query'}.")
        raise
    except GatewayError:
        # What went wrong is told in a line of its own.
        terminal.write("\n" if begun else "")
        raise
    finally:
        stream.__exit__(*sys.exc_info())
    if stream.answer is None:
        raise AssertionError("A stream that ends well has an answer.")
    if not terminal.as_json:
        terminal.write("\n")
    return stream.answer


def footer(answer: QueryResponse) -> str:
    """Who answered, and what it took."""
    cost = "cost not known" if answer.cost_usd is None else f"${answer.cost_usd}"
    usage = answer.usage
    cached = ", from the cache" if answer.cache.hit else ""
    return (
        f"{answer.provider}/{answer.model} · {usage.input_tokens} tokens in, {usage.output_tokens} out · {cost}{cached} · "
        f"{answer.latency_ms.total} ms · {answer.id}"
    )


def _said(members: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in members.items() if value is not None}
