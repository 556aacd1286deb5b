"""Ids: which texts are slugs, what slug a name gives, and when an id was made."""

import string

import pytest
from hypothesis import given
from hypothesis import strategies as st
from llm_gateway.domain.identifiers import QUERY_PREFIX, is_slug, made_at_s, slug_from

from tests.adapters.clock import FakeClock
from tests.adapters.ids import FakeIds


@pytest.mark.parametrize("text", ["a", "0", "a-", "openai", "gpt-4-1", "a" * 63, "0" * 63])
def test_slugs(text: str) -> None:
    assert is_slug(text)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "-",
        "-a",
        "A",
        "a_b",
        "a b",
        "a.b",
        "a/b",
        "ä",
        "a" * 64,
        "a\n",
        "\na",
        "a\x00",
        "\N{FULLWIDTH LATIN SMALL LETTER A}",
        "٣",
    ],
)
def test_what_is_no_slug(text: str) -> None:
    assert not is_slug(text)


@given(st.text(max_size=200))
def test_a_name_gives_a_slug_or_nothing(name: str) -> None:
    slug = slug_from(name)
    usable = any(character in string.ascii_lowercase + string.digits for character in name.lower())
    assert (slug is not None) == usable
    assert slug is None or (is_slug(slug) and not slug.endswith("-"))


@given(st.from_regex(r"[a-z0-9](-?[a-z0-9]){0,30}", fullmatch=True))
def test_a_slug_gives_itself(slug: str) -> None:
    assert slug_from(slug) == slug


def test_an_id_tells_when_it_was_made() -> None:
    clock = FakeClock()
    made_s = made_at_s(QUERY_PREFIX + FakeIds(clock).ulid(), prefix=QUERY_PREFIX)
    assert made_s == clock.now().timestamp()


@pytest.mark.parametrize(
    "ulid", ["01ARZ3NDEKTSV4RRFFQ69G5FAV", "00000000000000000000000000", "7ZZZZZZZZZZZZZZZZZZZZZZZZZ"]
)
def test_the_whole_range_of_ulids_is_known(ulid: str) -> None:
    assert made_at_s(QUERY_PREFIX + ulid, prefix=QUERY_PREFIX) is not None


@pytest.mark.parametrize(
    "text",
    [
        "",
        "qry_",
        "01ARZ3NDEKTSV4RRFFQ69G5FAV",
        "key_01ARZ3NDEKTSV4RRFFQ69G5FAV",
        "qry_01ARZ3NDEKTSV4RRFFQ69G5FA",
        "qry_01ARZ3NDEKTSV4RRFFQ69G5FAVV",
        "qry_01arz3ndektsv4rrffq69g5fav",
        "qry_01ARZ3NDEKTSV4RRFFQ69G5FAI",
        "qry_81ARZ3NDEKTSV4RRFFQ69G5FAV",
        "qry_01ARZ3NDEKTSV4RRFFQ69G5FAV\n",
        "qry_qry_01ARZ3NDEKTSV4RRFFQ69G5FAV",
    ],
)
def test_what_is_no_id_was_never_made(text: str) -> None:
    assert made_at_s(text, prefix=QUERY_PREFIX) is None
