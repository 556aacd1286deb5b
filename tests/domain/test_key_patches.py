"""Merge patches of keys: what is absent stays, null clears, objects are merged."""

from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest
from llm_gateway.domain.key_patches import patched
from llm_gateway.domain.keys import Allowed, Budget, KeyLimits, KeySpec, Period, Role
from llm_gateway.domain.pii import PiiRule
from llm_gateway.errors import ValidationFailed

FULL = KeySpec(
    name="Support",
    role=Role.CALLER,
    limits=KeyLimits(requests_per_minute=60, tokens_per_minute=1000, burst=5),
    budget_usd=Budget(amount=Decimal("25.00"), period=Period.MONTH, allow_unpriced=True),
    allow=Allowed(providers=("openai",), models=("gpt-*",)),
    pii=(PiiRule.MASK,),
    retention_days=7,
    log_bodies=0.5,
    tags=("a", "b"),
    expires_at=datetime(2027, 1, 1, tzinfo=UTC),
    require_signature=True,
)


@pytest.mark.parametrize(
    ("patch", "changes"),
    [
        ({}, {}),
        ({"name": "Sales"}, {"name": "Sales"}),
        ({"role": Role.ADMIN}, {"role": Role.ADMIN}),
        ({"limits": {"burst": 9}}, {"limits": replace(FULL.limits, burst=9)}),
        ({"limits": {"burst": None}}, {"limits": replace(FULL.limits, burst=None)}),
        ({"limits": {}}, {}),
        ({"limits": None}, {"limits": KeyLimits()}),
        ({"allow": {"models": ()}}, {"allow": Allowed(providers=("openai",), models=())}),
        ({"allow": {"models": None}}, {"allow": Allowed(providers=("openai",))}),
        ({"allow": None}, {"allow": Allowed()}),
        (
            {"budget_usd": {"amount": Decimal(1)}},
            {"budget_usd": Budget(amount=Decimal(1), period=Period.MONTH, allow_unpriced=True)},
        ),
        (
            {"budget_usd": {"allow_unpriced": None}},
            {"budget_usd": Budget(amount=Decimal("25.00"), period=Period.MONTH)},
        ),
        ({"budget_usd": None}, {"budget_usd": None}),
        ({"tags": ("c",)}, {"tags": ("c",)}),
        ({"tags": None, "pii": None}, {"tags": (), "pii": ()}),
        (
            {"retention_days": None, "log_bodies": None, "expires_at": None, "require_signature": None},
            {"retention_days": None, "log_bodies": 0, "expires_at": None, "require_signature": False},
        ),
    ],
)
def test_a_patch_changes_what_it_names(patch: dict[str, Any], changes: dict[str, Any]) -> None:
    assert patched(FULL, patch) == replace(FULL, **changes)


@pytest.mark.parametrize(
    ("patch", "field"),
    [
        ({"name": None}, "name"),
        ({"role": None}, "role"),
        ({"budget_usd": {"amount": None}}, "budget_usd.amount"),
        ({"budget_usd": {"period": None}}, "budget_usd.period"),
    ],
)
def test_what_must_be_there_cannot_be_cleared(patch: dict[str, Any], field: str) -> None:
    with pytest.raises(ValidationFailed) as refused:
        patched(FULL, patch)
    assert [error.field for error in refused.value.errors] == [field]


def test_a_first_budget_needs_an_amount_and_a_period() -> None:
    plain = KeySpec(name="Support", role=Role.CALLER)
    with pytest.raises(ValidationFailed, match=r"budget_usd\.period: is required"):
        patched(plain, {"budget_usd": {"amount": Decimal(1)}})
    made = patched(plain, {"budget_usd": {"amount": Decimal(1), "period": Period.DAY}})
    assert made.budget_usd == Budget(amount=Decimal(1), period=Period.DAY)
