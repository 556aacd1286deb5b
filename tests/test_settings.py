"""The environment, read once: what is not set has a default, what cannot be is refused by name."""

import json
from dataclasses import fields
from pathlib import Path

import pytest
from llm_gateway.settings import Settings

CONTEXT = json.loads((Path(__file__).parents[1] / "cdk.json").read_text())["context"]
FIGURES = {
    "RETENTION_DAYS": "retentionDays",
    "CACHE_TTL_S": "cacheTtlSeconds",
    "LEASE_S": "leaseSeconds",
    "KEEP_ALIVE_S": "keepAliveSeconds",
    "USAGE_RETENTION_DAYS": "usageRetentionDays",
}


def test_every_figure_has_its_setting() -> None:
    assert {field.name.upper() for field in fields(Settings) if field.type is int} == set(FIGURES)


@pytest.mark.parametrize("variable", FIGURES)
def test_what_is_not_set_is_what_a_deployment_has(variable: str) -> None:
    for environment in ({}, {variable: ""}):
        assert getattr(Settings.from_environment(environment), variable.lower()) == CONTEXT[FIGURES[variable]]


@pytest.mark.parametrize(
    ("variable", "value"), [("LEASE_S", "1"), ("LEASE_S", "900"), ("KEEP_ALIVE_S", "15"), ("RETENTION_DAYS", "3650")]
)
def test_a_value_in_bounds_is_taken(variable: str, value: str) -> None:
    assert getattr(Settings.from_environment({variable: value}), variable.lower()) == int(value)


@pytest.mark.parametrize(
    ("variable", "value"),
    [
        *((variable, value) for variable in FIGURES for value in ("0", "-1", "1.5", "ten", " ")),
        ("LEASE_S", "901"),
        ("KEEP_ALIVE_S", "16"),
    ],
)
def test_a_value_out_of_bounds_is_refused_by_name(variable: str, value: str) -> None:
    with pytest.raises(ValueError, match=f"^{variable} must be a whole number from 1 .*{value!r}$"):
        Settings.from_environment({variable: value})
