"""Commits: a change of a prompt and its entry in the audit log, made together, and made again where another came first."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, TypeVar

from llm_gateway.errors import RevisionConflict

if TYPE_CHECKING:
    from llm_gateway.domain.audit.entries import Author, Deed
    from llm_gateway.ports.audit import AuditLog, Change
    from llm_gateway.ports.system import Clock

T = TypeVar("T")

_COMMAND_LINE: Final = "command-line"
_TRIES: Final = 16
_PAUSE_S: Final = 0.02


class Overtaken(RevisionConflict):
    """Another change came first. The one that was to be made may still be made, after that."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Commits:
    """`draw` gives a random number in [0, 1)."""

    log: "AuditLog"
    clock: "Clock"
    draw: Callable[[], float]

    def until_done(self, do: Callable[[], T]) -> T:
        """What `do` gives. It reads anew at each try, and raises a `RevisionConflict` of its own where it may not go on."""
        for tried in range(1, _TRIES):
            try:
                return do()
            except Overtaken:
                self.clock.sleep(self.draw() * tried * _PAUSE_S)
        return do()

    def commit(self, deed: "Deed", changes: "Sequence[Change]") -> None:
        """Raises what the changes stand for; `Overtaken` where they would have to be prepared anew."""
        try:
            self.log.append(deed, *changes)
        except RevisionConflict as conflict:
            raise Overtaken(conflict.detail) from conflict


def name_of(author: "Author") -> str:
    """What versions and labels call the one who made them: a key's id, the gateway itself, or the command line of somebody with
    credentials of the account."""
    return author.actor.name or _COMMAND_LINE
