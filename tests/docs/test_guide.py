"""docs/guide: everything that a page shows runs, from top to bottom, against a gateway whose models do what they are asked."""

import json
import logging
import re
import sys
from collections.abc import Iterator
from importlib.resources import files
from pathlib import Path

import pytest
from llm_gateway.entrypoints.guide import main

from tests.clients.obliging_house import address_and_key, obliging_house
from tests.docs.pages import blocks, run, with_a_shell
from tests.entrypoints.serving import Serving

GUIDE = Path(__file__).parents[2] / "docs" / "guide"
# These have tests of their own.
ELSEWHERE = {"command-line", "python"}
PAGES = sorted(path.stem for path in GUIDE.glob("*.md") if path.stem not in ELSEWHERE)
LANGUAGES = {"bash", "python", "typescript", "json", "text", "console"}
# That of the environment takes types off by itself; an older one would not.
NODE = Path(sys.executable).with_name("node")
with_node = pytest.mark.skipif(not NODE.exists(), reason="the environment's node is needed")


def _text(name: str) -> str:
    return (GUIDE / f"{name}.md").read_text(encoding="utf-8")


def _with(language: str) -> list[str]:
    return [name for name in PAGES if blocks(_text(name), language)]


@pytest.fixture
def serving() -> Iterator[Serving]:
    with obliging_house() as serving:
        yield serving


@with_a_shell
@pytest.mark.parametrize("name", _with("bash"))
def test_what_a_page_shows_in_a_shell_runs(
    serving: Serving, tmp_path: Path, name: str, caplog: pytest.LogCaptureFixture
) -> None:
    script = "\n".join(blocks(_text(name), "bash"))
    with caplog.at_level(logging.INFO):
        said = run("bash", "-euo", "pipefail", "-c", script, cwd=tmp_path, **address_and_key(serving))
        # A request is logged after its answer was sent.
        serving.server.should_exit = True
        serving.thread.join()
    codes = [getattr(record, "error_code", None) for record in caplog.records if record.getMessage() == "request"]
    assert codes, said
    # A page that shows an error says so where it shows it.
    assert [code for code in codes if code] == re.findall(r"^# answers (\w+)$", script, re.MULTILINE), said


@pytest.mark.parametrize("name", _with("python"))
def test_what_a_page_shows_in_python_runs(serving: Serving, tmp_path: Path, name: str) -> None:
    for recipe in blocks(_text(name), "python"):
        said = run(sys.executable, "-W", "error", "-c", recipe, cwd=tmp_path, **address_and_key(serving))
        assert said.strip()


@with_node
@pytest.mark.parametrize("name", _with("typescript"))
def test_what_a_page_shows_in_typescript_runs(serving: Serving, tmp_path: Path, name: str) -> None:
    for number, recipe in enumerate(blocks(_text(name), "typescript")):
        program = tmp_path / f"{number}.mts"
        program.write_text(recipe, encoding="utf-8")
        said = run(
            str(NODE), "--disable-warning=ExperimentalWarning", str(program), cwd=tmp_path, **address_and_key(serving)
        )
        assert said.strip()


@pytest.mark.parametrize("name", PAGES)
def test_every_block_is_of_a_language_that_is_run_or_only_read(name: str) -> None:
    fences = re.findall(r"^```(\w*)$", _text(name), re.MULTILINE)
    opened, closed = fences[::2], fences[1::2]
    assert set(opened) <= LANGUAGES
    assert set(closed) <= {""}


def test_what_the_code_knows_is_written_anew(tmp_path: Path) -> None:
    pages = {name: _text(name) for name in ("reference", "errors")}
    for name, text in pages.items():
        (tmp_path / f"{name}.md").write_text(text.replace("`pii_blocked`", "`old`"), encoding="utf-8")
    assert main([str(tmp_path)]) == 0
    written = {name: (tmp_path / f"{name}.md").read_text(encoding="utf-8") for name in pages}
    assert written == pages, "make docs writes them anew"


def test_the_reference_has_every_endpoint_and_every_field() -> None:
    document = json.loads((files("llm_gateway.wire") / "openapi.json").read_text(encoding="utf-8"))
    page = _text("reference")
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            assert f"#### `{method.upper()} {path}`\n" in page
            assert all(f"| `{parameter['name']}`" in page for parameter in operation.get("parameters", ()))
    for name, schema in document["components"]["schemas"].items():
        (told,) = re.findall(rf"^### {name}\n(.*?)(?=^###|\Z)", page, re.MULTILINE | re.DOTALL)
        assert all(f"| `{field}`" in told for field in schema.get("properties", ()))
    assert "(at least 0, at most 2)" in page, "bounds are told"


def test_every_page_is_reached_from_the_first() -> None:
    linked = set(re.findall(r"\]\((\w[\w-]*)\.md\)", _text("index")))
    assert linked == set(PAGES) - {"index"} | ELSEWHERE
