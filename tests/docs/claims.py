"""The tables of docs/security.md, made of the tests' own marks. `python -m tests.docs.claims` writes them anew.

Marks are read, not run: a test says by `@pytest.mark.holds("LLM01")` that it holds a claim.
"""

import ast
import tomllib
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).resolve().parents[2]
PAGE: Final = ROOT / "docs" / "security.md"
BEGIN: Final = "<!-- made of the tests' marks by `python -m tests.docs.claims`: {name} -->\n"
END: Final = "<!-- end -->"

CODE: Final = "layers/gateway/python/llm_gateway/"
Claim = tuple[str, str, str]
"""Its title, what is done about it, and where."""


def _tables() -> dict[str, dict[str, Claim]]:
    tables: dict[str, dict[str, Claim]] = defaultdict(dict)
    for each in tomllib.loads(Path(__file__).with_suffix(".toml").read_text(encoding="utf-8"))["claim"]:
        tables[each["table"]][each["id"]] = (each["title"], each["done"], each["where"])
    return dict(tables)


TABLES: Final[Mapping[str, Mapping[str, Claim]]] = _tables()
_MOST_TOLD: Final = 4


def holders() -> dict[str, list[str]]:
    """The tests that hold each claim, as `tests/…/test_x.py::test_y`."""
    found: dict[str, list[str]] = defaultdict(list)
    for path in sorted((ROOT / "tests").rglob("test_*.py")):
        text = path.read_text(encoding="utf-8")
        if "mark.holds(" in text:
            for name, claims in _marks(ast.parse(text)):
                for claim in claims:
                    found[claim].append(f"{path.relative_to(ROOT).as_posix()}::{name}")
    return dict(found)


def _marks(module: ast.Module) -> Iterator[tuple[str, Sequence[str]]]:
    for node in ast.walk(module):
        if isinstance(node, ast.FunctionDef):
            for mark in node.decorator_list:
                if isinstance(mark, ast.Call) and isinstance(mark.func, ast.Attribute) and mark.func.attr == "holds":
                    yield node.name, [str(each.value) for each in mark.args if isinstance(each, ast.Constant)]


def table(name: str, held: Mapping[str, Sequence[str]]) -> str:
    rows = ["| | what is done | where | held by |", "|---|---|---|---|"]
    for claim, (title, done, where) in TABLES[name].items():
        shown = claim.removeprefix("STRIDE-")
        rows.append(f"| **{shown}** {title} | {done} | `{where}` | {_told(held[claim])} |")
    return "\n".join(rows) + "\n"


def _told(tests: Sequence[str]) -> str:
    told = [f"`{test}`" for test in tests[:_MOST_TOLD]]
    more = f" and {len(tests) - _MOST_TOLD} more" if len(tests) > _MOST_TOLD else ""
    return ", ".join(told) + more


def page(text: str) -> str:
    """`text` with each table as the marks have it. Raises ValueError where a table has no place."""
    held = holders()
    for name in TABLES:
        begin = BEGIN.format(name=name)
        start = text.index(begin) + len(begin)
        text = text[:start] + table(name, held) + text[text.index(END, start) :]
    return text


if __name__ == "__main__":
    PAGE.write_text(page(PAGE.read_text(encoding="utf-8")), encoding="utf-8")
