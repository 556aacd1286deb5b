"""`llm-gateway ask`: one question."""

import json
import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from llm_gateway_client.cli import questions
from llm_gateway_client.cli.session import Json, session

Question = Annotated[str | None, typer.Argument(help="The question; `-`, or nothing, reads it from standard input.")]
Prompt = Annotated[str | None, typer.Option(help="A prompt: `id`, `id@label` or `id@version`.")]
Variables = Annotated[
    list[str] | None, typer.Option("--var", help="NAME=VALUE, NAME=@FILE or NAME:=JSON fills the prompt.")
]
Context = Annotated[
    list[Path] | None, typer.Option("--context", "-c", help="A text file to read; the gateway cuts it to what fits.")
]
Schema = Annotated[Path | None, typer.Option(help="A file with the JSON schema that the answer has to fit.")]
Later = Annotated[bool, typer.Option("--later", help="Hand it to the queue, and print its id.")]
Plan = Annotated[
    bool, typer.Option("--plan", help="Ask nobody: print who would be asked, for how many tokens and dollars.")
]
Quiet = Annotated[bool, typer.Option("--quiet", "-q", help="Print the answer alone.")]


def ask(
    question: Question = None,
    provider: questions.Provider = None,
    model: questions.Model = None,
    fallback: questions.Fallback = None,
    system: questions.System = None,
    role: questions.Roles = None,
    prompt: Prompt = None,
    var: Variables = None,
    context: Context = None,
    schema: Schema = None,
    temperature: questions.Temperature = None,
    max_tokens: questions.MaxTokens = None,
    timeout: questions.Timeout = None,
    later: Later = False,
    plan: Plan = False,
    quiet: Quiet = False,
    as_json: Json = False,  # noqa: ARG001 - its callback minds it
) -> None:
    """Ask one question; the answer is written as it comes. Ctrl-C cancels it."""
    said = questions.query(
        provider=provider,
        model=model,
        fallback=fallback,
        system=system,
        roles=role,
        temperature=temperature,
        max_tokens=max_tokens,
        timeout_s=timeout,
    )
    if prompt:
        said["prompt"] = questions.prompt_choice(prompt, var or ())
    elif var:
        raise ValueError("--var fills a prompt: name one with --prompt.")
    if context:
        said["context"] = {"items": [{"id": str(path), "text": questions.text_of(path)} for path in context]}
    if schema:
        said["output"] = {"type": "json_schema", "schema": _json_in(schema)}
    asked = _question(question, needed=not prompt)
    if plan:
        _show_plan(asked, said)
    elif later:
        _submit(asked, said)
    else:
        _ask(asked, said, quiet=quiet)


def _ask(question: str | None, said: dict[str, Any], *, quiet: bool) -> None:
    terminal = session().terminal
    answer = questions.answer(session().client, terminal, question, said)
    if terminal.as_json:
        terminal.json(answer)
        return
    for warning in answer.warnings:
        terminal.note(f"Note: {warning}", style="yellow")
    if not quiet:
        terminal.note(questions.footer(answer))


def _submit(question: str | None, said: dict[str, Any]) -> None:
    accepted = session().client.submit(question, **said)
    terminal = session().terminal
    if terminal.as_json:
        terminal.json(accepted)
        return
    terminal.say(accepted.id)
    terminal.note(f"`llm-gateway queries show {accepted.id} --wait` waits for its answer.")


def _show_plan(question: str | None, said: dict[str, Any]) -> None:
    plan = session().client.plan(question, **said)
    terminal = session().terminal
    if terminal.as_json:
        terminal.json(plan)
        return
    rows = [
        (
            each.provider,
            each.model,
            each.outcome,
            each.tokens.total if each.tokens else None,
            each.estimated_usd,
            each.max_usd,
            each.detail,
        )
        for each in plan.candidates
    ]
    terminal.table(("provider", "model", "outcome", "tokens", "about $", "at most $", "detail"), rows)
    for warning in plan.warnings:
        terminal.note(f"Note: {warning}", style="yellow")


def _question(said: str | None, *, needed: bool) -> str | None:
    """Raises ValueError where there is none: an empty question is a slip, and costs money all the same."""
    if said is None and not needed:
        return None
    if said in (None, "-"):
        if sys.stdin.isatty():
            raise ValueError("What is the question? Give it in quotes, or on standard input.")
        said = sys.stdin.read()
    if not (said or "").strip():
        raise ValueError("The question is empty.")
    return said


def _json_in(path: Path) -> Any:
    try:
        return json.loads(questions.text_of(path))
    except ValueError as error:
        raise ValueError(f"{path} is no JSON: {error}") from error
