"""The last admin: another one always stays, for at least as long."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from llm_gateway.domain.admins import Admins, is_about_admins
from llm_gateway.domain.keys import ApiKey, Role
from llm_gateway.errors import LastAdmin

NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)
HOUR, DAY = timedelta(hours=1), timedelta(days=1)


def admin(key_id: str = "a", **changes: Any) -> ApiKey:
    made = ApiKey(id=key_id, name=key_id, role=Role.ADMIN, secrets=(), created_at=NOW, updated_at=NOW)
    return replace(made, **changes)


REVOKED = {"revoked_at": NOW}
DEMOTED = {"role": Role.OPERATOR}
ENDING = {"expires_at": NOW + DAY}


@pytest.mark.parametrize("change", [REVOKED, DEMOTED, ENDING], ids=["revoked", "demoted", "ending"])
@pytest.mark.parametrize(
    "others", [{}, {"b": NOW}, {"b": NOW - DAY, "c": NOW - HOUR}], ids=["alone", "one that has ended", "two that have"]
)
def test_the_last_admin_stays(others: dict[str, datetime | None], change: dict[str, Any]) -> None:
    admins = Admins(ends={"a": None, **others}, revision=3)
    with pytest.raises(LastAdmin) as refused:
        admins.after(admin(**change), now=NOW)
    assert (refused.value.status, refused.value.code) == (409, "last_admin")


@pytest.mark.parametrize("change", [REVOKED, DEMOTED, ENDING], ids=["revoked", "demoted", "ending"])
def test_one_of_two_may_go(change: dict[str, Any]) -> None:
    after = Admins(ends={"a": None, "b": None}, revision=3).after(admin(**change), now=NOW)
    assert after.revision == 4
    assert after.ends["b"] is None
    assert after.ends.get("a") == (NOW + DAY if change is ENDING else None)
    assert ("a" in after.ends) is (change is ENDING)


def test_an_end_needs_another_admin_that_lasts_as_long_as_it_did() -> None:
    admins = Admins(ends={"a": NOW + DAY, "b": NOW + DAY, "c": NOW + HOUR})
    assert admins.after(admin("a", expires_at=NOW + HOUR / 2), now=NOW).ends["a"] == NOW + HOUR / 2
    for ends in ({"a": None, "b": NOW + DAY}, {"a": NOW + DAY, "b": NOW + DAY - HOUR}):
        with pytest.raises(LastAdmin):
            Admins(ends=ends).after(admin(expires_at=NOW + HOUR / 2), now=NOW)


def test_an_admin_that_goes_at_once_needs_another_that_is_there_now() -> None:
    admins = Admins(ends={"a": None, "b": NOW + HOUR})
    assert admins.after(admin(**REVOKED), now=NOW).ends == {"b": NOW + HOUR}


def test_an_end_may_always_be_moved_on() -> None:
    admins = Admins(ends={"a": NOW + HOUR})
    for later in (NOW + HOUR, NOW + DAY, None):
        assert admins.after(admin(expires_at=later), now=NOW).ends == {"a": later}
    with pytest.raises(LastAdmin):
        admins.after(admin(expires_at=NOW + HOUR / 2), now=NOW)


def test_an_admin_that_has_ended_may_go() -> None:
    admins = Admins(ends={"a": NOW - HOUR})
    assert admins.after(admin(expires_at=NOW - HOUR, **REVOKED), now=NOW).ends == {}


def test_a_first_admin_may_have_an_end() -> None:
    assert Admins().after(admin(**ENDING), now=NOW) == Admins(ends={"a": NOW + DAY}, revision=1)


def test_who_was_no_admin_takes_nothing_away() -> None:
    assert Admins().after(admin(role=Role.CALLER), now=NOW).ends == {}


_ENDS = st.none() | st.integers(-3, 3).map(lambda hours: NOW + hours * HOUR)
_KEYS = st.builds(
    admin,
    st.sampled_from("abc"),
    role=st.sampled_from([Role.ADMIN, Role.CALLER]),
    expires_at=_ENDS,
    revoked_at=st.sampled_from([None, None, NOW]),
)


@given(first=_KEYS, changes=st.lists(_KEYS, max_size=20))
def test_an_admin_is_left_whatever_is_changed(first: ApiKey, changes: list[ApiKey]) -> None:
    admins = Admins(ends={"root": None}).after(first, now=NOW)
    for change in [*changes, admin("root", revoked_at=NOW)]:
        try:
            admins = admins.after(change, now=NOW)
        except LastAdmin:
            continue
        assert any(end is None or end > NOW for end in admins.ends.values())


@given(ends=st.lists(_ENDS.filter(lambda end: end is not None), max_size=20))
def test_no_dates_end_the_last_one(ends: list[datetime]) -> None:
    admins = Admins(ends={"a": None, "b": None})
    for number, end in enumerate(ends):
        try:
            admins = admins.after(admin("ab"[number % 2], expires_at=end), now=NOW)
        except LastAdmin:
            continue
    assert None in admins.ends.values()


@pytest.mark.parametrize(
    ("before", "after", "about"),
    [
        (None, admin(role=Role.CALLER), False),
        (None, admin(), True),
        (admin(), admin(name="another"), False),
        (admin(), admin(**DEMOTED), True),
        (admin(), admin(**REVOKED), True),
        (admin(), admin(**ENDING), True),
        (admin(**ENDING), admin(), True),
        (admin(**DEMOTED), admin(), True),
        (admin(**DEMOTED), admin(**DEMOTED, **ENDING), False),
        (admin(**DEMOTED), admin(**DEMOTED, **REVOKED), False),
    ],
)
def test_which_changes_are_about_admins(before: ApiKey | None, after: ApiKey, about: bool) -> None:
    assert is_about_admins(before, after) is about
