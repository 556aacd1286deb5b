"""What an entry tells of a document: no secret, no forged line, no more than its bound."""

import hashlib
import json
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st
from llm_gateway.domain.audit.exhibits import MOST_BYTES, canonical, exhibits, harmless

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda values: st.lists(values, max_size=4) | st.dictionaries(st.text(max_size=8), values, max_size=4),
    max_leaves=12,
)


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("plain", "plain"),
        ("Größe 世界 🙂", "Größe 世界 🙂"),
        ("a\nb\r\tc", "a\\nb\\r\\tc"),
        ("\x1b[2Kadmin", "\\u001b[2Kadmin"),
        ("\x9b31m", "\\u009b31m"),
        ("nimda\u202e", "nimda\\u202e"),
        ("ad\u200bmin", "ad\\u200bmin"),
        ("one\u2028two\u2029three\x85four", "one\\u2028two\\u2029three\\u0085four"),
        ("half \ud800", "half \\ud800"),
        ("\U000e0041", "\\U000e0041"),
    ],
)
def test_what_a_terminal_obeys_is_written_as_an_escape(text: str, shown: str) -> None:
    assert harmless(text) == shown


@given(st.text())
def test_no_text_breaks_a_line_or_hides_a_character(text: str) -> None:
    shown = harmless(text)
    assert all(unicodedata.category(character) not in {"Cc", "Cf", "Cs", "Zl", "Zp"} for character in shown)
    assert len(shown.splitlines()) <= 1
    assert harmless(shown) == shown


@pytest.mark.parametrize(
    "name",
    ["api_key", "secret", "signing_secret", "secret_hash", "client_secret", "PASSWORD", "access_token", "api-key"],
)
def test_a_secret_becomes_a_fingerprint_that_tells_it_from_another(name: str) -> None:
    before, after = exhibits({"deep": [{name: "hunter2-hunter2"}]}, {"deep": [{name: "another-secret"}]})
    assert before is not None
    assert after is not None
    digest = hashlib.sha256(b"hunter2-hunter2").hexdigest()
    assert before == {"deep": [{name: f"sha256:{digest[:8]}…"}]}
    assert after != before
    assert "another" not in canonical(after)


def test_what_only_sounds_like_a_secret_is_told() -> None:
    document = {"max_output_tokens": 5, "require_signature": True, "hint": "…1f3a", "secret": None, "tokens": "many"}
    assert exhibits(document, None) == (document, None)


def test_a_credential_in_a_text_is_not_told() -> None:
    shown, _ = exhibits({"base_url": "https://me:hunter2@example.com", "note": "use sk-abcdefghijklmnopqrst"}, None)
    assert shown == {"base_url": "https://[redacted]@example.com", "note": "use [redacted]"}


def test_a_long_document_becomes_its_hash_and_the_names_that_changed() -> None:
    short = {"id": "a", "text": "short", "gone": 1}
    long = {"id": "a", "text": "x" * MOST_BYTES, "new": 1}
    before, after = exhibits(short, long)
    assert before == short
    assert after == {
        "sha256": hashlib.sha256(canonical(long).encode()).hexdigest(),
        "changed": ["gone", "new", "text"],
    }


@pytest.mark.parametrize(("characters", "whole"), [(MOST_BYTES - 9, True), (MOST_BYTES - 8, False)])
def test_the_bound_is_in_bytes_and_exact(characters: int, whole: bool) -> None:
    _, shown = exhibits(None, {"ä": "x" * characters})
    assert (shown == {"ä": "x" * characters}) == whole


@given(JSON)
def test_a_document_is_shown_as_json_of_one_form(value: object) -> None:
    shown, _ = exhibits({"value": value}, None)
    assert canonical(json.loads(canonical(shown))) == canonical(shown)
    canonical(shown).encode()


def test_a_whole_number_has_one_form() -> None:
    shown, _ = exhibits({"connect_s": 3.0, "total_s": 2.5, "large": 1e300, "zero": -0.0}, None)
    assert canonical(shown) == '{"connect_s":3,"large":1e+300,"total_s":2.5,"zero":0}'
