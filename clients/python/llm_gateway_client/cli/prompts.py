"""`llm-gateway prompts`: prompts, their versions, labels and tests, also as files in a repository."""

import os
import shlex
import subprocess
import tempfile
from pathlib import Path
from typing import Annotated, Any, Final, cast

import typer

from llm_gateway_client import files, suites
from llm_gateway_client.answers import PromptConfig
from llm_gateway_client.cli import prompt_tests, questions
from llm_gateway_client.cli.session import Json, session
from llm_gateway_client.cli.terminal import shown
from llm_gateway_client.files import FileBroken

commands = typer.Typer(help="Prompts: versions, labels, tests, files.", no_args_is_help=True, rich_markup_mode=None)
commands.command("test")(prompt_tests.run_tests)
commands.command("run")(prompt_tests.show_run)

Id = Annotated[str, typer.Argument(help="The prompt's id.")]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Say what would be done, and do nothing.")]
Message = Annotated[str | None, typer.Option("--message", "-m", help="What the change is for.")]
_DIFF_COLOURS: Final = {"+": "green", "-": "red", "@": "cyan"}


@commands.command("list")
def list_prompts(
    kind: Annotated[str | None, typer.Option(help="prompt or role.")] = None,
    category: Annotated[str | None, typer.Option()] = None,
    tag: Annotated[str | None, typer.Option()] = None,
    name: Annotated[str | None, typer.Option(help="The beginning of a name.")] = None,
    as_json: Json = False,
) -> None:
    """List prompts, without their texts."""
    prompts = list(session().client.prompts.list(kind=kind, category=category, tag=tag, name=name))
    terminal = session().terminal
    if as_json:
        terminal.json(prompts)
        return
    rows = [
        (
            each.id,
            each.kind,
            each.version,
            [f"{label}→{_leads_to(told.version, told.versions)}" for label, told in each.labels.items()],
            each.category,
            each.tags,
            each.name,
        )
        for each in prompts
    ]
    terminal.table(("id", "kind", "newest", "labels", "category", "tags", "name"), rows, right=("newest",))


@commands.command()
def show(
    prompt_id: Id,
    version: Annotated[int | None, typer.Option(min=0, help="Another one than the newest.")] = None,
    as_json: Json = False,
) -> None:
    """Show a prompt as a file of it would be, or one of its versions."""
    client, terminal = session().client, session().terminal
    prompt = client.prompts.get(prompt_id) if version is None else client.prompts.version(prompt_id, version)
    if as_json:
        terminal.json(prompt)
    elif isinstance(prompt, PromptConfig):
        terminal.say(files.write(suites.as_file(prompt)), end="")
    else:
        terminal.say(files.write(prompt.model_dump(mode="json", exclude_none=True)), end="")


@commands.command()
def edit(prompt_id: Id, message: Message = None) -> None:
    """Change a prompt in your editor (VISUAL, EDITOR); saving it writes a new version."""
    client, terminal = session().client, session().terminal
    stored = client.prompts.get(prompt_id)
    before = files.write(suites.as_file(stored))
    path = Path(tempfile.mkdtemp(prefix="llm-gateway-")) / f"{prompt_id}{suites.SUFFIX}"
    path.write_text(before, encoding="utf-8")
    editor = os.environ.get("VISUAL") or os.environ.get("EDITOR") or "vi"
    subprocess.run([*shlex.split(editor), str(path)], check=True)  # noqa: S603 - the person's own editor
    if path.read_text(encoding="utf-8") == before:
        terminal.note("Nothing has changed.")
    else:
        try:
            written = suites.pushed(client, suites.read_prompt(path), message=message)
        except Exception:
            terminal.note(f"Your text is kept in {path}.", style=None)
            raise
        terminal.say(f"{prompt_id} is at version {written.version}.")
    path.unlink()
    path.parent.rmdir()


@commands.command()
def diff(
    prompt_id: Id,
    version: Annotated[
        int | None, typer.Argument(help="The older version; without it the one before the newest.")
    ] = None,
    other: Annotated[int | None, typer.Argument(help="The newer version; without it the newest.")] = None,
    as_json: Json = False,
) -> None:
    """Show what changed from one version to another."""
    client, terminal = session().client, session().terminal
    newest = client.prompts.get(prompt_id).version if other is None else other
    if version is None and newest < 2:
        raise ValueError(f"{prompt_id} has one version: there is nothing to compare it with.")
    told = client.prompts.diff(prompt_id, newest - 1 if version is None else version, newest)
    if as_json:
        terminal.json(told)
        return
    for line in (told.system or "").splitlines():
        terminal.say(line, style=_DIFF_COLOURS.get(line[:1]))
    for message in told.messages:
        for line in (message.unified or "").splitlines():
            terminal.say(line, style=_DIFF_COLOURS.get(line[:1]))
    for setting in told.settings:
        terminal.say(f"{setting.path}: {shown(setting.from_)} → {shown(setting.to)}", style="yellow")


