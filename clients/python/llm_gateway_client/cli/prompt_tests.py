"""`llm-gateway prompts test`: runs suites, with a table, JUnit's XML or JSON."""

import xml.etree.ElementTree as ET
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.text import Text

from llm_gateway_client import suites
from llm_gateway_client.answers import TestResult, TestRun
from llm_gateway_client.cli.session import Json, session
from llm_gateway_client.cli.statuses import FAILED, MISUSED
from llm_gateway_client.files import FileBroken

Which = Annotated[list[str], typer.Argument(help="Prompts' ids, files `*.prompt.yaml`, or folders of them.")]
Junit = Annotated[Path | None, typer.Option(help="Write JUnit's XML there.")]
Timeout = Annotated[float, typer.Option(min=1, help="Seconds to wait at most for a prompt's run.")]
_UNSPEAKABLE = dict.fromkeys([*(code for code in range(32) if code not in (9, 10, 13)), 0xFFFE, 0xFFFF])


@dataclass(frozen=True, slots=True, kw_only=True)
class _Suite:
    """What is to run: a prompt, and how many tests it has."""

    prompt_id: str
    tests: int
    version: int | None


def run_tests(
    which: Which,
    version: Annotated[int | None, typer.Option(min=0, help="The version to test; of files always the newest.")] = None,
    label: Annotated[str | None, typer.Option(help="Test the version that this label leads to.")] = None,
    candidate: Annotated[
        list[str] | None, typer.Option("--candidate", "-c", help="`provider` or `provider/model`; several times.")
    ] = None,
    repeat: Annotated[int, typer.Option(min=1, max=20, help="How often each test is asked.")] = 1,
    only: Annotated[list[str] | None, typer.Option("--only", "-k", help="The name of a test; several times.")] = None,
    push: Annotated[bool, typer.Option("--push", help="Write files to the gateway first where they differ.")] = False,
    timeout: Timeout = suites.LONGEST_RUN_S,
    junit: Junit = None,
    as_json: Json = False,
) -> None:
    """Run prompts' tests. Exit status 1: a test failed; 2: a suite is broken, or there is none."""
    found = [_suite(each, push=push, version=version) for each in _named(which)]
    runs: list[TestRun] = []
    for suite in found:
        with _watched(suite.prompt_id) as tell:
            run = suites.run(
                session().client,
                suite.prompt_id,
                version=suite.version if label is None else None,
                label=label,
                candidates=candidate or (),
                repeat=repeat,
                only=only or (),
                tests=suite.tests,
                timeout_s=timeout,
                tell=tell,
            )
        runs.append(run)
        if not as_json:
            _show(run)
    _report(runs, junit=junit, as_json=as_json)


def show_run(
    prompt_id: Annotated[str, typer.Argument(help="The prompt's id.")],
    run_id: Annotated[str, typer.Argument(help="The run's id.")],
    wait: Annotated[bool, typer.Option("--wait", help="Wait until it has ended.")] = False,
    timeout: Timeout = suites.LONGEST_RUN_S,
    junit: Junit = None,
    as_json: Json = False,
) -> None:
    """Show a run of a prompt's tests that was begun before; exit statuses as of `test`."""
    run = session().client.prompts.test_run(prompt_id, run_id)
    if wait:
        with _watched(prompt_id) as tell:
            run = suites.wait(session().client, run, timeout_s=timeout, tell=tell)
    if not as_json:
        _show(run)
    _report([run], junit=junit, as_json=as_json)


@contextmanager
def _watched(prompt_id: str) -> Iterator[Callable[[TestRun], None]]:
    """Shows how far a run is; Ctrl-C ends the waiting alone, and says what goes on."""
    terminal, seen = session().terminal, list[TestRun]()
    try:
        with terminal.working(f"Testing {prompt_id}…") as tell:

            def note(run: TestRun) -> None:
                seen[:] = [run]
                tell(f"{len(run.results)} answered")

            yield note
    except KeyboardInterrupt:
        for run in seen:
            terminal.note(f"It goes on: `llm-gateway prompts run {prompt_id} {run.run_id} --wait` waits for it.")
        raise


def _report(runs: list[TestRun], *, junit: Path | None, as_json: bool) -> None:
    """Ends the command with the status that tells how the runs went."""
    if as_json:
        session().terminal.json(runs)
    if junit:
        junit.write_bytes(as_junit(runs))
    if any(run.status == "failed" for run in runs):
        raise typer.Exit(MISUSED)
    if any(run.failed for run in runs):
        raise typer.Exit(FAILED)


