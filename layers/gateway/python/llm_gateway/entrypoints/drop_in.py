"""The command line for the table of parameters: `python -m llm_gateway.entrypoints.drop_in docs/drop-in.md` writes it there."""

import argparse
import re
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

from llm_gateway.entrypoints.listing_models import LIST
from llm_gateway.wire.anthropic.parameters import COUNT, MESSAGES
from llm_gateway.wire.openai.parameters import CHAT, EMBEDDINGS, Fate
from llm_gateway.wire.openai.responses.parameters import RESPONSES

_TABLES: Final = {
    "chat": CHAT,
    "responses": RESPONSES,
    "embeddings": EMBEDDINGS,
    "messages": MESSAGES,
    "count_tokens": COUNT,
    "models": LIST,
}


def main(arguments: Sequence[str] | None = None) -> int:
    """Writes the tables of parameters into a page, each behind the comment that names it."""
    parser = argparse.ArgumentParser(prog="python -m llm_gateway.entrypoints.drop_in", description=main.__doc__)
    parser.add_argument("page", type=Path)
    page: Path = parser.parse_args(arguments).page
    page.write_text(with_tables(page.read_text(encoding="utf-8")), encoding="utf-8")
    return 0


def with_tables(page: str) -> str:
    """`page` with the tables as they are now."""
    for name, table in _TABLES.items():
        page = re.sub(rf"(<!-- {name} -->\n)(\n\|[^\n]*(\n\|[^\n]*)*\n)?", lambda mark: mark[1] + _shown(table), page)  # noqa: B023
    return page


def _shown(table: Mapping[str, tuple[Fate, str]]) -> str:
    rows = "".join(f"| `{name}` | {fate} | {how} |\n" for name, (fate, how) in sorted(table.items()))
    return f"\n| parameter | what becomes of it | |\n|---|---|---|\n{rows}"


if __name__ == "__main__":
    sys.exit(main())