@commands.command()
def render(
    prompt_id: Id,
    var: Annotated[list[str] | None, typer.Option("--var", help="NAME=VALUE, NAME=@FILE or NAME:=JSON.")] = None,
    version: Annotated[int | None, typer.Option(min=0)] = None,
    label: Annotated[str | None, typer.Option()] = None,
    as_json: Json = False,
) -> None:
    """Show the messages that a query would send; nobody is asked."""
    which = {"version": version, "label": label}
    said: Any = {"variables": questions.filled(var or ())} | {
        each: told for each, told in which.items() if told is not None
    }
    rendered = session().client.prompts.render(prompt_id, **cast("Any", said))
    terminal = session().terminal
    if as_json:
        terminal.json(rendered)
        return
    if rendered.system:
        terminal.say("system", style="bold")
        terminal.say(rendered.system)
    for message in rendered.messages:
        terminal.say(message.role, style="bold")
        terminal.say(
            message.content
            if isinstance(message.content, str)
            else files.write(message.model_dump(mode="json")["content"])
        )
    terminal.note(f"version {rendered.version}, {rendered.tokens} tokens")
    for warning in rendered.warnings:
        terminal.note(f"Note: {warning}", style="yellow")


@commands.command()
def release(
    prompt_id: Id,
    version: Annotated[
        int | None, typer.Argument(help="The version that the label is to lead to; else the newest.")
    ] = None,
    label: Annotated[str, typer.Option(help="The label that is moved.")] = "production",
    share: Annotated[
        int | None, typer.Option(min=1, max=99, help="Per cent of the queries that try it; the rest stay.")
    ] = None,
    rollback: Annotated[bool, typer.Option("--rollback", help="Lead it back to where it was before.")] = False,
    reason: Annotated[str | None, typer.Option(help="What the move is for.")] = None,
    as_json: Json = False,
) -> None:
    """Move a label to a version, wholly or for a share of the queries, or back."""
    client, terminal = session().client, session().terminal
    prompt = client.prompts.get(prompt_id)
    there = prompt.labels.get(label)
    to: dict[str, Any] = {"reason": reason} if reason else {}
    target = version if version is not None else prompt.version
    if rollback:
        to["rollback"] = True
    elif share is not None:
        if there is None or there.version is None or there.version == target:
            raise ValueError(
                f"{label} has to lead to one other version before a share of its queries can try version {target}."
            )
        to["versions"] = {str(there.version): 100 - share, str(target): share}
    else:
        to["version"] = target
    moved = client.prompts.move_label(prompt_id, label, if_match=there.revision if there else None, **cast("Any", to))
    if as_json:
        terminal.json(moved)
        return
    terminal.say(f"{label} of {prompt_id} leads to {_leads_to(moved.version, moved.versions)}.")


@commands.command()
def pull(
    prompt_ids: Annotated[
        list[str] | None, typer.Argument(help="Their ids; without any, all that are your own.")
    ] = None,
    folder: Annotated[Path, typer.Option("--dir", help="Where the files go.")] = Path("prompts"),
    dry_run: DryRun = False,
) -> None:
    """Write prompts to files, `ID.prompt.yaml`."""
    client, terminal = session().client, session().terminal
    wanted = prompt_ids or [each.id for each in client.prompts.list() if not each.built_in]
    for prompt_id in wanted:
        text = files.write(suites.as_file(client.prompts.get(prompt_id)))
        path = folder / f"{prompt_id}{suites.SUFFIX}"
        is_same = path.exists() and path.read_text(encoding="utf-8") == text
        terminal.say(f"{'=' if is_same else '~' if path.exists() else '+'} {path}")
        if not is_same and not dry_run:
            folder.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8")


@commands.command()
def push(
    paths: Annotated[list[Path], typer.Argument(help="Files, or folders with `*.prompt.yaml` in them.")],
    dry_run: DryRun = False,
    message: Message = None,
) -> None:
    """Write files' prompts to the gateway: a new version where a text has changed. No label moves but `latest`."""
    # All are read before any is written.
    for wanted in [suites.read_prompt(path) for path in prompt_files(paths)]:
        stored = suites.find(session().client, wanted["id"])
        changed = suites.changes(wanted, stored.model_dump(mode="json")) if stored else []
        if stored is not None and not changed:
            _say("=", f"{stored.id} is as it should be, version {stored.version}")
            continue
        sign, what = ("+", "is new") if stored is None else ("~", f"changes in {', '.join(changed)}")
        if dry_run:
            _say(sign, f"{wanted['id']} {what}")
            continue
        written = suites.pushed(session().client, wanted, message=message)
        _say(sign, f"{written.id} {what}, version {written.version}")


def prompt_files(paths: list[Path]) -> list[Path]:
    """The files that are named, and those in the folders that are. Raises FileBroken where there is none."""
    found = [file for path in paths for file in (sorted(path.rglob(f"*{suites.SUFFIX}")) if path.is_dir() else [path])]
    if not found:
        raise FileBroken(paths[0], f"no file in it ends in {suites.SUFFIX}.")
    return found


def _say(sign: str, text: str) -> None:
    session().terminal.say(f"{sign} {text}", style={"+": "green", "~": "yellow"}.get(sign))


def _leads_to(version: int | None, versions: dict[str, int]) -> str:
    if version is not None:
        return str(version)
    return " + ".join(f"{each} ({weight} %)" for each, weight in versions.items())