def _named(which: list[str]) -> list[str | Path]:
    """Ids as texts, files as paths."""
    named: list[str | Path] = []
    for each in which:
        path = Path(each)
        if path.is_dir():
            inside: list[str | Path] = sorted(path.rglob(f"*{suites.SUFFIX}"))
            if not inside:
                raise FileBroken(path, f"no file in it ends in {suites.SUFFIX}.")
            named += inside
        else:
            named.append(path if path.suffix in (".yaml", ".yml") else each)
    return named


def _suite(named: str | Path, *, push: bool, version: int | None) -> _Suite:
    """Raises FileBroken for a file that is broken, that has no tests, or that differs from what the gateway has."""
    client = session().client
    if isinstance(named, str):
        prompt = client.prompts.get(named)
        if not prompt.tests:
            raise ValueError(f"{named} has no tests.")
        return _Suite(prompt_id=named, tests=len(prompt.tests), version=version)
    wanted = suites.read_prompt(named)
    if not wanted.get("tests"):
        raise FileBroken(named, "has no tests.")
    stored = suites.find(client, wanted["id"])
    changed = suites.changes(wanted, stored.model_dump(mode="json")) if stored else ["all of it"]
    if changed and not push:
        raise FileBroken(
            named, f"differs from what the gateway has ({', '.join(changed)}): --push writes it there first."
        )
    current = suites.pushed(client, wanted) if changed or stored is None else stored
    return _Suite(prompt_id=current.id, tests=len(wanted["tests"]), version=current.version)


def _show(run: TestRun) -> None:
    terminal = session().terminal
    terminal.say(f"{run.prompt_id}, version {run.version}", style="bold")
    rows = [
        (
            Text("pass", style="green") if each.passed else Text("FAIL", style="bold red"),
            each.name,
            each.candidate,
            each.repeat if run.repeat > 1 else "",
            each.latency_ms,
            each.cost_usd,
            why(each),
        )
        for each in run.results
    ]
    terminal.table(("", "test", "candidate", "", "ms", "$", "why"), rows, right=("ms", "$"))
    if run.status == "failed":
        terminal.say(f"The run could not be done: {run.problem}", style="bold red")
        return
    if run.status == "running":
        terminal.say(f"It still runs: {len(run.results)} answered.", style="yellow")
        return
    failed = f", {run.failed} failed" if run.failed else ""
    cost = "cost not known" if run.cost_usd is None else f"${run.cost_usd}"
    terminal.say(f"{run.passed} passed{failed}; {cost}", style="red" if run.failed else "green")


def why(result: TestResult) -> str:
    """Which of a test's assertions failed, and what was there."""
    return "; ".join(f"{each.type}: {each.detail or 'failed'}" for each in result.assertions if not each.passed)


def as_junit(runs: list[TestRun]) -> bytes:
    """The runs in the form that continuous integration reads."""
    root = ET.Element("testsuites")
    for run in runs:
        counts: dict[str, Any] = {
            "tests": len(run.results),
            "failures": run.failed or 0,
            "errors": int(run.status == "failed"),
        }
        told = {"name": f"{run.prompt_id}@{run.version}", **{name: str(value) for name, value in counts.items()}}
        suite = ET.SubElement(root, "testsuite", told)
        for result in run.results:
            name = f"{result.name} [{result.candidate or run.prompt_id}, {result.repeat}]"
            took_s = f"{(result.latency_ms or 0) / 1000:.3f}"
            case = ET.SubElement(suite, "testcase", {"classname": run.prompt_id, "name": _xml(name), "time": took_s})
            if not result.passed:
                ET.SubElement(case, "failure", {"message": _xml(why(result)), "type": "assertion"})
        if run.status == "failed":
            case = ET.SubElement(suite, "testcase", {"classname": run.prompt_id, "name": "run"})
            ET.SubElement(case, "error", {"message": _xml(run.problem or "The run could not be done."), "type": "run"})
    written: bytes = ET.tostring(root, encoding="utf-8", xml_declaration=True)
    return written


def _xml(text: str) -> str:
    """XML has no way to say most control characters."""
    return text.translate(_UNSPEAKABLE)
