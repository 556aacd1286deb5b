"""The capability table against what the vendors' SDKs name, and the command that says so."""

import json
from pathlib import Path

import pytest
from llm_gateway.domain.model_table import SOURCES
from llm_gateway.domain.providers import ProviderKind
from llm_gateway.domain.vendors import VENDORS
from llm_gateway.entrypoints import models

PAGE = Path(__file__).parents[2] / "docs/models.md"
NAMED = [(vendor, name) for vendor, names in models.names_in_the_sdks().items() for name in names]


def test_the_sdks_name_models() -> None:
    assert {vendor for vendor, _ in NAMED} == set(SOURCES) == {"openai", "anthropic"}
    assert len(NAMED) > 120
    assert {("openai", "gpt-5.5-pro"), ("openai", "gpt-4o-mini"), ("anthropic", "claude-haiku-5-5")} <= set(NAMED)


@pytest.mark.parametrize(("vendor", "name"), NAMED, ids=[name for _, name in NAMED])
def test_a_model_that_an_sdk_names_has_a_row(vendor: str, name: str) -> None:
    book = VENDORS[ProviderKind(vendor)]
    assert book.profile(name) is not book.unlisted
    assert models.missing_from(vendor, (name,)) == {}, "it is taken for another"


@pytest.mark.parametrize(
    ("vendor", "name", "row"),
    [
        ("openai", "gpt-7-sol", None),
        ("openai", "gpt-6.3-astra", "gpt-6"),
        ("openai", "gpt-6-nova", "gpt-6"),
        ("openai", "o3-ultra", "o3"),
        ("anthropic", "claude-opus-9", None),
        ("anthropic", "claude-opus-5-9", "claude-opus-5"),
    ],
)
def test_a_model_of_tomorrow_is_named_with_what_it_is_taken_for(vendor: str, name: str, row: str | None) -> None:
    assert models.missing_from(vendor, (name,)) == {name: row}


def test_the_command_says_what_is_missing(capsys: pytest.CaptureFixture[str]) -> None:
    assert models.main(["check", "--sdk"]) == 0
    assert json.loads(capsys.readouterr().out) == {"openai": {}, "anthropic": {}}
    assert models.main(["check", "--sdk"], names=lambda: {"openai": ("gpt-6-nova",), "anthropic": ()}) == 1
    assert json.loads(capsys.readouterr().out)["openai"] == {"gpt-6-nova": "gpt-6"}


def test_the_page_is_that_of_the_table(capsys: pytest.CaptureFixture[str]) -> None:
    """Where it is not: `python -m llm_gateway.entrypoints.models page > docs/models.md`."""
    assert models.main(["page"]) == 0
    assert capsys.readouterr().out == PAGE.read_text(encoding="utf-8")
