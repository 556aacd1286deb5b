"""The command line for the capability table: `python -m llm_gateway.entrypoints.models page` and `… check --sdk`."""

import argparse
import json
import re
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, Final, get_args

from llm_gateway.domain.capabilities import efforts_of
from llm_gateway.domain.model_table import (
    ANTHROPIC_FAMILIES,
    ANTHROPIC_UNLISTED,
    OPENAI_FAMILIES,
    OPENAI_UNLISTED,
    SOURCES,
    ModelProfile,
)
from llm_gateway.domain.providers import Api, Capability

_FAMILIES: Final[Mapping[str, Mapping[str, ModelProfile]]] = {
    "openai": OPENAI_FAMILIES,
    "anthropic": ANTHROPIC_FAMILIES,
}
_UNLISTED: Final = {"openai": OPENAI_UNLISTED, "anthropic": ANTHROPIC_UNLISTED}
# What a name may have after the model's own: a date, or where it moves to.
_EDITION: Final = re.compile(
    r"(-preview|-latest|-chat-latest)?(-\d{4}-\d{2}-\d{2}|-20\d{6}|-\d{4})?(-preview|-latest)?"
)
_HEAD: Final = """\
# Models

What the gateway knows of the vendors' models, written from its own table by `python -m llm_gateway.entrypoints.models page`. A
model is found by the longest beginning of its name that has a row: a dated snapshot is what its family is. A model that has no
row is sent as it is, and taken for what the last row of its vendor says; an operator's `models[]` override any figure.

`reasoning_effort` lists the levels that a model can be asked for. `takes` lists what a query may bring beyond text, as a model's
`capabilities` name it.
"""
_NOT_SHOWN: Final = (Capability.REASONING, Capability.STREAMING)


def names_in_the_sdks() -> dict[str, tuple[str, ...]]:
    """The models that the vendors' SDKs name, by vendor."""
    from anthropic.types import Model
    from openai.types import ResponsesModel

    return {"openai": tuple(_names(ResponsesModel)), "anthropic": tuple(_names(Model))}


def main(
    arguments: Sequence[str] | None = None, *, names: Callable[[], Mapping[str, Sequence[str]]] = names_in_the_sdks
) -> int:
    """Writes the table as a page, or says as JSON which models the installed SDKs list and the table has no row for.

    `check` ends with 1 where there are such models."""
    parser = argparse.ArgumentParser(prog="python -m llm_gateway.entrypoints.models", description=main.__doc__)
    commands = parser.add_subparsers(required=True, dest="command")
    commands.add_parser("page", help="write docs/models.md")
    check = commands.add_parser("check", help="hold the table against others")
    check.add_argument("--sdk", action="store_true", required=True, help="the model lists of the installed SDKs")
    if parser.parse_args(arguments).command == "page":
        sys.stdout.write(page())
        return 0
    missing = {vendor: missing_from(vendor, named) for vendor, named in names().items()}
    sys.stdout.write(json.dumps(missing, indent=1) + "\n")
    return 1 if any(missing.values()) else 0


def missing_from(vendor: str, names: Sequence[str]) -> dict[str, str | None]:
    """Those of `names` that have no row, each with the row that it is taken for, None where that is the vendor's last."""
    found = {name: _row(name, _FAMILIES[vendor]) for name in names}
    return {name: row for name, row in found.items() if row is None or not _is_of(name, row)}


def page() -> str:
    """The table for people."""
    return "\n".join((_HEAD, *(line for vendor in _FAMILIES for line in _section(vendor))))


def _names(union: Any) -> Iterator[str]:
    """The texts among a type's literals, however deep."""
    for inner in get_args(union):
        if isinstance(inner, str):
            yield inner
        else:
            yield from _names(inner)


def _row(name: str, families: Mapping[str, ModelProfile]) -> str | None:
    return max((prefix for prefix in families if name.startswith(prefix)), key=len, default=None)


def _is_of(name: str, row: str) -> bool:
    """Whether the row is the model's own, and not only the beginning of its name."""
    return _EDITION.fullmatch(name.removeprefix(row)) is not None


def _section(vendor: str) -> Iterator[str]:
    yield f"## {'OpenAI' if vendor == 'openai' else 'Anthropic'}\n"
    yield "Read in November 2026 from " + ", ".join(f"<{source}>" for source in SOURCES[vendor]) + ".\n"
    yield "| model | window | output | API | `reasoning_effort` | takes |"
    yield "|---|--:|--:|---|---|---|"
    rows = {f"`{name}`": row for name, row in _FAMILIES[vendor].items()}
    for name, row in {**rows, "any other": _UNLISTED[vendor]}.items():
        api = "Messages" if vendor == "anthropic" else _API[row.api]
        able = ", ".join(sorted(row.capabilities.difference(_NOT_SHOWN)))
        levels = ", ".join(efforts_of(row)) or "-"
        yield f"| {name} | {row.context_window:,} | {row.max_output_tokens:,} | {api} | {levels} | {able} |"
    yield ""


_API: Final = {Api.RESPONSES: "Responses", Api.CHAT_COMPLETIONS: "Chat Completions"}

if __name__ == "__main__":
    sys.exit(main())
