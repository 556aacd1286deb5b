"""The last admin: no change leaves a deployment without one.

An active admin's key is revoked or demoted only while there is another. It is given an end, or an earlier one, only while
another lasts as long as it did: so nobody ends the last one by a date. Keys that were revoked or have expired do not count.
"""

from collections.abc import Mapping
from dataclasses import field
from datetime import UTC, datetime
from typing import Final

from llm_gateway.domain.keys import ApiKey
from llm_gateway.domain.roles import Role
from llm_gateway.errors import LastAdmin
from llm_gateway.values import dataclass

_NEVER: Final = datetime.max.replace(tzinfo=UTC)


@dataclass(frozen=True, slots=True, kw_only=True)
class Admins:
    """Every admin's key with its end, None where it has none. Keys that were revoked are not among them.

    `revision` counts changes, from 0. A process writes the next revision only if it has seen this one, so that of two changes at
    the same instant the second sees the first.
    """

    ends: Mapping[str, datetime | None] = field(default_factory=dict)
    revision: int = 0

    def after(self, key: ApiKey, *, now: datetime) -> "Admins":
        """The admins once `key` is as it is here. Raises `LastAdmin`."""
        others = {key_id: end for key_id, end in self.ends.items() if key_id != key.id and (end is None or now < end)}
        before = _end(self.ends[key.id]) if key.id in self.ends else now
        holds = key.role is Role.ADMIN and key.revoked_at is None
        lasting = before if holds else now
        is_less = before > now and (not holds or _end(key.expires_at) < before)
        if is_less and not any(_end(end) >= lasting for end in others.values()):
            raise LastAdmin(
                "No other admin key would be left, or none that lasts as long. Make another admin key first, or extend one."
            )
        ends = others | ({key.id: key.expires_at} if holds else {})
        return Admins(ends=ends, revision=self.revision + 1)


def is_about_admins(before: ApiKey | None, after: ApiKey) -> bool:
    """Whether the change from `before` (None: a new key) to `after` touches who is an admin, or until when."""
    return _rights(before) != _rights(after)


def _rights(key: ApiKey | None) -> tuple[bool, datetime | None]:
    if key is None or key.role is not Role.ADMIN or key.revoked_at is not None:
        return False, None
    return True, key.expires_at


def _end(end: datetime | None) -> datetime:
    return _NEVER if end is None else end
