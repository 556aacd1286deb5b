"""A folded text says what can be read in a text, and knows where each character of it stood."""

import sys
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st
from llm_gateway.instruments.personal_data.folding import ZEROS, fold


def test_every_decimal_digit_of_unicode_is_known() -> None:
    zeros = [code for code in range(0x80, sys.maxunicode + 1) if unicodedata.decimal(chr(code), None) == 0]
    # Digits of scripts that a later Unicode brings are not known to this Python.
    assert set(zeros) <= set(ZEROS)
    for zero in zeros:
        assert fold("".join(chr(zero + digit) for digit in range(10))).text == "0123456789"


@pytest.mark.parametrize(
    ("text", "folded"),
    [
        ("\uff14\uff11\uff11\uff11\uff0d\uff11\uff11", "4111-11"),
        ("joe\uff20example\uff0ecom", "joe@example.com"),
        ("4\u200b1\u2060 \ufeff1", "41 1"),
        (r"j\u006fe\u0040x.de", "joe@x.de"),
        (r"j\\u006fe", "joe"),
        (r"4\u200b1", "41"),
        (r"a\/b", "a/b"),
        (r"a\nb\tc", "a\nb\nc"),
        ("joe%40x.de%20%2B49", "joe@x.de +49"),
        ("joe%2540x.de", "joe@x.de"),
        ("100\u00a0200\u202f300", "100 200 300"),
        ("1\u20112\u22123", "1-2-3"),
        (r"\ud83d\ude00 1", "\ufffd\ufffd 1"),
        ("joe&#64;x&period;de&#x26;", "joe@x.de&"),
        ("joe&commat;x &AMP; y&#12345678;", "joe@x &AMP; y&#12345678;"),
        ("4\u20e31\u2800\x001\x7f", "41 1"),
        ("joe\ufe6bx.de", "joe@x.de"),
        ("plain", "plain"),
        ("100%", "100%"),
        ("\\", "\\"),
    ],
)
def test_what_is_meant(text: str, folded: str) -> None:
    assert fold(text).text == folded


def test_places_lead_back() -> None:
    text = r"to \u006aoe\u0040x.de" + "\u200b, now"
    folded = fold(text)
    start = folded.text.index("joe")
    end = folded.text.index(",")
    assert text[folded.original(start) :].startswith(r"\u006aoe")
    assert text[folded.original(end) :] == ", now"
    assert text[folded.original(start) : folded.original(end)].rstrip("\u200b") == r"\u006aoe\u0040x.de"


@given(st.text(alphabet="a1 \\u04%@&#x;\x00\u0301\u200b\uff14n/", max_size=200))
def test_a_place_leads_into_the_text_and_on(text: str) -> None:
    folded = fold(text)
    places = [folded.original(place) for place in range(len(folded.text) + 1)]
    assert places == sorted(places)
    assert all(0 <= place <= len(text) for place in places)
