"""Providers over HTTP: what is shown reads back as what it was."""

from dataclasses import fields, replace
from datetime import UTC, datetime
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st
from llm_gateway.domain.keys import Caller, Role
from llm_gateway.domain.providers import (
    Api,
    Capability,
    CircuitPolicy,
    CredentialsNote,
    Location,
    ModelConfig,
    ProviderConfig,
    ProviderDraft,
    ProviderKind,
    ProviderLimits,
    RetryPolicy,
    Timeouts,
)
from llm_gateway.wire.providers import ProviderBody, ProviderShown, ProviderUpdate
from pydantic import ValidationError

from tests.stores.values import provider

_ADMIN = Caller(key_id="key_1", role=Role.ADMIN)
_SOME = st.none() | st.integers(1, 2**53 - 1)
_USD = st.none() | st.decimals(min_value=0, max_value=10**6, places=9, allow_nan=False)
_SECONDS = st.integers(1, 900) | st.floats(0.01, 900)
_TEXT = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=40).filter(
    lambda text: text.strip() != ""
)
_WHEN = st.datetimes(datetime(2020, 1, 1), datetime(2100, 1, 1)).map(lambda when: when.replace(tzinfo=UTC))
_MODELS = st.builds(
    ModelConfig,
    name=_TEXT,
    aliases=st.lists(_TEXT, max_size=3).map(tuple),
    context_window=_SOME,
    max_output_tokens=_SOME,
    capabilities=st.none() | st.frozensets(st.sampled_from(Capability)),
    input_usd_per_mtok=_USD,
    cached_input_usd_per_mtok=_USD,
    cache_write_usd_per_mtok=_USD,
    output_usd_per_mtok=_USD,
)
_CONFIGS = st.builds(
    ProviderConfig,
    id=st.from_regex(r"[a-z0-9][a-z0-9-]{0,62}", fullmatch=True),
    name=_TEXT,
    kind=st.sampled_from(ProviderKind),
    base_url=st.none() | st.just("https://example.com/v1"),
    default_model=_TEXT,
    models=st.lists(_MODELS, max_size=3).map(tuple),
    enabled=st.booleans(),
    priority=st.integers(0, 1_000_000),
    weight=st.integers(1, 1_000_000),
    limits=st.builds(
        ProviderLimits, requests_per_minute=_SOME, tokens_per_minute=_SOME, burst=_SOME, max_concurrent=_SOME
    ),
    timeouts=st.builds(Timeouts, connect_s=_SECONDS, first_token_s=st.none() | _SECONDS, total_s=st.none() | _SECONDS),
    retry=st.builds(RetryPolicy, max_attempts=st.integers(1, 6)),
    circuit=st.builds(CircuitPolicy, failure_threshold=st.integers(1, 1000), cooldown_s=_SECONDS),
    location=st.none() | st.sampled_from(Location),
    api=st.sampled_from(Api),
    credentials=st.none() | st.builds(CredentialsNote, hint=_TEXT, updated_at=_WHEN),
    revision=st.integers(1, 10**6),
    created_at=_WHEN,
    updated_at=_WHEN,
)


@given(_CONFIGS)
def test_what_is_shown_may_be_sent_back(config: ProviderConfig) -> None:
    shown = ProviderShown.of(config, to=_ADMIN).model_dump_json(by_alias=True)
    draft = ProviderUpdate.model_validate_json(shown).to_draft()
    assert draft.credentials is None
    for field in fields(ProviderDraft):
        if field.name != "credentials":
            assert getattr(draft, field.name) == getattr(config, field.name), field.name


def test_a_new_provider_has_no_revision_yet() -> None:
    with pytest.raises(ValidationError):
        ProviderBody.model_validate({"name": "x", "kind": "openai", "default_model": "x", "revision": 1})


@pytest.mark.parametrize(
    ("sent", "kept"),
    [
        (None, None),
        ({"configured": True}, None),
        ({"configured": False, "hint": None, "updated_at": None}, None),
        ({"configured": True, "hint": "…1f3a", "updated_at": "2026-11-22T12:00:00.000Z"}, None),
        ({"api_key": "sk-1"}, "sk-1"),
    ],
)
def test_credentials_are_kept_unless_new_ones_are_sent(sent: object, kept: str | None) -> None:
    body = ProviderUpdate.model_validate({"name": "x", "kind": "openai", "default_model": "x", "credentials": sent})
    credentials = body.to_draft().credentials
    assert (credentials.api_key if credentials else None) == kept


def test_a_vendors_key_is_in_no_text_of_its_body() -> None:
    secret = "sk-a-vendors-own-secret"
    body = ProviderBody.model_validate(
        {"name": "x", "kind": "openai", "default_model": "x", "credentials": {"api_key": secret}}
    )
    for text in (repr(body), str(body), body.model_dump_json(), repr(body.to_draft())):
        assert secret not in text


def test_prices_are_read_as_they_are_written() -> None:
    for price in ("0.1", 0.1, 1, "0.000000000000000001"):
        body = ProviderBody.model_validate(
            {
                "name": "x",
                "kind": "openai",
                "default_model": "m",
                "models": [{"name": "m", "input_usd_per_mtok": price}],
            }
        )
        assert body.to_draft().models[0].input_usd_per_mtok == Decimal(str(price))


@pytest.mark.parametrize("role", Role)
def test_who_sees_limits_and_hints(role: Role) -> None:
    shown = ProviderShown.of(provider(), to=Caller(key_id="key_1", role=role))
    sees = role in (Role.ADMIN, Role.OPERATOR, Role.AUDITOR)
    assert (shown.limits is not None) == sees
    assert (shown.credentials.hint is not None) == sees
    assert (shown.credentials.updated_at is not None) == sees


def test_a_provider_without_credentials_says_so() -> None:
    shown = ProviderShown.of(replace(provider(), credentials=None), to=_ADMIN)
    assert shown.credentials.model_dump() == {"configured": False, "hint": None, "updated_at": None}


def test_a_provider_tells_where_it_is_and_how_it_stands() -> None:
    shown = ProviderShown.of(replace(provider("openai"), revision=7), to=_ADMIN)
    assert (shown.own_path(), shown.etag()) == ("/api/v1/llm/providers/openai", '"7"')


def test_capabilities_are_shown_in_one_order() -> None:
    model = ModelConfig(name="m", capabilities=frozenset(Capability))
    (shown,) = ProviderShown.of(replace(provider(), models=(model,)), to=_ADMIN).models
    assert shown.capabilities == sorted(Capability)
