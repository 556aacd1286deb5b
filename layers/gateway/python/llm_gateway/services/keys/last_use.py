"""When a key was used last: noted beside its requests, and not for each of them."""

import logging
from dataclasses import dataclass, field
from typing import Final

from llm_gateway.errors import DependencyUnavailable
from llm_gateway.ports.keys import KeyUses
from llm_gateway.ports.system import Clock
from llm_gateway.services.keys.memory import Recent

EVERY_S: Final = 300
_KEYS: Final = 4096

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class LastUse:
    """Each process notes a key's use at most every five minutes."""

    uses: KeyUses
    clock: Clock
    _noted: Recent = field(default_factory=lambda: Recent(_KEYS))

    def is_due(self, key_id: str) -> bool:
        """Whether this use is to be noted. Where it is, nobody else is asked to for the next five minutes."""
        now_s, noted_s = self.clock.monotonic_s(), self._noted.get(key_id)
        if noted_s is not None and now_s - noted_s < EVERY_S:
            return False
        self._noted.add(key_id, now_s)
        return True

    def note(self, key_id: str) -> None:
        """One write. Never raises what a store raises: the next use that is due is noted."""
        try:
            self.uses.note(key_id, at=self.clock.now())
        except DependencyUnavailable as fault:
            _log.warning("The use of a key was not noted: %s", fault.detail)
