"""docs/drop-in.md: what it shows runs, with the official SDK, and its tables are the code's."""

import re
import sys
from pathlib import Path

import pytest
from llm_gateway.entrypoints.drop_in import main, with_tables
from llm_gateway.entrypoints.listing_models import LIST
from llm_gateway.wire.anthropic.parameters import COUNT, MESSAGES
from llm_gateway.wire.openai.parameters import CHAT, EMBEDDINGS
from llm_gateway.wire.openai.responses.parameters import RESPONSES

from tests.adapters.gateway import FakeGateway
from tests.docs.pages import blocks, page, run
from tests.entrypoints.conftest import PROVIDER
from tests.entrypoints.serving import Serving

PAGE = page("drop-in")


@pytest.mark.parametrize("recipe", blocks(PAGE, "python"))
def test_what_is_shown_runs(recipe: str) -> None:
    with Serving(FakeGateway()) as serving:
        assert serving.call("POST", "/api/v1/llm/providers", PROVIDER)[0].status == 201
        url = f"http://127.0.0.1:{serving.port}"
        said = run(sys.executable, "-c", recipe, GATEWAY_URL=url, GATEWAY_KEY=serving.key)
    assert "Hello!" in said or said.startswith("local ")


def test_the_tables_are_the_codes(tmp_path: Path) -> None:
    assert with_tables(PAGE) == PAGE, "python -m llm_gateway.entrypoints.drop_in docs/drop-in.md writes them anew"
    tables = {"chat": CHAT, "responses": RESPONSES, "embeddings": EMBEDDINGS, "messages": MESSAGES}
    tables |= {"count_tokens": COUNT, "models": LIST}
    shown = re.findall(r"^<!-- (\w+) -->\n((?:\n\|[^\n]*)*)", PAGE, re.MULTILINE)
    assert {name: len(re.findall(r"^\| `", rows, re.MULTILINE)) for name, rows in shown} == {
        name: len(table) for name, table in tables.items()
    }
    written = tmp_path / "page.md"
    written.write_text("<!-- chat -->\n\n| old |\n|---|\n\nText.\n", encoding="utf-8")
    assert main([str(written)]) == 0
    told = written.read_text(encoding="utf-8")
    assert "| `verbosity` | handed on |" in told
    assert "old" not in told
    assert told.endswith("\n\nText.\n")
