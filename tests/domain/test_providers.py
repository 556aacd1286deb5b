"""Providers: how long their calls may take, by which names their models go, and which keys can be sent."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from llm_gateway.domain.providers import (
    LONGEST_CALL_S,
    USUAL_PATIENCE_S,
    ModelConfig,
    ProviderKind,
    Timeouts,
    fault_in_api_key,
    fault_in_path,
    hint_of,
)

from tests.stores.values import provider

SECONDS = st.floats(0.01, LONGEST_CALL_S)
TIMEOUTS = st.builds(Timeouts, connect_s=SECONDS, first_token_s=st.none() | SECONDS, total_s=st.none() | SECONDS)


@given(TIMEOUTS, st.floats(0.01, 2_000), st.booleans())
def test_a_call_ends_with_its_query_and_no_later_than_its_provider_allows(
    timeouts: Timeouts, left_s: float, streams: bool
) -> None:
    of_call = timeouts.within(left_s, streams=streams)
    assert of_call.total_s == of_call.longest_s == min(left_s, timeouts.total_s or LONGEST_CALL_S)
    assert of_call.connect_s == timeouts.connect_s
    assert of_call.silence_s <= of_call.longest_s


def test_what_an_operator_leaves_open_is_bounded_by_the_query_alone() -> None:
    assert Timeouts().within(300, streams=True) == Timeouts(connect_s=5, total_s=300)
    assert Timeouts().within(300, streams=True).silence_s == 300


def test_a_first_token_is_awaited_in_streams_alone() -> None:
    timeouts = Timeouts(first_token_s=2, total_s=60)
    assert timeouts.within(25, streams=True).silence_s == 2
    assert timeouts.within(25, streams=False).silence_s == 25
    assert timeouts.within(1, streams=True).silence_s == 1


@pytest.mark.parametrize(
    ("configured", "streams", "patience_s"),
    [
        ({}, True, USUAL_PATIENCE_S),
        ({}, False, USUAL_PATIENCE_S),
        ({"first_token_s": 2}, True, 2),
        ({"first_token_s": 2}, False, USUAL_PATIENCE_S),
        ({"first_token_s": 90}, True, 90),
        ({"total_s": 60}, False, 60),
        ({"first_token_s": 10, "total_s": 5}, True, 5),
    ],
)
def test_a_provider_fails_by_silence_only_after_it_had_its_time(
    configured: dict[str, Any], streams: bool, patience_s: float
) -> None:
    assert Timeouts(**configured).patience_s(streams=streams) == patience_s


def test_a_model_can_be_asked_for_by_its_aliases() -> None:
    small, large = ModelConfig(name="small-2026", aliases=("small", "fast")), ModelConfig(name="large")
    book = provider(models=(small, large), default_model="small")
    for name in ("small-2026", "small", "fast"):
        assert book.lists(name)
        assert book.model(name) is small
    assert book.model("large") is large
    assert book.model("other") == ModelConfig(name="other")
    assert not book.lists("other")


def test_a_name_goes_before_an_alias() -> None:
    aliased, named = ModelConfig(name="a", aliases=("b",)), ModelConfig(name="b")
    assert provider(models=(aliased, named)).model("b") is named


@pytest.mark.parametrize(
    ("api_key", "said"),
    [
        ("sk-abc def", "white space"),
        ("sk-abc\n", "white space"),
        ("\tsk-abc", "white space"),
        ("sk-abc\r\nX-Injected: 1", "white space"),
        ("sk-abc\u00a0", "white space"),
        ("sk-…", "not ASCII"),
        ("sk-abc\u200b", "not ASCII"),
        ("clé", "not ASCII"),
        ("sk-abc\x00", "control character"),
        ("sk-abc\x7f", "control character"),
    ],
)
def test_a_key_that_no_header_can_carry(api_key: str, said: str) -> None:
    fault = fault_in_api_key(api_key)
    assert said in str(fault)
    assert api_key.strip() not in str(fault)


@given(st.text(st.characters(min_codepoint=0x21, max_codepoint=0x7E), min_size=1))
def test_every_other_key_is_taken(api_key: str) -> None:
    assert fault_in_api_key(api_key) is None


def test_a_hint_shows_the_end_of_a_long_key_alone() -> None:
    assert hint_of("sk-0123456789abcdef") == "…cdef"
    assert hint_of("short") == "…"


@pytest.mark.parametrize("kind", ProviderKind)
@pytest.mark.parametrize(
    "end",
    ["/chat/completions", "/v1/completions", "/responses/", "/v1/embeddings", "/v1/messages", "/CHAT/Completions//"],
)
def test_an_address_must_not_end_in_an_endpoint(kind: ProviderKind, end: str) -> None:
    assert "the gateway adds that" in str(fault_in_path(kind, f"https://host{end}"))


def test_anthropics_sdk_adds_the_version_itself() -> None:
    for url in ("https://host/v1", "https://host/proxy/v1/"):
        assert "must end before /v1" in str(fault_in_path(ProviderKind.ANTHROPIC, url))
        assert fault_in_path(ProviderKind.OPENAI, url) is None


@pytest.mark.parametrize("url", ["https://host", "https://host/", "https://host/messages/v2", "https://messages"])
def test_other_addresses_may_end_as_they_like(url: str) -> None:
    assert fault_in_path(ProviderKind.ANTHROPIC, url) is None
