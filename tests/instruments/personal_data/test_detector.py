"""What is found where; how well over many texts is measured by `bench.personal`."""

import os
import subprocess
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st
from llm_gateway.instruments.personal_data.detector import LONGEST, STRETCH, PatternDetector
from llm_gateway.instruments.personal_data.phones import MOST_LOOKED_UP


def found(text: str) -> list[tuple[str, str]]:
    return [(each.kind, text[each.start : each.end]) for each in PatternDetector().find(text)]


def test_several_kinds_in_one_text() -> None:
    text = "Anna (anna@example.com, tel. 030 901820) pays DE89 3704 0044 0532 0130 00 with 4111 1111 1111 1111 12/27."
    assert found(text) == [
        ("email", "anna@example.com"),
        ("phone", "030 901820"),
        ("iban", "DE89 3704 0044 0532 0130 00"),
        ("payment_card", "4111 1111 1111 1111"),
    ]


@pytest.mark.parametrize(
    ("text", "kind", "value"),
    [
        ("number 1234 4111 1111 1111 1111", "payment_card", "4111 1111 1111 1111"),
        ("4111 1111 1111 1111 123", "payment_card", "4111 1111 1111 1111"),
        ("4000 0000 0000 0000 006", "payment_card", "4000 0000 0000 0000 006"),
        ("4\u03321\u03321\u03321\u0332 1111 1111 1111", "payment_card", "4\u03321\u03321\u03321\u0332 1111 1111 1111"),
        ("4111\x00 1111\x08 1111 1111", "payment_card", "4111\x00 1111\x08 1111 1111"),
        ("4111&nbsp;1111&#160;1111&#xA0;1111", "payment_card", "4111&nbsp;1111&#160;1111&#xA0;1111"),
        ("<b>anna&#64;example.com</b>", "email", "anna&#64;example.com"),
        ("anna&amp;#x40;example.com", "email", "anna&amp;#x40;example.com"),
        ("a,4111111111111111,12/27", "payment_card", "4111111111111111"),
        ("番号4111111111111111です", "payment_card", "4111111111111111"),
        ('{"ssn":"536904399"}', "us_ssn", "536904399"),
        ("GB82WEST12345698765432 please", "iban", "GB82WEST12345698765432"),
        ("GB82 WEST 1234 5698 7654 32 5 times", "iban", "GB82 WEST 1234 5698 7654 32"),
        ("call (415) 555-2671 now", "phone", "(415) 555-2671"),
        ("0049 30 901820", "phone", "0049 30 901820"),
        ("born April 12, 1980", "date_of_birth", "April 12, 1980"),
        ("1980-04-05 (date of birth)", "date_of_birth", "1980-04-05"),
        ("200601-3000000", "kr_rrn", "200601-3000000"),
        ("from 2001:db8::ff00:42:8329 at", "ip_address", "2001:db8::ff00:42:8329"),
    ],
)
def test_a_value_is_found_whole(text: str, kind: str, value: str) -> None:
    assert found(text) == [(kind, value)]


@pytest.mark.parametrize(
    "text",
    [
        "4111 1111 1111 1112",
        "0000 0000 0000 0000",
        "DE89 3704 0044 0532 0130 01",
        "XX89 3704 0044 0532 0130 00",
        "DE89 3704",
        "111222333 without its word",
        "999.999.999.999",
        "224.0.0.1 and ::1 and 127.0.0.1",
        "image@2x.png",
        "git@github.com:example/project",
        "@name",
        "call 123",
        "+99 99 999999",
        "in 2001-09-01 she moved",
        "May 12, 1980",
        "",
    ],
)
def test_what_only_looks_like_it_is_left(text: str) -> None:
    assert found(text) == []


def test_places_that_two_kinds_claim_become_one() -> None:
    text = "4111111111111111@example.com"
    assert found(text) == [("email", text)]


@pytest.mark.parametrize("shift", [0, 1, 5, 11, 15, 16, 40])
def test_nothing_is_lost_where_one_stretch_ends(shift: int) -> None:
    value = "DE89 3704 0044 0532 0130 00"
    text = "x" * (STRETCH - shift - 1) + " " + value + " BSN " + " " * 20 + "111222333"
    assert found(text) == [("iban", value), ("nl_bsn", "111222333")]


@given(
    st.lists(st.sampled_from(["4111 1111 1111 1111", "a@b.de", " ", "1", "born ", "1980-01-02", "x", "+49 30 901820"]))
)
def test_findings_come_in_order_and_apart(parts: list[str]) -> None:
    text = "".join(parts)
    end = 0
    for each in PatternDetector().find(text):
        assert end <= each.start < each.end <= len(text)
        assert each.end - each.start <= LONGEST
        end = each.end


def test_beyond_a_number_of_look_ups_a_phone_is_known_by_its_looks() -> None:
    text = "+49 30 901820, " * (MOST_LOOKED_UP + 5) + "+99 99 9999999"
    assert len(found(text)) == MOST_LOOKED_UP + 6


def test_libraries_are_imported_for_a_candidate_alone() -> None:
    program = (
        "import sys; from llm_gateway.instruments.personal_data.detector import PatternDetector\n"
        "list(PatternDetector().find('Nothing of anybody stands here, 12 times.'))\n"
        "assert not {'stdnum', 'phonenumbers'} & set(sys.modules)\n"
        "list(PatternDetector().find('4111 1111 1111 1111'))\n"
        "assert 'stdnum.luhn' in sys.modules and 'phonenumbers' not in sys.modules"
    )
    subprocess.run(
        [sys.executable, "-c", program], check=True, env={"PYTHONPATH": os.pathsep.join(sys.path)}, timeout=60
    )
