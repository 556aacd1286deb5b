"""Secrets of keys: known by their beginning, told from their typos, and whose each is."""

import base64
import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st
from llm_gateway.domain.key_secrets import Mistyped, hint_of, key_id_of, secret_of
from llm_gateway.domain.signatures import signing_secret

ULID = "01ARZ3NDEKTSV4RRFFQ69G5FAV"
RANDOM = base64.urlsafe_b64encode(bytes(range(200, 232))).rstrip(b"=").decode()
SECRET = secret_of(ULID, RANDOM)


def test_a_secret_begins_as_scanners_know_it_and_ends_in_its_checksum() -> None:
    assert SECRET.startswith(f"llmgw_{ULID}_{RANDOM}")
    digits = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
    number = 0
    for digit in SECRET[-6:]:
        number = number * 62 + digits.index(digit)
    assert number == zlib.crc32(SECRET[:-6].encode())


def test_a_secret_names_its_key() -> None:
    assert key_id_of(SECRET) == f"key_{ULID}"


def test_a_hint_is_how_a_secret_ends() -> None:
    assert hint_of(SECRET) == f"…{SECRET[-4:]}"


@given(place=st.integers(6, len(SECRET) - 1), other=st.sampled_from("0aZ_-9x"))
def test_one_wrong_character_is_a_typo(place: int, other: str) -> None:
    changed = SECRET[:place] + other + SECRET[place + 1 :]
    if changed == SECRET:
        return
    try:
        assert key_id_of(changed) is None, "its underscore is gone: it has another form"
    except Mistyped:
        return


@pytest.mark.parametrize("change", [lambda text: text[:-1], lambda text: text + "x", lambda text: text.lower()])
def test_what_was_cut_off_or_added_is_a_typo(change) -> None:
    with pytest.raises(Mistyped):
        key_id_of(change(SECRET))


@pytest.mark.parametrize(
    "text",
    [
        "",
        "x",
        "llmgw_",
        "llmgw_a_",
        "llmgw__x",
        f"llmgw_{ULID}",
        f"key_{ULID}",
        SECRET.upper(),
        f" {SECRET}",
        f"{SECRET}\n",
        "llmgw_\N{SNOWMAN}_x",
        f"llmgw_{ULID}_\N{SNOWMAN}",
        "\x00",
        signing_secret(b"a pepper", key_id=f"key_{ULID}", generation=1),
    ],
)
def test_what_is_no_secret_names_no_key(text: str) -> None:
    assert key_id_of(text) is None


def test_a_checksum_does_not_make_an_id_of_another_text() -> None:
    assert key_id_of(secret_of("8" * 26, RANDOM)) is None
    assert key_id_of(secret_of("a", RANDOM)) is None
