"""Labels: which version a query gets from one, and how the names of roles are read."""

import hashlib
from collections.abc import Mapping

from llm_gateway.values import dataclass

_HASHED_BITS = 64


def pick(weights: Mapping[int, int], *, sticky_key: str | None, draw: float) -> int:
    """The version that falls to a query, each in proportion to its weight.

    The same `sticky_key` always falls on the same one; without it `draw`, a random number in [0, 1), decides. A weight that
    grows takes over keys, and moves none between the others where there are two.
    """
    at = (draw if sticky_key is None else _share(sticky_key)) * sum(weights.values())
    for version, weight in sorted(weights.items()):
        at -= weight
        if at < 0:
            return version
    return max(version for version, weight in weights.items() if weight > 0)


def _share(key: str) -> float:
    digest = hashlib.sha256(key.encode(errors="surrogatepass")).digest()
    return int.from_bytes(digest[: _HASHED_BITS // 8]) / (1 << _HASHED_BITS)


@dataclass(frozen=True, slots=True, kw_only=True)
class RoleName:
    """A role as it is named: `id`, `id@3` or `id@label`. With neither of the two: `production` if set, else `latest`."""

    id: str
    version: int | None = None
    label: str | None = None

    @classmethod
    def of(cls, name: str) -> "RoleName":
        """Whether there is such a role, nobody has looked."""
        role_id, _, wanted = name.partition("@")
        if wanted.isascii() and wanted.isdecimal():
            return cls(id=role_id, version=int(wanted[:18]))
        return cls(id=role_id, label=wanted or None)
