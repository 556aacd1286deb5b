"""What all schemas share: how times, money and numbers are written and read."""

from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from llm_gateway.wire.schema import Flag, Incoming, Name, Outgoing, PositiveInt, Slug, Usd, rfc3339
from pydantic import ValidationError


class _Everything(Incoming):
    flag: Flag = False
    number: PositiveInt = 1
    name: Name = "x"
    slug: Slug = "x"


class _Price(Outgoing):
    usd: Usd


def test_a_time_is_in_utc_with_milliseconds() -> None:
    moment = datetime(2026, 11, 22, 19, 41, 31, 123_999, tzinfo=timezone(timedelta(hours=1)))
    assert rfc3339(moment) == "2026-11-22T18:41:31.123Z"
    assert rfc3339(datetime(2026, 1, 2, tzinfo=UTC)) == "2026-01-02T00:00:00.000Z"


@given(st.datetimes(min_value=datetime(1970, 1, 2), max_value=datetime(2200, 1, 1), timezones=st.timezones()))
def test_a_time_reads_back_to_the_millisecond(moment: datetime) -> None:
    back = datetime.fromisoformat(rfc3339(moment))
    assert timedelta(0) <= moment.astimezone(UTC) - back < timedelta(milliseconds=1)


@pytest.mark.parametrize(
    ("amount", "text"),
    [
        ("0", "0"),
        ("0.000312", "0.000312"),
        ("1E-9", "0.000000001"),
        ("1E+3", "1000"),
        ("25.00", "25.00"),
        ("0E-12", "0"),
    ],
)
def test_money_is_a_plain_decimal_text(amount: str, text: str) -> None:
    shown = _Price(usd=Decimal(amount)).model_dump(mode="json")["usd"]
    assert isinstance(shown, str)
    assert "E" not in shown
    assert Decimal(shown) == Decimal(text)


@given(st.decimals(min_value=0, max_value=10**9, allow_nan=False, places=15))
def test_money_is_never_rounded(amount: Decimal) -> None:
    shown = _Price(usd=amount).model_dump(mode="json")["usd"]
    assert Decimal(shown) == amount
    assert set(shown) <= set("0123456789.")


@pytest.mark.parametrize(
    "wrong",
    [
        {"flag": 1},
        {"flag": 0},
        {"flag": "true"},
        {"flag": "yes"},
        {"flag": None},
        {"number": "5"},
        {"number": True},
        {"number": 5.0},
        {"number": 0},
        {"number": -1},
        {"number": 2**53},
        {"number": 10**400},
        {"number": float("inf")},
        {"name": 5},
        {"name": ""},
        {"name": " \t"},
        {"name": "x" * 201},
        {"slug": "A"},
        {"slug": "a\n"},
        {"slug": "a" * 64},
        {"unknown": 1},
        {"Flag": True},
    ],
)
def test_nothing_is_taken_for_something_else(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        _Everything.model_validate(wrong)


def test_what_is_right_is_taken() -> None:
    taken = _Everything.model_validate({"flag": True, "number": 2**53 - 1, "name": "Größe 1", "slug": "a-1"})
    assert (taken.flag, taken.number, taken.name, taken.slug) == (True, 2**53 - 1, "Größe 1", "a-1")
