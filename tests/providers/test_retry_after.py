"""`Retry-After` in its forms."""

from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st
from llm_gateway.providers.retry_after import retry_after_s

NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)


def test_a_date() -> None:
    date = format_datetime(NOW + timedelta(seconds=90), usegmt=True)

    assert retry_after_s({"retry-after": date}, now=NOW) == 90


def test_a_date_without_a_zone_is_in_utc() -> None:
    assert retry_after_s({"retry-after": "Sun, 22 Nov 2026 12:00:05 -0000"}, now=NOW) == 5


@pytest.mark.parametrize("text", ["", "soon", "nan", "inf", "1e999", "Sun, 99 Nov 2026 12:00:00 GMT"])
def test_what_cannot_be_read_says_nothing(text: str) -> None:
    assert retry_after_s({"retry-after": text}, now=NOW) is None


def test_milliseconds_that_cannot_be_read_leave_the_seconds() -> None:
    assert retry_after_s({"retry-after-ms": "soon", "retry-after": "3"}, now=NOW) == 3


@given(st.text())
def test_is_never_negative_and_never_fails(text: str) -> None:
    for name in ("retry-after", "retry-after-ms"):
        assert (retry_after_s({name: text}, now=NOW) or 0) >= 0
